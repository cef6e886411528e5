package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

// TestARetryAfterAnErasureIssuesNothingAndTellsNothing: it gets the first answer, without the
// person. The same key with another recipient is still refused. The second address begins with a
// letter that is not ASCII.
func TestARetryAfterAnErasureIssuesNothingAndTellsNothing(t *testing.T) {
	t.Parallel()
	for address, named := range map[string]string{"Ada@example.com": "ada@example.com", "Édith@example.com": "Édith@example.com"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			eraseAndRetry(t, address, named)
		})
	}
}

// eraseAndRetry issues a card to an address, erases the person with the address named, and sends the
// request again.
func eraseAndRetry(t *testing.T, address, named string) {
	t.Helper()
	s := servertest.New(t)
	m := s.Merchant()
	create := func(email string) servertest.Answer {
		return m.Do(http.MethodPost, m.Cards(), withKey("k"), fmt.Appendf(nil,
			`{"initialValue":25,"merchantId":%q,"customerEmail":%q,"customerName":"Ada Nocturne","senderName":"Uncle Nocturne","customMessage":"Dear Nocturne"}`, m.ID, email))
	}
	first := create(address)
	if first.Status != http.StatusCreated || !strings.Contains(string(first.Body), "Nocturne") {
		t.Fatalf("%d %s", first.Status, first.Body)
	}
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.Erased, error) {
		return tx.ErasePerson(t.Context(), store.Person{Channel: store.ChannelEmail, Address: named})
	})
	again := create(address)
	body := string(again.Body)
	if again.Status != http.StatusCreated || again.Header.Get("Idempotent-Replayed") != "true" || strings.Contains(body, "Nocturne") || strings.Contains(body, address) ||
		!strings.Contains(body, `"customerEmail":null`) {
		t.Errorf("%d %v %s", again.Status, again.Header, body)
	}
	want := string(first.Body)
	for _, erased := range []string{`"` + address + `"`, `"Ada Nocturne"`, `"Uncle Nocturne"`, `"Dear Nocturne"`} {
		want = strings.Replace(want, erased, "null", 1)
	}
	if body != want {
		t.Errorf("got %s, want %s", body, want)
	}
	if other := create("bo@example.com"); other.Status != http.StatusUnprocessableEntity {
		t.Errorf("another request under the key: %d %s", other.Status, other.Body)
	}
	if n := count(t, s, "gift_cards"); n != 1 {
		t.Errorf("%d cards, want 1", n)
	}
}
