package storetest

import (
	"testing"

	"github.com/google/uuid"

	"giftcards/store"
	"giftcards/store/id"
)

// Program is a new program of a new merchant in the database at url, whose owner makes
// both: a role that serves may not.
func Program(t testing.TB, url string) store.Program {
	t.Helper()
	owner, err := store.Open(t.Context(), url, store.Options{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	program, err := store.Write(t.Context(), owner, func(tx *store.Tx) (store.Program, error) {
		merchant, err := tx.AddMerchant(t.Context(), "Merchant")
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant.ID, "Program")
	})
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// Access is that of a new issuer of the program's merchant.
func Access(t testing.TB, s *store.Store, program id.ID) store.Access {
	t.Helper()
	var merchant id.ID
	if err := s.Pool().QueryRow(t.Context(), "select merchant_id from programs where id = $1", program).Scan(&merchant); err != nil {
		t.Fatal(err)
	}
	user, err := store.Write(t.Context(), s, func(tx *store.Tx) (store.User, error) {
		return tx.AddUser(t.Context(), store.User{
			MerchantID: merchant, Email: uuid.NewString() + "@example.com", PasswordHash: "no password", Role: store.RoleIssuer,
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	access, err := s.FindAccess(t.Context(), user.ID, uuid.NewString(), program)
	if err != nil {
		t.Fatal(err)
	}
	return access
}
