package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/keyring"
)

// issue issues n cards of the fixture's program, and one card of another program. It returns the
// codes of all cards by the cards' ids.
func (f fixture) issue(t *testing.T, n int) map[string]string {
	t.Helper()
	commit(t, f.Store, func(tx *store.Tx) error {
		other, err := tx.AddProgram(t.Context(), f.merchant, "Other program")
		must(t, err)
		_, err = tx.IssueCards(t.Context(), f.terms(t), make([]store.Recipient, n))
		must(t, err)
		terms := f.terms(t)
		terms.ProgramID = other.ID
		_, err = tx.IssueCards(t.Context(), terms, make([]store.Recipient, 1))
		return err
	})
	return f.codes(t)
}

// codes opens the codes of all cards.
func (f fixture) codes(t *testing.T) map[string]string {
	t.Helper()
	rows, err := f.Pool().Query(t.Context(), "select id, sealed_code from gift_cards")
	must(t, err)
	defer rows.Close()
	codes := map[string]string{}
	for rows.Next() {
		var card store.GiftCard
		must(t, rows.Scan(&card.ID, &card.SealedCode))
		code, err := f.OpenCode(card.ID, card.SealedCode)
		must(t, err)
		codes[card.ID.String()] = code
	}
	return codes
}

func (f fixture) reseal(t *testing.T, batch int) store.ResealStep {
	t.Helper()
	return write(t, f.Store, func(tx *store.Tx) (store.ResealStep, error) { return tx.Reseal(t.Context(), batch) })
}

// resealAll reseals until there is nothing more to do for now.
func (f fixture) resealAll(t *testing.T, batch int) store.ResealStep {
	t.Helper()
	for {
		if step := f.reseal(t, batch); step != store.ResealMore {
			return step
		}
	}
}

func (f fixture) resealing(t *testing.T) store.Resealing {
	t.Helper()
	return *write(t, f.Store, func(tx *store.Tx) (*store.Resealing, error) { return tx.Resealing(t.Context()) })
}

// reopened returns another server with the fixture's database.
func (f fixture) reopened(t *testing.T, keyFile string) fixture {
	t.Helper()
	keys, err := keyring.Open(keyFile)
	must(t, err)
	f.Store, err = store.Open(t.Context(), f.Pool().Config().ConnString(), store.Options{Keys: keys, Now: f.clock.Now, MaxConns: 2})
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

// rotate rotates the keys, and returns a server that has the new keys.
func (f fixture) rotate(t *testing.T) fixture {
	t.Helper()
	must(t, keyring.Rotate(f.keyFile))
	return f.reopened(t, f.keyFile)
}

// TestAfterResealingTheOldKeysAreNotNeeded: no code has changed, and every code could be opened
// all the time.
func TestAfterResealingTheOldKeysAreNotNeeded(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.clock.Stop()
	must(t, f.CheckKeys(t.Context()))
	want := f.issue(t, 7)
	if step := f.reseal(t, 3); step != store.ResealLater {
		t.Errorf("step %d before anything was looked at", step)
	}
	f.clock.Move(time.Hour)
	f = f.rotate(t)
	for step := store.ResealMore; step == store.ResealMore; step = f.reseal(t, 3) {
		if got := f.codes(t); len(got) != len(want) {
			t.Fatalf("%d codes open, want %d", len(got), len(want))
		}
	}
	if state := f.resealing(t); state.Resealed != 8 || state.FinishedAt != nil {
		t.Errorf("after the first pass: %+v", state)
	}
	f.clock.Move(20*time.Minute - time.Microsecond)
	if step := f.resealAll(t, 3); step != store.ResealLater {
		t.Errorf("step %d while servers may still seal with the old key", step)
	}
	f.clock.Move(time.Microsecond)
	if step := f.resealAll(t, 3); step != store.ResealOver || f.resealing(t).Resealed != 8 {
		t.Errorf("step %d after the second pass, %d resealed", step, f.resealing(t).Resealed)
	}
	over := f.Clock()
	f.clock.Move(time.Hour)
	if step := f.reseal(t, 3); step != store.ResealOver || !f.resealing(t).FinishedAt.Equal(over) {
		t.Errorf("step %d after the end, which moved from %s to %s", step, over, f.resealing(t).FinishedAt)
	}
	must(t, keyring.Retire(f.keyFile, keyring.Keysets, f.CodeKey()))
	f = f.reopened(t, f.keyFile)
	must(t, f.CheckKeys(t.Context()))
	for id, code := range f.codes(t) {
		if want[id] != code {
			t.Errorf("card %s has another code than before", id)
		}
	}
	if keys, err := keyring.List(f.keyFile); err != nil || len(keys) != 3 {
		t.Errorf("keys %v, %v", keys, err)
	}
}

// TestResealingGoesOnWhereItWasKilled: the last batch of a killed server is rolled back, and the
// batches before it are not repeated.
func TestResealingGoesOnWhereItWasKilled(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 9)
	f = f.rotate(t)
	f.reseal(t, 4) // makes the row
	f.reseal(t, 4)
	err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
		_, err := tx.Reseal(t.Context(), 4)
		must(t, err)
		return os.ErrProcessDone // as if killed before the commit
	})
	if err == nil || f.resealing(t).Resealed != 4 {
		t.Errorf("after the kill %d are resealed, want 4", f.resealing(t).Resealed)
	}
	other := f.reopened(t, f.keyFile)
	other.resealAll(t, 4)
	if state := other.resealing(t); state.Resealed != 10 {
		t.Errorf("%d resealed, want each of 10 once", state.Resealed)
	}
}

// TestOneServerResealsAtATime: the other servers do not wait for it.
func TestOneServerResealsAtATime(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 40)
	f = f.rotate(t)
	f.reseal(t, 1)
	commit(t, f.Store, func(tx *store.Tx) error {
		_, err := tx.Reseal(t.Context(), 1)
		must(t, err)
		if step := f.reseal(t, 1); step != store.ResealLater {
			t.Errorf("a second server gets step %d", step)
		}
		return nil
	})
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for range 100 {
				f.reseal(t, 2)
			}
		})
	}
	both.Wait()
	f.resealAll(t, 2)
	if state := f.resealing(t); state.Resealed != 41 {
		t.Errorf("%d resealed, want each of 41 once", state.Resealed)
	}
}

// TestACardThatAppearsBehindTheWalkIsFound: a transaction seals a code with the old key, and
// commits after the first pass has gone past the card.
func TestACardThatAppearsBehindTheWalkIsFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 3)
	var sealed, id []byte
	must(t, f.Pool().QueryRow(t.Context(), "select id, sealed_code from gift_cards order by program_id, id limit 1").Scan(&id, &sealed))
	f = f.rotate(t)
	f.resealAll(t, 10)
	f.resealAll(t, 10)
	f.exec(t, "update gift_cards set sealed_code = $1 where id = $2", sealed, id)
	f.clock.Move(21 * time.Minute)
	if step := f.resealAll(t, 10); step != store.ResealOver {
		t.Errorf("step %d", step)
	}
	if left := f.count(t, "gift_cards a, gift_cards b where substring(a.sealed_code for 5) <> substring(b.sealed_code for 5)"); left != 0 {
		t.Error("a code is still sealed with the old key")
	}
}

// TestAServerWithAnOlderKeyFileDoesNotTurnTheWalkBack.
func TestAServerWithAnOlderKeyFileDoesNotTurnTheWalkBack(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 3)
	text, err := os.ReadFile(f.keyFile)
	must(t, err)
	copied := filepath.Join(t.TempDir(), "keys.json")
	must(t, os.WriteFile(copied, text, 0o600))
	stale := f.reopened(t, copied)
	f = f.rotate(t)
	f.resealAll(t, 10)
	f.resealAll(t, 10)
	before := f.resealing(t)
	if step := stale.reseal(t, 10); step != store.ResealLater || f.resealing(t) != before {
		t.Errorf("step %d, and %+v was %+v", step, f.resealing(t), before)
	}
	must(t, keyring.Rotate(f.keyFile)) // after a second rotation, the walk begins again
	f = f.reopened(t, f.keyFile)
	f.resealAll(t, 10)
	if after := f.resealing(t); after.KeyID == before.KeyID || after.Resealed != 4 {
		t.Errorf("after a second rotation: %+v", after)
	}
}

// TestACodeThatNoKeyOpensStopsTheWalk, because old keys must not be removed while a code may
// need them.
func TestACodeThatNoKeyOpensStopsTheWalk(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.issue(t, 3)
	f.exec(t, "update gift_cards set sealed_code = $1 where program_id = $2", bytes.Repeat([]byte{1}, 40), f.program[:])
	f = f.rotate(t)
	f.reseal(t, 10)
	_, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.ResealStep, error) { return tx.Reseal(t.Context(), 10) })
	if err == nil || !strings.Contains(err.Error(), "card ") || f.resealing(t).FinishedAt != nil {
		t.Errorf("%v", err)
	}
}
