package store_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

// fixture is a store with one program.
type fixture struct {
	*store.Store
	program, merchant id.ID
	access            store.Access
	clock             *storetest.Clock
	keyFile           string
}

func (f fixture) terms(t *testing.T) store.Terms {
	t.Helper()
	value, err := money.Parse("12.345")
	must(t, err)
	return store.Terms{ProgramID: f.program, InitialValue: value}
}

func setup(t *testing.T, change ...func(*store.Options)) fixture {
	t.Helper()
	clock, keyFile := &storetest.Clock{}, filepath.Join(t.TempDir(), "keys.json")
	keys, err := keyring.Create(keyFile)
	must(t, err)
	options := store.Options{Keys: keys, Now: clock.Now, MaxConns: 4}
	for _, f := range change {
		f(&options)
	}
	s, err := store.Open(t.Context(), storetest.URL(t), options)
	must(t, err)
	t.Cleanup(s.Close)
	program := storetest.Program(t, s)
	return fixture{
		Store: s, program: program.ID, merchant: program.MerchantID, access: storetest.Access(t, s, program.ID),
		clock: clock, keyFile: keyFile,
	}
}

func write[T any](t *testing.T, s *store.Store, do func(*store.Tx) (T, error)) T {
	t.Helper()
	result, err := store.Write(t.Context(), s, do)
	must(t, err)
	return result
}

// created is the result of one of several concurrent creates.
type created struct {
	answer store.Answer
	err    error
}

// commit is write for a closure without a result.
func commit(t *testing.T, s *store.Store, do func(*store.Tx) error) {
	t.Helper()
	must(t, store.Do(t.Context(), s, do))
}

func (f fixture) exec(t *testing.T, sql string, arguments ...any) {
	t.Helper()
	_, err := f.Pool().Exec(t.Context(), sql, arguments...)
	must(t, err)
}

func (f fixture) count(t *testing.T, from string) int {
	t.Helper()
	return storetest.Count(t, f.Store, from)
}

func (f fixture) create(ctx context.Context, terms store.Terms, key *store.IdempotencyKey) created {
	email, request, theirs := "ada@example.com", "request of "+f.access.TokenID, "the caller's, of "+f.access.TokenID
	entry := store.AuditEntry{Operation: "createGiftCard", Client: "192.0.2.1", RequestID: &request, ClientRequestID: &theirs}
	answer, err := f.CreateCard(ctx, f.access, terms, store.Recipient{Email: &email}, key, entry, func(card *store.GiftCard) (store.Answer, error) {
		return store.Answer{Status: 201, Body: []byte(card.ID.String())}, nil
	})
	return created{answer, err}
}

func (f fixture) key(name, request string) *store.IdempotencyKey {
	return &store.IdempotencyKey{ProgramID: f.program, Operation: "createGiftCard", Key: name, RequestHash: [32]byte([]byte(fmt.Sprintf("%-32s", request)))}
}

// sharing is setup for a store in which creates that wait share transactions.
func sharing(t *testing.T) fixture {
	t.Helper()
	return setup(t, func(o *store.Options) { o.MaxConns, o.ShareTransactions = 6, true })
}

// blocked returns the process ids of the sessions that wait for a lock.
func (f fixture) blocked(t *testing.T) []int32 {
	t.Helper()
	rows, err := f.Pool().Query(t.Context(), `select pid from pg_stat_activity
		where datname = current_database() and wait_event_type = 'Lock'`)
	must(t, err)
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	must(t, err)
	return pids
}

// wantCardsAndKeys fails unless there are as many cards and idempotency keys as given. It shows that
// no key is stored without its effect.
func (f fixture) wantCardsAndKeys(t *testing.T, cards, keys int) {
	t.Helper()
	if n, made := f.count(t, "idempotency_keys"), f.count(t, "gift_cards"); n != keys || made != cards {
		t.Errorf("%d keys and %d cards, want %d and %d", n, made, keys, cards)
	}
}

func (f fixture) entries(t *testing.T, merchant, user id.ID, since time.Time, limit int) []store.AuditEntry {
	t.Helper()
	entries, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) ([]store.AuditEntry, error) {
		return tx.AuditEntries(t.Context(), merchant, user, since, limit)
	})
	must(t, err)
	return entries
}

// newCard issues a card of 25.00 and returns its id.
func (f fixture) newCard(t *testing.T) id.ID {
	t.Helper()
	terms := f.terms(t)
	terms.InitialValue = amount(t, "25")
	return write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), terms, make([]store.Recipient, 1))
	})[0].ID
}

func (f fixture) activated(t *testing.T) id.ID {
	t.Helper()
	card := f.newCard(t)
	_, err := f.change(t, card, func(_ *store.Tx, c *store.Card) error { return c.Activate(nil, nil) })
	must(t, err)
	return card
}

// change locks a card, lets do change it, and saves it. It returns the changed card. If do fails,
// change saves nothing and returns the error.
func (f fixture) change(t *testing.T, card id.ID, do func(*store.Tx, *store.Card) error) (store.Card, error) {
	t.Helper()
	return store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.Card, error) {
		locked, err := tx.LockCard(t.Context(), f.program, card)
		if err != nil {
			return store.Card{}, err
		}
		if err := do(tx, locked); err != nil {
			return store.Card{}, err
		}
		return *locked, tx.SaveCards(t.Context(), locked)
	})
}

// addressed issues a card whose mail is due at once, or at deliverAt.
func (f fixture) addressed(t *testing.T, deliverAt *time.Time) store.GiftCard {
	t.Helper()
	email, terms := "ada@example.com", f.terms(t)
	terms.DeliverAt = deliverAt
	return write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), terms, []store.Recipient{{Email: &email}})
	})[0]
}

// claim claims the mail that has been due longest. It returns nil if no mail is due.
func (f fixture) claim(t *testing.T) *store.Due {
	t.Helper()
	return write(t, f.Store, func(tx *store.Tx) (*store.Due, error) {
		return tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail}, id.ID{})
	})
}

// deferred claims the only mail, which must be due, and records that it was not sent.
func (f fixture) deferred(t *testing.T, unconfirmed bool) store.Message {
	t.Helper()
	due := f.claim(t)
	if due == nil {
		t.Fatal("the mail is not due")
	}
	commit(t, f.Store, func(tx *store.Tx) error { return tx.RecordDeferred(t.Context(), due, "not now", unconfirmed) })
	return f.message(t)
}

// message returns the only message.
func (f fixture) message(t *testing.T) store.Message {
	t.Helper()
	var all []store.Message
	for _, status := range store.MessageStates {
		all = append(all, write(t, f.Store, func(tx *store.Tx) ([]store.Message, error) { return tx.Messages(t.Context(), status, 2) })...)
	}
	if len(all) != 1 {
		t.Fatalf("%d messages", len(all))
	}
	return all[0]
}
