package store_test

import (
	"path/filepath"
	"testing"

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

func setup(t *testing.T) fixture {
	t.Helper()
	clock, keyFile := &storetest.Clock{}, filepath.Join(t.TempDir(), "keys.json")
	keys, err := keyring.Create(keyFile)
	must(t, err)
	s, err := store.Open(t.Context(), storetest.URL(t), store.Options{Keys: keys, Now: clock.Now, MaxConns: 4})
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

// count returns the number of cards.
func count(t *testing.T, s *store.Store) int {
	t.Helper()
	return storetest.Count(t, s, "gift_cards")
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
