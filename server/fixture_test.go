package server_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

// trustHere makes the test's own address that of a trusted proxy, so that the test can name any
// address as the client's.
func trustHere(o *server.Options) {
	_, here, _ := net.ParseCIDR("127.0.0.0/8")
	o.TrustedProxies = []*net.IPNet{here}
}

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

func amount(t testing.TB, text string) money.Amount {
	t.Helper()
	a, err := money.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// user adds an issuer to a merchant and returns the user's id.
func user(t *testing.T, s *servertest.Server, merchant string) string {
	t.Helper()
	return userAs(t, s, merchant, store.RoleIssuer)
}

func userAs(t *testing.T, s *servertest.Server, merchant, role string) string {
	t.Helper()
	of, err := id.Parse(merchant)
	if err != nil {
		t.Fatal(err)
	}
	added := storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.User, error) {
		return tx.AddUser(t.Context(), store.User{MerchantID: of, Email: uuid.NewString() + "@example.com", PasswordHash: "no password", Role: role})
	})
	return added.ID.String()
}

// mint signs a token with the claims that a login would give it, except for changes.
func mint(t *testing.T, s *servertest.Server, user, merchant string, change ...func(*keyring.Claims)) string {
	t.Helper()
	c := keyring.Claims{Subject: user, ID: uuid.NewString(), Merchant: merchant, IssuedAt: s.Store.Clock(), ExpiresAt: s.Store.Clock().Add(time.Hour)}
	for _, f := range change {
		f(&c)
	}
	token, err := s.Keys.SignToken(c)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// change changes a user as an operator would.
func change(t *testing.T, s *servertest.Server, do func(*store.Tx) (store.User, error)) {
	t.Helper()
	storetest.AsOwner(t, s.Store, do)
}

// tokenWorks reports whether the server accepts a token.
func tokenWorks(t *testing.T, s *servertest.Server, token string) bool {
	t.Helper()
	answer, err := s.Client(token).GetTokenInfoWithResponse(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode() == http.StatusOK
}

func bulk(t *testing.T, m *servertest.Merchant, key *string, body api.BulkIssueGiftCardRequest) *api.BulkIssueGiftCardsResponse {
	t.Helper()
	answer, err := m.Client.BulkIssueGiftCardsWithResponse(t.Context(), m.ProgramID, &api.BulkIssueGiftCardsParams{IdempotencyKey: key}, body)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func pollToEnd(t *testing.T, m *servertest.Merchant, task string) *api.BulkIssuanceTaskStatus {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := m.Client.PollBulkIssuanceWithResponse(t.Context(), m.ProgramID, task)
		if err != nil || answer.JSON200 == nil {
			t.Fatalf("poll: %v %s", err, answer.Body)
		}
		if answer.JSON200.Status == "completed" || answer.JSON200.Status == "failed" {
			return answer.JSON200
		}
		if answer.HTTPResponse.Header.Get("Retry-After") == "" {
			t.Errorf("poll of an unfinished task without Retry-After")
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the task is still %s", answer.JSON200.Status)
		}
	}
}

type issued struct {
	ID, TaskID string
	Cards      []struct{ ID string }
}

func get(t *testing.T, s *servertest.Server, address string) servertest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(r)
}

// from sends a request as a proxy would for a client at an address.
func from(t *testing.T, s *servertest.Server, address, method, path, token, body string) servertest.Answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if address != "" {
		r.Header.Set("X-Forwarded-For", address)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return s.Send(r)
}

func loginFrom(t *testing.T, s *servertest.Server, address, user, password string) servertest.Answer {
	t.Helper()
	return from(t, s, address, http.MethodPost, "/v2/token", "", url.Values{"username": {user}, "password": {password}}.Encode())
}

// withKey returns the headers of a request with a JSON body, and with an idempotency key unless the
// key is empty.
func withKey(key string) http.Header {
	header := jsonHeader.Clone()
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return header
}

// decode returns the body of a 2xx.
func decode[T any](t *testing.T, answer servertest.Answer) (body T) {
	t.Helper()
	if answer.Status/100 != 2 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	must(t, json.Unmarshal(answer.Body, &body))
	return body
}

func mustJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	must(t, err)
	return string(text)
}

func wantDetail(t *testing.T, what string, answer servertest.Answer, status int, detail string) {
	t.Helper()
	var body struct{ Detail any }
	if err := json.Unmarshal(answer.Body, &body); err != nil || answer.Status != status || body.Detail != detail {
		t.Errorf("%s: %d %.200s, want %d %s", what, answer.Status, answer.Body, status, detail)
	}
}

func count(t *testing.T, s *servertest.Server, table string) int {
	t.Helper()
	return storetest.Count(t, s.Store, table)
}
