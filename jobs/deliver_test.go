package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// post is a fixture with servers that take messages, and a clock to move.
type post struct {
	fixture
	t     *testing.T
	mails *smtptest.Server
	texts *provider
	log   *log
	clock *clock
}

type clock struct {
	mutex sync.Mutex
	moved time.Duration
}

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return time.Now().Add(c.moved)
}

func (c *clock) move(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.moved += by
}

type log struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// provider takes text messages, or answers with status.
type provider struct {
	*httptest.Server
	mutex  sync.Mutex
	bodies []string
	status int
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.status >= 400 {
		w.WriteHeader(p.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": 1, "message": "Refused: " + r.FormValue("To") + " " + r.FormValue("Body")})
		return
	}
	p.bodies = append(p.bodies, r.FormValue("Body"))
	_, _ = w.Write([]byte(`{"sid": "SM1"}`))
}

func (p *provider) set(status int) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.status = status
}

func newPost(t *testing.T, hooks smtptest.Hooks) *post {
	t.Helper()
	p := &post{t: t, mails: smtptest.New(t, hooks), texts: &provider{}, log: &log{}, clock: &clock{}}
	p.texts.Server = httptest.NewServer(p.texts)
	t.Cleanup(p.texts.Close)
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(t, err)
	p.Store, err = store.Open(t.Context(), storetest.URL(t), store.Options{Keys: keys, MaxConns: 10, Now: p.clock.now})
	must(t, err)
	t.Cleanup(p.Close)
	p.program, err = store.Write(t.Context(), p.Store, func(tx *store.Tx) (store.Program, error) {
		merchant, err := tx.AddMerchant(t.Context(), "Blackwood Books")
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant.ID, "Program")
	})
	must(t, err)
	return p
}

// run delivers messages until it is stopped, at the latest when the test ends.
func (p *post) run(perSecond int) (stop func()) {
	p.t.Helper()
	templates, err := message.Load("")
	must(p.t, err)
	mails, err := transport.NewSMTP(transport.SMTPOptions{
		Address: p.mails.Address, Security: transport.STARTTLS, Username: smtptest.User, Password: smtptest.Password,
		From: "cards@example.com", Timeout: 5 * time.Second, TLS: p.mails.TLS,
	})
	must(p.t, err)
	work, err := jobs.New(p.Store, jobs.Options{
		Logger: slog.New(slog.NewJSONHandler(p.log, nil)), KeyLifetime: time.Hour, SweepEvery: 50 * time.Millisecond,
		Delivery: &jobs.Delivery{
			Templates: templates, LookEvery: 20 * time.Millisecond,
			Mail: jobs.Route{Sender: mails, PerSecond: perSecond},
			SMS: jobs.Route{PerSecond: perSecond, Sender: transport.NewTwilio(transport.TwilioOptions{
				URL: p.texts.URL, Account: "AC1", Token: "token", From: "Books", Timeout: 5 * time.Second,
			})},
		},
	})
	must(p.t, err)
	must(p.t, work.Start(p.t.Context()))
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.t.Context()), 500*time.Millisecond)
		defer cancel()
		if err := work.Stop(ctx); err != nil {
			p.t.Errorf("stop: %v", err)
		}
	})
	p.t.Cleanup(stop)
	return stop
}

// issue makes a card; change may alter its terms and recipient.
func (p *post) issue(change ...func(*store.Terms, *store.Recipient)) store.GiftCard {
	p.t.Helper()
	value, err := money.Parse("25")
	must(p.t, err)
	email, sender := "ada@example.com", "Grace"
	terms, recipient := store.Terms{ProgramID: p.program.ID, InitialValue: value}, store.Recipient{Email: &email, Sender: &sender}
	for _, f := range change {
		f(&terms, &recipient)
	}
	cards, err := store.Write(p.t.Context(), p.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(p.t.Context(), terms, []store.Recipient{recipient})
	})
	must(p.t, err)
	return cards[0]
}

func withPhone(_ *store.Terms, r *store.Recipient) {
	phone := "+442079460018"
	r.Phone = &phone
}

// messages of a state.
func (p *post) messages(status string) []store.Message {
	p.t.Helper()
	rows, err := store.Read(p.t.Context(), p.Store, func(tx *store.Tx) ([]store.Message, error) {
		return tx.Messages(p.t.Context(), status, 100)
	})
	must(p.t, err)
	return rows
}

// eventually waits for something to become true.
func (p *post) eventually(what string, is func() bool) {
	p.t.Helper()
	for range 1500 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	p.t.Fatalf("never: %s\n%s", what, p.log)
}

func (p *post) reach(status string, n int) []store.Message {
	p.t.Helper()
	p.eventually(status, func() bool { return len(p.messages(status)) == n })
	return p.messages(status)
}

func (p *post) code(card store.GiftCard) string {
	p.t.Helper()
	code, err := store.Read(p.t.Context(), p.Store, func(tx *store.Tx) (string, error) { return tx.OpenCode(&card) })
	must(p.t, err)
	return code
}

func (p *post) delivered() int { return p.count(p.t, "gift_cards where delivered") }

func TestBothChannelsAreUsedAndTheCardIsThenDelivered(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.texts.set(503)
	p.run(1000)
	card := p.issue(withPhone)
	p.reach(store.MessageSent, 1)
	p.eventually("a deferred text message", func() bool { return p.count(t, "messages where last_error is not null") == 1 })
	if p.delivered() != 0 {
		t.Error("delivered while the text message is not")
	}
	p.texts.set(0)
	p.clock.move(time.Minute)
	p.reach(store.MessageSent, 2)
	if p.delivered() != 1 {
		t.Error("not delivered")
	}
	raw := string(p.mails.Mails()[0].Raw)
	if !strings.Contains(raw, p.code(card)) || !strings.Contains(p.texts.bodies[0], p.code(card)) {
		t.Error("a message lacks the card's code")
	}
}

// TestTwoChannelsAtOnceDeliver: whichever is recorded last sees the other.
func TestTwoChannelsAtOnceDeliver(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	for range 30 {
		p.issue(withPhone)
	}
	p.reach(store.MessageSent, 60)
	if n := p.delivered(); n != 30 {
		t.Errorf("%d of 30 delivered", n)
	}
}

func TestAMessageRefusedForGoodIsListedAndRetried(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error { return smtptest.Refuse(550, "no such user") }})
	p.run(1000)
	card, other := p.issue(), p.issue()
	failed := p.reach(store.MessageFailed, 2)
	if failed[0].LastError == nil || !strings.Contains(*failed[0].LastError, "550") || failed[0].Attempts != 1 {
		t.Errorf("listed as %+v", failed[0])
	}
	p.mails.Set(smtptest.Hooks{})
	retry := func(cards ...store.GiftCard) int64 {
		n, err := store.Write(t.Context(), p.Store, func(tx *store.Tx) (int64, error) {
			ids := slices.Collect(func(yield func(id.ID) bool) {
				for _, c := range cards {
					yield(c.ID)
				}
			})
			return tx.RetryMessages(t.Context(), ids)
		})
		must(t, err)
		return n
	}
	if n := retry(card); n != 1 {
		t.Errorf("%d retried", n)
	}
	p.reach(store.MessageSent, 1)
	if n := retry(); n != 1 {
		t.Errorf("%d retried", n)
	}
	p.reach(store.MessageSent, 2)
	if n := retry(card, other); n != 0 || p.delivered() != 2 {
		t.Errorf("%d retried after all were sent, %d delivered", n, p.delivered())
	}
}

// TestARefusalForNowBacksOffForADay and is then given up.
func TestARefusalForNowBacksOffForADay(t *testing.T) {
	t.Parallel()
	var mutex sync.Mutex
	tries := 0
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error {
		mutex.Lock()
		defer mutex.Unlock()
		tries++
		return smtptest.Refuse(451, "greylisted")
	}})
	p.run(1000)
	p.issue()
	var last store.Message
	var waited time.Duration
	for len(p.messages(store.MessageFailed)) == 0 {
		p.eventually("another attempt", func() bool {
			rows := append(p.messages(store.MessageScheduled), p.messages(store.MessageFailed)...)
			ended := rows[0].Attempts > last.Attempts && rows[0].LastError != nil && (rows[0].Unconfirmed == 0 || rows[0].Status == store.MessageFailed)
			if ended {
				last = rows[0]
			}
			return ended
		})
		pause := last.NextAttemptAt.Sub(p.Now())
		if last.Status == store.MessageScheduled && (pause < 10*time.Second || pause > 30*time.Minute) {
			t.Fatalf("a pause of %s after %d attempts", pause, last.Attempts)
		}
		p.clock.move(pause + time.Millisecond)
		waited += pause
	}
	if waited < 23*time.Hour || waited > 25*time.Hour || last.Attempts < 20 || last.Attempts > 80 {
		t.Errorf("given up after %s and %d attempts", waited, last.Attempts)
	}
}

// TestAMailOfWhichNobodyKnowsIsRepeatedOnce under the same Message-ID, with the
// same code, and then listed.
func TestAMailOfWhichNobodyKnowsIsRepeatedOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Data: func(smtptest.Mail) error { return smtptest.ErrHangUp }})
	p.run(1000)
	card := p.issue()
	p.eventually("a first attempt", func() bool { return p.count(t, "messages where last_error is not null") == 1 })
	p.clock.move(time.Hour)
	failed := p.reach(store.MessageFailed, 1)
	p.clock.move(48 * time.Hour)
	time.Sleep(200 * time.Millisecond) // ten looks
	mails := p.mails.Mails()
	if len(mails) != 2 || mails[0].ID != mails[1].ID || mails[0].ID != "<"+card.ID.String()+"@example.com>" {
		t.Fatalf("%d mails: %v", len(mails), mails)
	}
	for _, m := range mails {
		if !strings.Contains(string(m.Raw), p.code(card)) {
			t.Error("a mail without the card's code")
		}
	}
	if failed[0].Unconfirmed != 2 {
		t.Errorf("listed as %+v", failed[0])
	}
}

// TestACrashRepeatsAMessageOnce: claims without a record, as kills leave them.
func TestACrashRepeatsAMessageOnce(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	once, twice := p.issue(), p.issue()
	p.exec(t, "update messages set attempts = 1, unconfirmed = 1 where card_id = $1", once.ID)
	p.exec(t, "update messages set attempts = 2, unconfirmed = 2 where card_id = $1", twice.ID)
	p.run(1000)
	if sent := p.reach(store.MessageSent, 1); sent[0].CardID != once.ID {
		t.Error("the message that was handed over twice was sent again")
	}
	p.reach(store.MessageFailed, 1)
	if n := len(p.mails.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

func TestAMessageIsSentAtItsTimeAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	stop := p.run(1000)
	later := p.Now().Add(time.Hour)
	past := p.Now().Add(-time.Hour)
	p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &later })
	p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &past }) // is now
	p.reach(store.MessageSent, 1)
	stop()
	p.run(1000)
	p.clock.move(time.Hour - 10*time.Second)
	time.Sleep(200 * time.Millisecond) // ten looks
	if n := len(p.messages(store.MessageSent)); n != 1 {
		t.Fatalf("%d messages sent before their time", n-1)
	}
	p.clock.move(10 * time.Second)
	sent := p.reach(store.MessageSent, 2)
	if late := sent[0].SentAt.Sub(later); late < 0 || late > 10*time.Second {
		t.Errorf("sent %s after its time", late)
	}
}

func TestCardsOfNoMoreUseAreDropped(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	later := p.Now().Add(time.Hour)
	deferred := func(terms *store.Terms, _ *store.Recipient) { terms.DeliverAt = &later }
	reasons := map[string]string{}
	for status, reason := range map[string]string{
		"voided": "the card is voided", "suspended": "the card is suspended", "depleted": "the card is depleted", "expired": "the card is expired",
	} {
		card := p.issue(deferred)
		p.exec(t, "update gift_cards set status = $1 where id = $2", status, card.ID)
		reasons[card.ID.String()] = reason
	}
	expired := p.issue(deferred)
	p.exec(t, "update gift_cards set expires_at = $1 where id = $2", later.Add(-time.Minute), expired.ID)
	reasons[expired.ID.String()] = "the card expired"
	active := p.issue(deferred)
	p.exec(t, "update gift_cards set status = 'active' where id = $1", active.ID)
	p.run(1000)
	p.clock.move(time.Hour)
	for _, m := range p.reach(store.MessageDropped, 5) {
		if want := reasons[m.CardID.String()]; m.LastError == nil || *m.LastError != want {
			t.Errorf("dropped because of %v, want %s", m.LastError, want)
		}
	}
	if sent := p.reach(store.MessageSent, 1); sent[0].CardID != active.ID || len(p.mails.Mails()) != 1 {
		t.Errorf("sent %v", sent)
	}
}

// TestATaskDoesNotDelayASingleCard: a thousand of a task wait at two a second.
func TestATaskDoesNotDelayASingleCard(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(2)
	value, err := money.Parse("5")
	must(t, err)
	email := "bulk@example.com"
	recipients := slices.Repeat([]store.Recipient{{Email: &email}}, 1000)
	_, err = store.Write(t.Context(), p.Store, func(tx *store.Tx) (struct{}, error) {
		task, err := tx.AddTask(t.Context(), store.Terms{ProgramID: p.program.ID, InitialValue: value}, len(recipients), recipients)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, tx.IssueTask(t.Context(), p.program.ID, task.ID)
	})
	must(t, err)
	p.reach(store.MessageSent, 2)
	before := len(p.mails.Mails())
	p.issue()
	p.eventually("the single card's mail", func() bool {
		return slices.ContainsFunc(p.mails.Mails(), func(m smtptest.Mail) bool { return m.To == "ada@example.com" })
	})
	at := slices.IndexFunc(p.mails.Mails(), func(m smtptest.Mail) bool { return m.To == "ada@example.com" })
	if at > before+3 {
		t.Errorf("%d mails of the task went before", at-before)
	}
}

// TestAStalledServerHoldsUpNoOtherChannel and its mails are due again at once
// when the program stops.
func TestAStalledServerHoldsUpNoOtherChannel(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{Recipient: func(string) error { <-t.Context().Done(); return errors.New("over") }})
	stop := p.run(1000)
	for range 20 {
		p.issue(withPhone)
	}
	p.reach(store.MessageSent, 20)
	stop()
	if n := p.count(t, "messages where channel = 'email' and status = 'scheduled' and unconfirmed = 0 and attempts = 0 and next_attempt_at <= now()"); n != 20 {
		t.Errorf("%d of 20 mails are due again", n)
	}
}

// TestTheLogOfDeliveryKeepsSecrets, though servers repeat what they were sent.
func TestTheLogOfDeliveryKeepsSecrets(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{
		Recipient: func(to string) error { return smtptest.Refuse(550, "<"+to+"> is unknown") },
	})
	p.texts.set(400)
	p.run(1000)
	name, note := "Grace Hopper", "Happy nanoseconds"
	card := p.issue(withPhone, func(_ *store.Terms, r *store.Recipient) { r.Sender, r.Message = &name, &note })
	failed := p.reach(store.MessageFailed, 2)
	number := store.FormatNumber(card.CardNumber)
	if log := p.log.String(); !strings.Contains(log, card.ID.String()) {
		t.Errorf("the log does not name the card:\n%s", log)
	}
	for _, secret := range []string{"ada@example.com", "442079460018", name, note, number, message.Group(number), p.code(card)} {
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for _, m := range failed {
		for _, secret := range []string{number, message.Group(number), p.code(card)} {
			if strings.Contains(*m.LastError, secret) {
				t.Errorf("the reason of %s has %q", m.Channel, secret)
			}
		}
	}
}

// TestARecordIsMadeThoughTheDatabaseRefusesItAtFirst: the record is
// made again until it succeeds, and nothing is sent twice.
func TestARecordIsMadeThoughTheDatabaseRefusesItAtFirst(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.exec(t, `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$`)
	p.exec(t, `create trigger refuse before update on messages for each row when (new.status = 'sent') execute function refuse()`)
	p.run(1000)
	p.issue()
	p.eventually("the mail", func() bool { return len(p.mails.Mails()) == 1 })
	p.exec(t, `drop trigger refuse on messages`)
	p.reach(store.MessageSent, 1)
	if n := len(p.mails.Mails()); n != 1 {
		t.Errorf("%d mails", n)
	}
}

// TestWhatASenderTypesTravelsAsWords: through the store, the templates and SMTP.
func TestWhatASenderTypesTravelsAsWords(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	for name, c := range map[string]struct{ sender, note, subject string }{
		"line breaks": {
			"Grace\r\nBcc: b@example.com\r\n\r\n<b>", "x\r\n.\r\nMAIL FROM:<b@example.com>",
			"Grace Bcc: b@ example. com <b> sent you a gift card from Blackwood Books",
		},
		"right to left": {"\u202eשירה\u2069", "\u202emoc.elpmaxe", "\u2068שירה\u2069 sent you a gift card from Blackwood Books"},
		"255 emoji":     {strings.Repeat("🎁", 255), strings.Repeat("é", 500), strings.Repeat("🎁", 59) + "… sent you a gift card from Blackwood Books"},
	} {
		card := p.issue(func(_ *store.Terms, r *store.Recipient) { r.Sender, r.Message = &c.sender, &c.note })
		var got smtptest.Mail
		p.eventually("the mail of "+name, func() bool {
			mails := p.mails.Mails()
			at := slices.IndexFunc(mails, func(m smtptest.Mail) bool { return m.ID == "<"+card.ID.String()+"@example.com>" })
			if at >= 0 {
				got = mails[at]
			}
			return at >= 0
		})
		if subject, err := new(mime.WordDecoder).DecodeHeader(got.Header.Get("Subject")); err != nil || subject != c.subject {
			t.Errorf("%s: subject %q (%v), want %q", name, subject, err, c.subject)
		}
		if len(got.Header) != 8 || got.Header.Get("Bcc") != "" {
			t.Errorf("%s: headers %v", name, got.Header)
		}
		for line := range strings.Lines(string(got.Raw)) {
			if len(line) > 80 { // RFC 5322 recommends 78 and the line's end
				t.Errorf("%s: a line of %d bytes: %s", name, len(line), line)
			}
		}
		parts := multipart.NewReader(got.Body, boundary(t, got))
		for _, want := range []string{"text/plain; charset=UTF-8", "text/html; charset=UTF-8"} {
			part, err := parts.NextPart()
			must(t, err)
			text, err := io.ReadAll(part)
			must(t, err)
			if kind := part.Header.Get("Content-Type"); kind != want || !strings.Contains(string(text), p.code(card)) {
				t.Errorf("%s: a part of %s without the code", name, kind)
			}
		}
		if _, err := parts.NextPart(); err == nil {
			t.Errorf("%s: one part too many", name)
		}
	}
}

func boundary(t *testing.T, m smtptest.Mail) string {
	t.Helper()
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	must(t, err)
	return parameters["boundary"]
}
