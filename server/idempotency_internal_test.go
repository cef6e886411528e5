package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/store"
	"giftcards/store/id"
)

// TestTheIDsInThePathArePartOfTheRequestOfAKey: in every operation, a request with the same key and
// body for another card is another request.
func TestTheIDsInThePathArePartOfTheRequestOfAKey(t *testing.T) {
	t.Parallel()
	merchant, header := id.New(time.Now()), "k"
	program := store.Program{ID: id.New(time.Now()), MerchantID: merchant}
	hash := func(path ...string) [32]byte {
		c := echo.New().NewContext(httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil), nil)
		c.SetParamNames([]string{"programId", "cardId", "holdId"}[:len(path)]...)
		c.SetParamValues(path...)
		who := &principal{path: pathValues(c), access: store.Access{User: store.User{MerchantID: merchant}, Program: &program}}
		key, err := idempotencyKey(who, "redeemGiftCard", &header, func(e *json.Encoder) error { return e.Encode("5.00") })
		if err != nil {
			t.Fatal(err)
		}
		return key.RequestHash
	}
	p := program.ID.String()
	one, again := hash(p, "one"), hash(p, "one")
	if one != again {
		t.Error("the same path is another request")
	}
	for _, other := range [][]string{{p}, {p, "two"}, {p, "on", "e"}, {p, "one", ""}, {"one", p}} {
		if one == hash(other...) {
			t.Errorf("%q is the request of another path", other)
		}
	}
}
