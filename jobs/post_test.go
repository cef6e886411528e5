package jobs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/text"
)

// post is a fixture with an SMTP server, a provider of text messages, and a clock that tests move.
type post struct {
	fixture
	t     testing.TB
	mails *smtptest.Server
	texts *provider
	log   *storetest.Log
	clock *storetest.Clock
}

// provider accepts text messages, or answers with status.
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

func newPost(t testing.TB, hooks smtptest.Hooks) *post {
	t.Helper()
	p := &post{t: t, mails: smtptest.New(t, hooks), texts: &provider{}, log: &storetest.Log{}, clock: &storetest.Clock{}}
	p.texts.Server = httptest.NewServer(p.texts)
	t.Cleanup(p.texts.Close)
	keys, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	must(t, err)
	p.Store, err = store.Open(t.Context(), storetest.URL(t), store.Options{Keys: keys, MaxConns: 10, Now: p.clock.Now, ShareTransactions: true})
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

// run delivers messages until stop is called or the test ends. change may change the options.
func (p *post) run(perSecond int, change ...func(*jobs.Delivery)) (stop func()) {
	p.t.Helper()
	languages, err := texts.Load("")
	must(p.t, err)
	templates, err := message.Load("", languages)
	must(p.t, err)
	mails, err := transport.NewSMTP(transport.SMTPOptions{
		Address: p.mails.Address, Security: transport.STARTTLS, Username: smtptest.User, Password: smtptest.Password,
		From: "cards@example.com", Timeout: 5 * time.Second, TLS: p.mails.TLS,
	})
	must(p.t, err)
	delivery := &jobs.Delivery{
		Templates: templates, LookEvery: 20 * time.Millisecond,
		Mail: jobs.Route{Sender: mails, PerSecond: perSecond},
		SMS: jobs.Route{PerSecond: perSecond, Sender: transport.NewTwilio(transport.TwilioOptions{
			URL: p.texts.URL, Account: "AC1", Token: "token", From: "Books", Timeout: 5 * time.Second,
		})},
	}
	for _, f := range change {
		f(delivery)
	}
	work, err := jobs.New(p.Store, jobs.Options{
		Logger: slog.New(slog.NewJSONHandler(p.log, nil)), Lifetimes: storetest.Lifetimes, SweepEvery: 50 * time.Millisecond, Delivery: delivery,
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

// issue makes a card. change may change its terms and recipient.
func (p *post) issue(change ...func(*store.Terms, *store.Recipient)) store.GiftCard {
	p.t.Helper()
	value, err := money.Parse("25")
	must(p.t, err)
	email, sender := "ada@example.com", text.Clean("Grace")
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

// messages returns the messages in a state.
func (p *post) messages(status string) []store.Message {
	p.t.Helper()
	rows, err := store.Read(p.t.Context(), p.Store, func(tx *store.Tx) ([]store.Message, error) {
		return tx.Messages(p.t.Context(), status, 100)
	})
	must(p.t, err)
	return rows
}

// eventually waits until the condition is true.
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
	code, err := p.OpenCode(card.ID, card.SealedCode)
	must(p.t, err)
	return code
}

func (p *post) delivered() int { return p.count(p.t, "gift_cards where delivered") }
