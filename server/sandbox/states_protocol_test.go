package sandbox_test

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func TestAStateThatCannotBeMadeIsRefusedInASentence(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.world(`{"name": "tills", "users": [{"role": "cashier"}]}`)
	for body, want := range map[string]struct {
		status int
		detail string
	}{
		`{"state": "an activ card"}`:                                       {404, `There is no state "an activ card". Did you mean "an active card"? GET /sandbox/states lists all of them`},
		`{"state": "snow in July"}`:                                        {404, `There is no state "snow in July". GET /sandbox/states lists all of them`},
		`{"state": "an active card with x"}`:                               {404, `There is no state "an active card with x". Did you mean "an active card"? GET /sandbox/states lists all of them`},
		`{"state": "a user", "action": "x"}`:                               {400, `action must be setup or teardown, not "x"`},
		`{"state": "a user", "params": {"amount": 1}}`:                     {400, `The state "a user" has no parameter "amount"; it has world, role`},
		`{"state": "a pending card", "params": {"amount": "x"}}`:           {400, "amount must be an amount such as 25.00"},
		`{"state": "a pending card", "params": {"amount": {}}}`:            {400, "amount must be an amount such as 25.00"},
		`{"state": "a pending card", "params": {"physical": 1}}`:           {400, "physical must be true or false"},
		`{"state": "a pending card", "params": {"expiresAt": "tomorrow"}}`: {400, "expiresAt must be a time with its zone such as 2028-02-29T23:59:59Z"},
		`{"state": "a completed task of 1001"}`:                            {400, "count must be a whole number from 1 to 1000"},
		`{"state": "a user", "params": {"role": "boss"}}`:                  {400, `role must be issuer, cashier or reader, not "boss"`},
		`{"state": "a user", "params": {"world": "a b"}}`:                  {400, "name must have 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit"},
		`{"state": "a pending card", "params": {"program": "x"}}`:          {404, `The world has no program "x"`},
		`{"state": "a pending card", "params": {"world": "tills"}}`:        {400, "The world must have an issuer, who makes its cards"},
		`{"state": 1}`: {400, "state must not be a JSON number"},
		`{"state"`:     {400, "The body is not JSON: unexpected EOF"},
	} {
		if got := b.send("POST", "/sandbox/states", "", body); got.status != want.status || got.detail() != want.detail {
			t.Errorf("%s: %d %q, want %d %q", body, got.status, got.detail(), want.status, want.detail)
		}
	}
	for path, want := range map[string]string{
		"POST /sandbox/states?state=a%20user": `There is no parameter "state"; there is only world`,
		"GET /sandbox/states?world=w":         `There is no parameter "world"; there is none`,
		"GET /sandbox/worlds?name=w":          `There is no parameter "name"; there is none`,
	} {
		method, path, _ := strings.Cut(path, " ")
		if got := b.send(method, path, "", ""); got.status != 400 || got.detail() != want {
			t.Errorf("%s: %d %q, want %q", path, got.status, got.detail(), want)
		}
	}
	const badName = "name must have 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit"
	if got := b.send("POST", "/sandbox/states?world=%12", "", `{"params": {"world": "w"}}`); got.status != 400 || got.detail() != badName {
		t.Errorf("a bad world in the query: %d %q", got.status, got.detail())
	}
	// A refusal of the server is passed on in its own words.
	got := b.send("POST", "/sandbox/states", "", `{"state": "an active card with 10000.01"}`)
	if got.status != 400 || !strings.HasPrefix(got.detail(), "The server refuses to make the state: 422 ") || !strings.Contains(got.detail(), "less_than_equal") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAStateIsMadeInTheWorldThatItsRequestNames(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for path, want := range map[string]string{
		"/sandbox/states?world=query": "query", "/sandbox/states": "Book-shop-2",
	} {
		got := decoded[made](t, b.want(200, "POST", path, "", `{"consumer": "Book shop / 2", "state": ""}`))
		if got["world"] != want {
			t.Errorf("%s: world %s, want %s", path, got["world"], want)
		}
	}
	for body, want := range map[string]string{`{"params": {"world": "params"}}`: "params", `{"consumer": "  "}`: "query", ``: "query"} {
		if got := decoded[made](t, b.want(200, "POST", "/sandbox/states?world=query", "", body)); got["world"] != want {
			t.Errorf("%s: world %s, want %s", body, got["world"], want)
		}
	}
	if got := decoded[made](t, b.want(200, "POST", "/sandbox/states", "", "")); got["world"] != "states" {
		t.Errorf("world %s", got["world"])
	}
	// Concurrent requests for the same new world get the same world.
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got := b.send("POST", "/sandbox/states?world=new", "", `{"state": "a pending card"}`); got.status != 200 {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
}

func TestTeardownEndsWhatWouldOutliveTheTest(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	limited, task := b.state("w", "an exhausted rate limit", ""), b.state("w", "a task in progress", "")
	elsewhere := b.state("elsewhere", "an exhausted rate limit", "")
	card := b.state("w", "an active card", "")
	for _, name := range []string{"an exhausted rate limit", "a task in progress", "an active card", ""} {
		got := b.want(200, "POST", "/sandbox/states?world=w", "", `{"state": "`+name+`", "action": "teardown"}`)
		if strings.TrimSpace(string(got.body)) != "{}" {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	b.is(limited, 200, "GET", "/v2/token", "")
	b.isTask(task, "failed")
	b.is(card, 200, "GET", card.card(), "")
	b.is(elsewhere, 429, "GET", "/v2/token", "")
	// In a world that does not exist there is nothing to end, and the world is not made.
	b.want(200, "POST", "/sandbox/states?world=nowhere", "", `{"state": "a task in progress", "action": "teardown"}`)
	b.want(404, "GET", "/sandbox/worlds/nowhere", "", "")
}

func TestAStateHasTheTimesOfItsName(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.state("w", "a card that expires in 9 days", "")
	expires, err := time.Parse(time.RFC3339, m.text("expiresAt"))
	must(t, err)
	if left := time.Until(expires); left < 8*24*time.Hour || left > 9*24*time.Hour {
		t.Errorf("it expires in %s", left)
	}
}
