package storetest

import (
	"testing"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

// AsOwner runs do in a transaction of the owner of the tables, because the role of s may only
// serve, and not do what operators do.
func AsOwner[T any](t testing.TB, s *store.Store, do func(*store.Tx) (T, error)) T {
	t.Helper()
	done, err := store.Write(t.Context(), s, func(tx *store.Tx) (T, error) {
		// The test's servers log in as the owner, and take the lesser role then: see Serving.
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
