package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest/check"
)

// space is the first payload (a number without its check digit) of NarrowNumbers.
const space = 999_999_999_999_000

func TestTakenNumbersAreDrawnAnew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	store.NarrowNumbers(f.Store, space, 80)
	seen := map[int64]bool{}
	for range 3 {
		for _, card := range write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
			return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 8))
		}) {
			if seen[card.CardNumber] {
				t.Errorf("number %d was given twice", card.CardNumber)
			}
			seen[card.CardNumber] = true
		}
	}
	if len(seen) != 24 {
		t.Errorf("%d cards", len(seen))
	}
}

func TestNoFreeNumbersIsAnErrorAndIssuesNothing(t *testing.T) {
	t.Parallel()
	f := setup(t)
	store.NarrowNumbers(f.Store, space, 3)
	_, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 4))
	})
	if err == nil || !strings.Contains(err.Error(), "no free card numbers") {
		t.Errorf("issuing 4 cards with 3 numbers: %v", err)
	}
	if n := f.count(t, "gift_cards"); n != 0 {
		t.Errorf("%d cards are left", n)
	}
}

func TestATaskDrawsTakenNumbersAnew(t *testing.T) {
	t.Parallel()
	f := setup(t)
	store.NarrowNumbers(f.Store, space, 900)
	write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) { // one number is taken
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 1))
	})
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), 8, nil)
	})
	commit(t, f.Store, func(tx *store.Tx) error {
		return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
	})
	if n := f.count(t, "gift_cards"); n != 9 {
		t.Errorf("%d cards, want 9", n)
	}
}

func TestATaskIssuesOnceHoweverOftenItRuns(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), 70, nil)
	})
	done := make(chan error)
	for range 4 {
		go func() {
			err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
				return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
			})
			done <- err
		}()
	}
	for range 4 {
		must(t, <-done)
	}
	if n := f.count(t, "gift_cards"); n != 70 {
		t.Errorf("%d cards, want 70", n)
	}
}

func TestAFailedTaskHasNoCardsNorRecipientsAndStaysFailed(t *testing.T) {
	t.Parallel()
	f := setup(t)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, f.terms(t), 2, make([]store.Recipient, 2))
	})
	for _, do := range []func(*store.Tx) error{
		func(tx *store.Tx) error {
			_, err := tx.FailTask(t.Context(), task.ProgramID, task.ID, "No.")
			return err
		},
		func(tx *store.Tx) error { return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {}) },
		func(tx *store.Tx) error {
			_, err := tx.FailTask(t.Context(), task.ProgramID, task.ID, "Another reason.")
			return err
		},
	} {
		commit(t, f.Store, do)
	}
	failed, err := f.FindTask(t.Context(), f.access, task.ID)
	if err != nil {
		t.Fatal(err)
	}
	if failed.Status != store.TaskFailed || *failed.Error != "No." || f.count(t, "gift_cards") != 0 {
		t.Errorf("task %+v with %d cards", failed, f.count(t, "gift_cards"))
	}
	if n := f.count(t, "task_recipients"); n != 0 {
		t.Error("the recipients of a failed task are kept")
	}
}

func TestCardsOfABatchComeInOrderAndTheirCodesOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cards := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 30))
	})
	var ids []id.ID
	batch := store.CardRange{ProgramID: f.program, First: cards[10].ID, Count: 20}
	for page, err := range f.Pages(t.Context(), batch) {
		must(t, err)
		for _, card := range page {
			ids = append(ids, card.ID)
			if code, err := f.OpenCode(card.ID, card.SealedCode); err != nil || len(code) != 6 || strings.Trim(code, "0123456789") != "" {
				t.Errorf("code %q, %v", code, err)
			}
		}
	}
	want := make([]id.ID, 20)
	for i := range want {
		want[i] = cards[10+i].ID
	}
	if !slices.Equal(ids, want) {
		t.Errorf("cards %v, want %v", ids, want)
	}
}

func TestABatchThatMissesCardsIsAnError(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cards := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 3))
	})
	var failed error
	for _, err := range f.Pages(t.Context(), store.CardRange{ProgramID: f.program, First: cards[0].ID, Count: 4}) {
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		t.Error("a batch of 4 of which there are 3 was read")
	}
}

func TestReadingABatchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	f := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed error
	for _, err := range f.Pages(ctx, store.CardRange{ProgramID: f.program, First: id.New(time.Now()), Count: 4}) {
		failed = errors.Join(failed, err)
	}
	if !errors.Is(failed, context.Canceled) {
		t.Errorf("reading with an ended context: %v", failed)
	}
}

func TestASealedCodeBelongsToItsCard(t *testing.T) {
	t.Parallel()
	f := setup(t)
	cards := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 2))
	})
	if _, err := f.OpenCode(cards[0].ID, cards[1].SealedCode); err == nil {
		t.Error("the code of one card opens as another's")
	}
}

func TestNumbersPassTheLuhnTestAndKeepThePrefix(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, card := range write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 50))
	}) {
		number := store.FormatNumber(card.CardNumber)
		if !check.Luhn(number) || number[0] != '9' || len(number) != 16 {
			t.Errorf("number %s", number)
		}
	}
}

func TestOpenRefusesAnUnfitPrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"x", "123456789", "-1", "1.5"} {
		if _, err := store.Open(t.Context(), "postgres://localhost/x", store.Options{CardPrefix: prefix}); err == nil {
			t.Errorf("prefix %q was taken", prefix)
		}
	}
}

// TestMessagesAreDueWhenAskedForOrAtOnce: a time in the past counts as now.
func TestMessagesAreDueWhenAskedForOrAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	email := "ada@example.com"
	future, past := f.Clock().Add(time.Hour), f.Clock().Add(-time.Hour)
	for _, deliverAt := range []*time.Time{nil, &past, &future} {
		terms := f.terms(t)
		terms.DeliverAt = deliverAt
		card := write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
			return tx.IssueCards(t.Context(), terms, []store.Recipient{{Email: &email}})
		})[0]
		want := card.CreatedAt
		if deliverAt == &future {
			want = future
		}
		var sendAt time.Time
		must(t, f.Pool().QueryRow(t.Context(), "select send_at from messages where card_id = $1", card.ID).Scan(&sendAt))
		if !sendAt.Equal(want) {
			t.Errorf("asked for %v, due %s, want %s", deliverAt, sendAt, want)
		}
	}
}

func TestWriteLeavesNothingBehindAfterAnErrorOrAPanic(t *testing.T) {
	t.Parallel()
	f := setup(t)
	issue := func(tx *store.Tx) error {
		_, err := tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, 1))
		return err
	}
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		must(t, issue(tx))
		return context.Canceled
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
			must(t, issue(tx))
			panic("in the middle")
		})
	}()
	if n := f.count(t, "gift_cards"); n != 0 {
		t.Errorf("%d cards are left", n)
	}
}
