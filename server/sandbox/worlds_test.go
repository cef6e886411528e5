package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"giftcards/store"
	"giftcards/store/storetest"
)

// world is a world as a client reads it.
type world struct {
	Name       string
	MerchantID string
	ProgramID  string
	Programs   []struct{ ID, Name string }
	Users      []struct{ ID, Role, Email, Name, Token, Password string }
	Token      string
	Tokens     map[string]string
	Neighbour  struct{ MerchantID, ProgramID, Token string }
}

func (w world) cards() string { return "/v2/giftcards/programs/" + w.ProgramID + "/cards" }

func (w world) newCard() string {
	return fmt.Sprintf(`{"initialValue": "25.00", "merchantId": "%s"}`, w.MerchantID)
}

// world makes a world with the body of a request.
func (b *box) world(body string) world {
	b.t.Helper()
	return decoded[world](b.t, b.want(http.StatusCreated, "POST", "/sandbox/worlds", "", body))
}

// want sends a request and ends the test unless the answer has the status.
func (b *box) want(status int, method, path, token, body string, headers ...string) answer {
	b.t.Helper()
	got := b.send(method, path, token, body, headers...)
	if got.status != status {
		b.t.Fatalf("%s %s: %d %s, want %d", method, path, got.status, got.body, status)
	}
	return got
}

// login asks for a token with a password.
func (b *box) login(email, password string) answer {
	b.t.Helper()
	form := strings.NewReader(url.Values{"username": {email}, "password": {password}}.Encode())
	r, err := http.NewRequestWithContext(b.t.Context(), "POST", b.URL+"/v2/token", form)
	must(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(r)
}

func decoded[T any](t testing.TB, a answer) (body T) {
	t.Helper()
	if err := json.Unmarshal(a.body, &body); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	return body
}

func TestAWorldHasAMerchantAProgramAndAUserOfEachRole(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	made := b.want(http.StatusCreated, "POST", "/sandbox/worlds", "", "")
	w := decoded[world](t, made)
	if path := made.header.Get("Location"); path != "/sandbox/worlds/"+w.Name {
		t.Errorf("Location %s of world %s", path, w.Name)
	}
	for role, creates := range map[string]int{store.RoleIssuer: http.StatusCreated, store.RoleCashier: http.StatusForbidden, store.RoleReader: http.StatusForbidden} {
		b.want(http.StatusOK, "GET", "/v2/token", w.Tokens[role], "")
		b.want(creates, "POST", w.cards(), w.Tokens[role], w.newCard())
	}
	if w.Token != w.Tokens[store.RoleIssuer] {
		t.Error("token is not the issuer's")
	}
	// A later answer has other tokens of the same users.
	again := decoded[world](t, b.want(http.StatusOK, "GET", "/sandbox/worlds/"+w.Name, "", ""))
	if again.MerchantID != w.MerchantID || again.ProgramID != w.ProgramID || len(again.Users) != len(w.Users) || again.Token == w.Token {
		t.Errorf("first %+v, then %+v", w, again)
	}
	b.want(http.StatusCreated, "POST", w.cards(), again.Token, w.newCard())
	for _, user := range again.Users {
		if user.Password != "" {
			t.Errorf("the password of %s is told again", user.Role)
		}
	}
}

func TestAUserOfAWorldCanLogIn(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"users": [{}, {"role": "cashier", "email": "Till@Example.com", "password": "a long password", "name": "Till"}]}`)
	for _, user := range w.Users {
		if got := b.login(user.Email, user.Password); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", user.Role, got.status, got.body)
		}
	}
	if till := w.Users[1]; till.Email != "till@example.com" || till.Password != "a long password" || till.Name != "Till" || till.Role != store.RoleCashier {
		t.Errorf("asked for a till, got %+v", till)
	}
}

func TestTheRequestForAWorldChoosesItsNames(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"name": "Check-out.1", "merchant": "Bookshop", "programs": ["Books", "Christmas"]}`)
	if w.Name != "Check-out.1" || w.Programs[0].Name != "Books" || w.Programs[1].Name != "Christmas" || w.Programs[0].ID != w.ProgramID {
		t.Errorf("got %+v", w)
	}
	if again := decoded[world](t, b.want(http.StatusOK, "GET", "/sandbox/worlds/"+w.Name, "", "")); fmt.Sprint(again.Programs) != fmt.Sprint(w.Programs) {
		t.Errorf("programs %v, then %v", w.Programs, again.Programs)
	}
	if merchant := b.want(http.StatusCreated, "POST", w.cards(), w.Token, w.newCard()).field(t, "merchantName"); merchant != "Bookshop" {
		t.Errorf("merchant %s", merchant)
	}
	if list := b.want(http.StatusOK, "GET", "/sandbox/worlds", "", ""); !strings.Contains(string(list.body), `"name":"Check-out.1"`) {
		t.Errorf("the list of worlds is %s", list.body)
	}
}

func TestABadWorldIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.world(`{"name": "taken", "users": [{"email": "taken@example.com"}]}`)
	before := storetest.Count(t, b.Store, "merchants")
	name := "name must have 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit"
	for body, want := range map[string]struct {
		status int
		detail string
	}{
		`{"name": "taken"}`: {http.StatusConflict, "A world of this name exists"},
		`{"name": "a b"}`:   {http.StatusBadRequest, name},
		`{"name": ".."}`:    {http.StatusBadRequest, name},
		`{"name": "é"}`:     {http.StatusBadRequest, name},
		fmt.Sprintf(`{"name": "%s"}`, strings.Repeat("x", 101)):    {http.StatusBadRequest, name},
		fmt.Sprintf(`{"name": "%s"}`, strings.Repeat("x", 10_000)): {http.StatusBadRequest, name},
		fmt.Sprintf(`{"name": "%s"}`, strings.Repeat("x", 70_000)): {http.StatusRequestEntityTooLarge, "The body must have 65536 bytes at most"},
		`{"color": "x"}`:     {http.StatusBadRequest, `The body must not have the property "color"`},
		`{"programs": "x"}`:  {http.StatusBadRequest, "programs must not be a JSON string"},
		`{"programs": [""]}`: {http.StatusBadRequest, "A name must have 1 to 255 characters"},
		`{"programs": [` + strings.Repeat(`"x",`, 20) + `"x"]}`: {http.StatusBadRequest, "programs must have 20 names at most"},
		`{"users": [` + strings.Repeat(`{},`, 20) + `{}]}`:      {http.StatusBadRequest, "users must have 20 entries at most"},
		`{"users": [{"role": "boss"}]}`:                         {http.StatusBadRequest, `role must be issuer, cashier or reader, not "boss"`},
		`{"users": [{"email": "x"}]}`:                           {http.StatusBadRequest, `"x" is not an e-mail address: An email address must have an @-sign.`},
		`{"users": [{"email": "Taken@example.com"}]}`:           {http.StatusConflict, "A user with this e-mail address exists"},
		`{"users": [{"password": "short"}]}`:                    {http.StatusBadRequest, "password must have 12 to 1024 bytes"},
		`[]`:                                                    {http.StatusBadRequest, "The body must be a JSON object"},
		`{} {}`:                                                 {http.StatusBadRequest, "The body must be one JSON object"},
		`{`:                                                     {http.StatusBadRequest, "The body is not JSON: unexpected EOF"},
	} {
		if got := b.send("POST", "/sandbox/worlds", "", body); got.status != want.status || got.detail() != want.detail {
			t.Errorf("%.60s: %d %q, want %d %q", body, got.status, got.detail(), want.status, want.detail)
		}
	}
	if after := storetest.Count(t, b.Store, "merchants"); after != before {
		t.Errorf("%d merchants, %d before", after, before)
	}
	for _, method := range []string{"GET", "DELETE"} {
		if got := b.send(method, "/sandbox/worlds/nowhere", "", ""); got.status != http.StatusNotFound || got.detail() != "World not found" {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
}

func TestAWorldIsReplacedOnlyOnRequest(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	first := b.world(`{"name": "again"}`)
	b.want(http.StatusConflict, "POST", "/sandbox/worlds", "", `{"name": "again"}`)
	// A request that is refused does not delete the world.
	long := strings.Repeat("x", 256)
	b.want(http.StatusBadRequest, "POST", "/sandbox/worlds", "", `{"name": "again", "replace": true, "programs": ["`+long+`"]}`)
	b.want(http.StatusBadRequest, "POST", "/sandbox/worlds", "", `{"name": "again", "replace": true, "merchant": "`+long+`"}`)
	b.want(http.StatusOK, "GET", "/v2/token", first.Token, "")
	second := b.world(`{"name": "again", "replace": true}`)
	if second.ProgramID == first.ProgramID {
		t.Error("the program is still the same")
	}
	b.want(http.StatusUnauthorized, "GET", "/v2/token", first.Token, "")
	b.want(http.StatusOK, "GET", "/v2/token", second.Token, "")
}

func TestWorldsInParallelDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	// The other worlds try to reach this one.
	victim := b.world(`{"name": "victim"}`)
	card := b.want(http.StatusCreated, "POST", victim.cards(), victim.Token, victim.newCard()).field(t, "id")
	var all sync.WaitGroup
	names := make(chan string)
	for range 8 {
		all.Go(func() {
			for name := range names {
				b.liveAlone(name, victim, card)
			}
		})
	}
	for n := range 24 {
		names <- fmt.Sprintf("world-%d", n)
	}
	close(names)
	all.Wait()
	if list := b.send("GET", "/v2/giftcards/programs/cards", victim.Token, ""); strings.Count(string(list.body), `"cardNumber"`) != 1 {
		t.Errorf("the victim has %s", list.body)
	}
}

// liveAlone makes a world, uses the same key for the same card as all other worlds, and checks
// that it sees nothing of them.
func (b *box) liveAlone(name string, victim world, card string) {
	made := b.send("POST", "/sandbox/worlds", "", `{"name": "`+name+`"}`)
	if made.status != http.StatusCreated {
		b.t.Errorf("%s: %d %s", name, made.status, made.body)
		return
	}
	w := decoded[world](b.t, made)
	for range 2 {
		if got := b.send("POST", w.cards(), w.Token, w.newCard(), "Idempotency-Key: the same everywhere"); got.status != http.StatusCreated {
			b.t.Errorf("%s: create: %d %s", name, got.status, got.body)
		}
	}
	list := b.send("GET", "/v2/giftcards/programs/cards", w.Token, "")
	if count := strings.Count(string(list.body), `"cardNumber"`); list.status != http.StatusOK || count != 1 {
		b.t.Errorf("%s sees %d cards, want its own one: %d %s", name, count, list.status, list.body)
	}
	for path, want := range map[string]int{
		victim.cards() + "/" + card: http.StatusForbidden, w.cards() + "/" + card: http.StatusNotFound,
		"/v2/giftcards/programs/" + w.Neighbour.ProgramID + "/search": http.StatusForbidden,
	} {
		if got := b.send("GET", path, w.Token, ""); got.status != want {
			b.t.Errorf("%s: GET %s: %d %s, want %d", name, path, got.status, got.body, want)
		}
	}
}

func TestASandboxHasTenThousandWorldsAtMost(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"name": "first"}`)
	if _, err := b.Store.Pool().Exec(t.Context(), `insert into worlds (name, merchant_id, program_id, neighbour_id, created_at)
		select 'more-' || n, merchant_id, program_id, neighbour_id, created_at from worlds cross join generate_series(2, $1::int) n`, store.MaxWorlds); err != nil {
		t.Fatal(err)
	}
	got := b.want(http.StatusTooManyRequests, "POST", "/sandbox/worlds", "", `{"name": "last"}`)
	if want := "The sandbox has as many worlds as it may have: delete those that no test needs any more"; got.detail() != want {
		t.Errorf("%q, want %q", got.detail(), want)
	}
	b.want(http.StatusNoContent, "DELETE", "/sandbox/worlds/"+w.Name, "", "")
	b.world(`{"name": "last"}`)
}
