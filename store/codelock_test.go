package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// judgements counts the wrong codes that instances have judged: it sees the statement with which
// an instance counts a wrong code in the database.
type judgements struct{ atomic.Int64 }

func (j *judgements) look(sql string) {
	if strings.Contains(sql, "insert into code_failures") {
		j.Add(1)
	}
}

func (j *judgements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	j.look(data.SQL)
	return ctx
}
func (*judgements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (*judgements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}
func (j *judgements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	j.look(data.SQL)
}
func (*judgements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

// guessed returns the stores of count instances, which share a database and keys.
func guessed(t *testing.T, count int, judged *judgements) []*store.Store {
	t.Helper()
	url, keyFile := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	all := make([]*store.Store, count)
	for i := range all {
		keys, err := keyring.OpenOrCreate(keyFile)
		must(t, err)
		all[i], err = store.Open(t.Context(), url, store.Options{Keys: keys, MaxConns: 4, ShareTransactions: true, Tracer: judged})
		must(t, err)
		t.Cleanup(all[i].Close)
	}
	return all
}

// TestNInstancesJudgeNPlusFourWrongCodesOfANumber when 1,000 callers guess at the same time, by
// transfers and by balance checks. A caller who hangs up gets no further guess.
func TestNInstancesJudgeNPlusFourWrongCodesOfANumber(t *testing.T) {
	t.Parallel()
	for _, count := range []int{1, 3} {
		t.Run(fmt.Sprint(count), func(t *testing.T) {
			t.Parallel()
			var judged judgements
			all := guessed(t, count, &judged)
			program := storetest.Program(t, all[0])
			access := storetest.Access(t, all[0], program.ID)
			value, err := money.Parse("25")
			must(t, err)
			card := write(t, all[0], func(tx *store.Tx) (store.GiftCard, error) {
				cards, err := tx.IssueCards(t.Context(), store.Terms{ProgramID: program.ID, InitialValue: value}, make([]store.Recipient, 1))
				return cards[0], err
			})
			var told, locked atomic.Int64
			var guesses sync.WaitGroup
			for i := range 1000 {
				guesses.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if i%5 == 0 {
						go cancel() // at any moment
					}
					err := guess(ctx, all[i%count], access, card, i%2 == 0)
					_, isLocked := errors.AsType[*store.NumberLockedError](err)
					switch {
					case isLocked:
						locked.Add(1)
					case errors.Is(err, store.ErrCardNotFound), errors.Is(err, store.ErrWrongCode):
						told.Add(1)
					case !errors.Is(err, context.Canceled):
						t.Errorf("%v", err)
					}
				})
			}
			guesses.Wait()
			if n := int(judged.Load()); n < 5 || n > count+4 {
				t.Errorf("%d instances judged %d wrong codes, want 5 to %d", count, n, count+4)
			}
			if told.Load() > int64(count+4) || locked.Load() == 0 {
				t.Errorf("%d callers were told that the code is wrong, %d that the number is locked", told.Load(), locked.Load())
			}
		})
	}
}

// guess gives a wrong code for a card, in a transfer or a balance check.
func guess(ctx context.Context, s *store.Store, access store.Access, card store.GiftCard, byTransfer bool) error {
	const never = "no code"
	if !byTransfer {
		_, err := s.CheckBalance(ctx, nil, store.FormatNumber(card.CardNumber), never)
		return err
	}
	_, err := s.Move(ctx, store.Movement{
		Access: access, ProgramID: card.ProgramID, Cards: []id.ID{card.ID}, Entry: store.AuditEntry{Operation: "test", Client: "test"},
		Code:  &store.GivenCode{CardNumber: card.CardNumber, Code: never},
		Apply: func([]*store.Card) (store.Answer, error) { return store.Answer{}, errors.New("a wrong code was taken") },
	})
	return err
}

// TestAWrongNumberIsRefusedAsBeforeAfterKeysAreRetired: a wrong number is judged with a
// substitute code, which must be sealed again with a key that still exists.
func TestAWrongNumberIsRefusedAsBeforeAfterKeysAreRetired(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "keys.json")
	keys, err := keyring.Create(keyFile)
	must(t, err)
	s, err := store.Open(t.Context(), storetest.URL(t), store.Options{Keys: keys, MaxConns: 2})
	must(t, err)
	t.Cleanup(s.Close)
	sealed, err := keys.Seal("123456", []byte("a card"))
	must(t, err)
	for i := range 2 {
		if _, err := s.CheckBalance(t.Context(), nil, fmt.Sprintf("9000 0000 0000 000%d", i), "123456"); !errors.Is(err, store.ErrCardNotFound) {
			t.Fatal(err)
		}
		must(t, keyring.Rotate(keyFile))
		newest, err := keyring.Open(keyFile)
		must(t, err)
		must(t, keyring.Retire(keyFile, []string{keyring.CodesKeyset}, newest.CodeKey()))
		// A link that does not verify makes the ring read the file.
		if _, err := keys.VerifyLink(strings.Repeat("A", 40)); err == nil {
			t.Fatal("a forged link was taken")
		}
		if _, err := keys.Unseal(sealed, []byte("a card")); err == nil {
			t.Fatal("the old key is still there")
		}
	}
}
