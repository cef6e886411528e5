package storetest

import (
	"testing"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

// AsOwner runs do in a transaction as the owner of the tables. Tests use it for operators'
// changes, which the role of a server may not make.
func AsOwner[T any](t testing.TB, s *store.Store, do func(*store.Tx) (T, error)) T {
	t.Helper()
	done, err := store.Write(t.Context(), s, func(tx *store.Tx) (T, error) {
		// A test's server logs in as the owner and then takes the serving role: see Serving.
		if _, err := tx.Unwrap().Exec(t.Context(), "set local role none"); err != nil {
			var none T
			return none, err
		}
		return do(tx)
	})
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// Program returns a new program of a new merchant.
func Program(t testing.TB, s *store.Store) store.Program {
	t.Helper()
	return AsOwner(t, s, func(tx *store.Tx) (store.Program, error) {
		merchant, err := tx.AddMerchant(t.Context(), "Merchant")
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant.ID, "Program")
	})
}

// Access returns the access of a new issuer of the program's merchant.
func Access(t testing.TB, s *store.Store, program id.ID) store.Access {
	t.Helper()
	var merchant id.ID
	if err := s.Pool().QueryRow(t.Context(), "select merchant_id from programs where id = $1", program).Scan(&merchant); err != nil {
		t.Fatal(err)
	}
	user := AsOwner(t, s, func(tx *store.Tx) (store.User, error) {
		return tx.AddUser(t.Context(), store.User{
			MerchantID: merchant, Email: uuid.NewString() + "@example.com", PasswordHash: "no password", Role: store.RoleIssuer,
		})
	})
	access, err := s.FindAccess(t.Context(), user.ID, uuid.NewString(), program)
	if err != nil {
		t.Fatal(err)
	}
	return access
}

// Count returns the number of rows that "select count(*) from" gives for from, which is a
// table with or without a condition.
func Count(t testing.TB, s *store.Store, from string) (n int) {
	t.Helper()
	if err := s.Pool().QueryRow(t.Context(), "select count(*) from "+from).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
