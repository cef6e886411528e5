package servertest

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/argon2id"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/storetest"
)

// Merchant is a merchant with a program and a logged-in user.
type Merchant struct {
	ID, ProgramID   string
	Email, Password string
	Token           string
	Client          *api.ClientWithResponses // sends Token
	server          *Server
}

// passwordHash is made once, with cheap parameters, because hashing is slow on purpose and
// tests log in often. A hash carries its parameters.
var passwordHash = sync.OnceValues(func() (string, error) {
	return argon2id.CreateHash(demoPassword, &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32})
})

const demoPassword = "a password of a test"

// Merchant makes one more merchant.
func (s *Server) Merchant() *Merchant {
	s.t.Helper()
	hash, err := passwordHash()
	must(s.t, err)
	m := &Merchant{Password: demoPassword, server: s}
	// The role of a server may not add merchants.
	program := storetest.AsOwner(s.t, s.Store, func(tx *store.Tx) (store.Program, error) {
		merchant, err := tx.AddMerchant(s.t.Context(), "Test merchant")
		if err != nil {
			return store.Program{}, err
		}
		// No two users may have the same address, because a user logs in by the address alone.
		m.Email = "user-" + merchant.ID.String() + "@example.com"
		if _, err := tx.AddUser(s.t.Context(), store.User{MerchantID: merchant.ID, Email: m.Email, PasswordHash: hash, Role: store.RoleIssuer}); err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(s.t.Context(), merchant.ID, "Test program")
	})
	m.ID, m.ProgramID = program.MerchantID.String(), program.ID.String()
	m.Token = s.Login(m.Email, m.Password)
	m.Client = s.Client(m.Token)
	return m
}

// Login returns a token from POST /v2/token.
func (s *Server) Login(email, secret string) string {
	s.t.Helper()
	answer, err := s.Client("").CreateTokenWithFormdataBodyWithResponse(s.t.Context(), api.TokenForm{Username: email, Password: secret})
	must(s.t, err)
	if answer.JSON200 == nil || answer.JSON200.AccessToken == nil {
		s.t.Fatalf("login: %d %s", answer.StatusCode(), answer.Body)
	}
	return *answer.JSON200.AccessToken
}

// Client is the generated client, sending a token unless it is empty.
func (s *Server) Client(token string) *api.ClientWithResponses {
	s.t.Helper()
	client, err := api.NewClientWithResponses(s.URL, api.WithHTTPClient(s.HTTP()), api.WithRequestEditorFn(
		func(_ context.Context, r *http.Request) error {
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			return nil
		}))
	must(s.t, err)
	return client
}

// HTTP returns a client that compares every answer with the complete document.
func (s *Server) HTTP() *http.Client {
	return &http.Client{Transport: judge{s.t}, Timeout: 30 * time.Second}
}

// Answer is the answer to a request that was sent as it is.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Statements is the number of statements that the request sent to the database.
	Statements int64
}

// Do sends a request as it is, with the merchant's token, and returns the answer.
func (m *Merchant) Do(method, path string, header http.Header, body []byte) Answer {
	m.server.t.Helper()
	r, err := http.NewRequestWithContext(m.server.t.Context(), method, m.server.URL+path, bytes.NewReader(body))
	must(m.server.t, err)
	maps.Copy(r.Header, header)
	if r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+m.Token)
	}
	return m.server.Send(r)
}

// Send sends a request and reads all of the answer.
func (s *Server) Send(r *http.Request) Answer {
	s.t.Helper()
	response, err := s.HTTP().Do(r)
	must(s.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(s.t, err)
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body, Statements: s.counter.of(response)}
}

// Cards is the path of the merchant's program's cards.
func (m *Merchant) Cards() string { return "/v2/giftcards/programs/" + m.ProgramID + "/cards" }
