package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
)

// issuer is a user who has issued cards with messages in every way, on a server whose jobs have
// stopped.
type issuer struct {
	s              *servertest.Server
	t              *testing.T
	merchant       *servertest.Merchant
	id             id.ID
	bearer         string
	alone, oneBulk string // cards
	task           store.Task
}

const messagesOfAnIssuer = 1 + 1 + 3 + 60

func newIssuer(t *testing.T, s *servertest.Server, m *servertest.Merchant) *issuer {
	t.Helper()
	i := &issuer{s: s, t: t, merchant: m}
	added := user(t, s, m.ID)
	i.bearer = "Bearer " + mint(t, s, added, m.ID)
	var err error
	i.id, err = id.Parse(added)
	must(t, err)
	i.alone = i.post("", `{"initialValue":5,"merchantId":"`+m.ID+`","customerEmail":"ada@example.com"}`).ID
	i.oneBulk = i.bulk(1).Cards[0].ID
	i.bulk(3)
	task, err := uuid.Parse(i.bulk(60).TaskID)
	must(t, err)
	program, err := id.Parse(m.ProgramID)
	must(t, err)
	i.write(func(tx *store.Tx) error { return tx.IssueTask(t.Context(), program, task, func(int) {}) })
	i.task.ProgramID, i.task.ID = program, task
	return i
}

func (i *issuer) bulk(n int) issued {
	i.t.Helper()
	recipients := strings.Repeat(`{"customerEmail":"grace@example.com"},`, n)
	return i.post("/bulk", fmt.Sprintf(`{"initialValue":5,"recipients":[%s]}`, strings.TrimSuffix(recipients, ",")))
}

func (i *issuer) post(path, body string) (made issued) {
	i.t.Helper()
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {i.bearer}}
	answer := i.merchant.Do(http.MethodPost, i.merchant.Cards()+path, header, []byte(body))
	if err := json.Unmarshal(answer.Body, &made); err != nil || answer.Status >= 300 {
		i.t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	return made
}

func (i *issuer) write(do func(*store.Tx) error) {
	i.t.Helper()
	err := store.Do(i.t.Context(), i.s.Store, do)
	must(i.t, err)
}

func (i *issuer) drop(f store.MessageFilter) (dropped []store.DroppedMessage) {
	i.t.Helper()
	i.write(func(tx *store.Tx) (err error) {
		dropped, err = tx.DropMessages(i.t.Context(), f)
		return err
	})
	return dropped
}

func withoutJobs(t *testing.T, change ...func(*server.Options)) *servertest.Server {
	t.Helper()
	s := servertest.New(t, change...)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, s.Jobs.Stop(ctx))
	return s
}

// TestAUsersMessagesAreDroppedHoweverTheCardWasIssued, and so are the receipts of the cards. Other
// users' messages and receipts stay.
func TestAUsersMessagesAreDroppedHoweverTheCardWasIssued(t *testing.T) {
	t.Parallel()
	for what, kinds := range map[string][]string{"messages": store.MessageKinds, "receipts": store.Receipts} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dropOfIssuers(t, what, kinds)
		})
	}
}

// dropOfIssuers drops messages or receipts of the given kinds. Each card has one of each kind.
func dropOfIssuers(t *testing.T, what string, kinds []string) {
	t.Helper()
	s := withoutJobs(t)
	m := s.Merchant()
	out, colleague, stranger := newIssuer(t, s, m), newIssuer(t, s, m), newIssuer(t, s, s.Merchant())
	_, err := s.Store.Pool().Exec(t.Context(), `insert into receipts (program_id, card_id, kind, occasion, channel, address, amount, balance, next_attempt_at, give_up_at, created_at)
		select program_id, id, 'redeemed', '1', 'email', customer_email, -1, 4, now(), now(), now() from gift_cards`)
	must(t, err)
	drop := func(f store.MessageFilter) int {
		f.Kinds = kinds
		return len(out.drop(f))
	}
	if n := drop(store.MessageFilter{User: out.id, OlderThan: time.Hour}); n != 0 {
		t.Errorf("%d %s of cards of the last hour were dropped as older", n, what)
	}
	if n := drop(store.MessageFilter{User: out.id, Merchant: stranger.merchantID()}); n != 0 {
		t.Errorf("%d %s of another merchant were dropped", n, what)
	}
	if n := drop(store.MessageFilter{User: out.id}); n != messagesOfAnIssuer {
		t.Errorf("%d %s were dropped, want %d", n, what, messagesOfAnIssuer)
	}
	for name, c := range map[string]struct {
		filter store.MessageFilter
		want   int
	}{
		"a colleague's single card":       {store.MessageFilter{Cards: []id.ID{colleague.card(colleague.alone)}}, 1},
		"a colleague's bulk of one":       {store.MessageFilter{Cards: []id.ID{colleague.card(colleague.oneBulk)}}, 1},
		"a colleague's task":              {store.MessageFilter{Task: colleague.task.ID}, 60},
		"what another merchant has":       {store.MessageFilter{Merchant: stranger.merchantID()}, messagesOfAnIssuer},
		"a card that is dropped already":  {store.MessageFilter{Cards: []id.ID{out.card(out.alone)}}, 0},
		"a task of which all are dropped": {store.MessageFilter{Task: out.task.ID}, 0},
	} {
		if n := drop(c.filter); n != c.want {
			t.Errorf("%s: %d %s were dropped, want %d", name, n, what, c.want)
		}
	}
	if n := drop(store.MessageFilter{Merchant: out.merchantID()}); n != 3 {
		t.Errorf("%d %s of the merchant were left, want the 3 of the colleague's bulk", n, what)
	}
}

func (i *issuer) merchantID() id.ID { return i.card(i.merchant.ID) }

func (i *issuer) card(text string) id.ID {
	i.t.Helper()
	parsed, err := id.Parse(text)
	must(i.t, err)
	return parsed
}

// TestAMessageThatIsDroppedWhileItIsSentIsReportedAndNotSentAgain, whatever the mail server
// answers.
func TestAMessageThatIsDroppedWhileItIsSentIsReportedAndNotSentAgain(t *testing.T) {
	t.Parallel()
	for name, record := range map[string]func(context.Context, *store.Tx, *store.Due) error{
		"taken":    func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.RecordSent(ctx, due) },
		"released": func(ctx context.Context, tx *store.Tx, due *store.Due) error { return tx.ReleaseMessage(ctx, due) },
		"unconfirmed": func(ctx context.Context, tx *store.Tx, due *store.Due) error {
			return tx.RecordDeferred(ctx, due, "", true)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := withoutJobs(t)
			i := newIssuer(t, s, s.Merchant())
			lane := store.Lane{Channel: store.ChannelEmail}
			var due *store.Due
			claim := func() {
				i.write(func(tx *store.Tx) (err error) {
					due, err = tx.ClaimMessage(t.Context(), lane, id.ID{})
					return err
				})
			}
			claim()
			claimed := due
			var told []id.ID
			for _, m := range i.drop(store.MessageFilter{User: i.id}) {
				if m.BeingSent {
					told = append(told, m.CardID)
				}
			}
			if len(told) != 1 || told[0] != claimed.CardID {
				t.Errorf("told of %v, want %s", told, claimed.CardID)
			}
			i.write(func(tx *store.Tx) error { return record(t.Context(), tx, claimed) })
			s.Clock.Move(time.Hour)
			if claim(); due != nil {
				t.Errorf("%s is sent again", due.CardID)
			}
		})
	}
}
