package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// listed is a state in the answer to GET /sandbox/states.
type listed struct {
	State, Description string
	Params             []struct{ Name, Type, Default, Description string }
	Returns            []struct{ Name, Description string }
}

// example returns the state's name with values for its parameters.
func (l listed) example() string {
	return strings.NewReplacer("{amount}", "12.50", "{redeemed}", "2.50", "{count}", "4", "{days}", "9", "{until}", "2035-01-01T00:00:00Z").Replace(l.State)
}

func (b *box) states() []listed {
	b.t.Helper()
	return decoded[struct{ States []listed }](b.t, b.want(http.StatusOK, "GET", "/sandbox/states", "", "")).States
}

// made are the values of a state that was made, by their names.
type made map[string]any

func (m made) text(name string) string { return fmt.Sprint(m[name]) }

func (m made) cards() string { return "/v2/giftcards/programs/" + m.text("programId") + "/cards" }

func (m made) card() string { return m.cards() + "/" + m.text("cardId") }

func (m made) newCard() string {
	return fmt.Sprintf(`{"initialValue": "25.00", "merchantId": "%s"}`, m.text("merchantId"))
}

// state makes a state in a world, with parameters as a JSON object or "".
func (b *box) state(world, name, params string) made {
	b.t.Helper()
	if params == "" {
		params = "{}"
	}
	name, err := jsonText(name)
	must(b.t, err)
	return decoded[made](b.t, b.want(http.StatusOK, "POST", "/sandbox/states?world="+world, "", fmt.Sprintf(`{"state": %s, "params": %s, "action": "setup"}`, name, params)))
}

func jsonText(s string) (string, error) {
	encoded, err := json.Marshal(s)
	return string(encoded), err
}

// is sends a request of the state's token, and compares the status and some parts of the body.
func (b *box) is(m made, status int, method, path, body string, parts ...string) {
	b.t.Helper()
	got := b.send(method, path, m.text("token"), body)
	if got.status != status {
		b.t.Errorf("%s %s: %d %s, want %d", method, path, got.status, got.body, status)
	}
	for _, part := range parts {
		if !strings.Contains(string(got.body), part) {
			b.t.Errorf("%s %s: %s, want %s", method, path, got.body, part)
		}
	}
}

// checks has for each state a check that the state is as its name says.
var checks = map[string]func(b *box, m made){
	"a world": func(b *box, m made) { b.is(m, 200, "GET", "/v2/giftcards/programs/cards", "", "[]") },
	"an empty program": func(b *box, m made) {
		b.is(m, 200, "GET", "/v2/giftcards/programs/"+m.text("programId")+"/search", "", "[]")
	},
	"a program with {count} cards": func(b *box, m made) {
		b.is(m, 200, "GET", "/v2/giftcards/programs/"+m.text("programId")+"/reports/business", "", `"totalCards":4`)
	},
	"a program of another merchant": func(b *box, m made) {
		b.is(m, 403, "POST", m.cards(), m.newCard(), "Program belongs to another merchant")
	},
	"a card of another merchant": func(b *box, m made) {
		b.is(m, 403, "GET", m.card(), "", "Program belongs to another merchant")
	},
	"a pending card":               func(b *box, m made) { b.isCard(m, "pending", "0.00", "25.00") },
	"an active card":               func(b *box, m made) { b.isCard(m, "active", "25.00", "25.00") },
	"an active card with {amount}": func(b *box, m made) { b.isCard(m, "active", "12.50", "12.50") },
	"a depleted card":              func(b *box, m made) { b.isCard(m, "depleted", "0.00", "25.00") },
	"a suspended card": func(b *box, m made) {
		b.isCard(m, "suspended", "25.00", "25.00")
		b.is(m, 200, "GET", m.card(), "", `"suspendedUntil":null`)
	},
	"a suspended card until {until}": func(b *box, m made) {
		b.isCard(m, "suspended", "25.00", "25.00")
		b.is(m, 200, "GET", m.card(), "", `"suspendedUntil":"2035-01-01T00:00:00Z"`)
	},
	"a card whose suspension is over": func(b *box, m made) {
		b.isCard(m, "active", "25.00", "25.00")
		b.is(m, 200, "POST", m.card()+"/redeem", `{"amount": 1}`)
		b.is(m, 400, "POST", m.card()+"/resume", ``, "Gift card is not suspended")
	},
	"a voided card":                 func(b *box, m made) { b.isCard(m, "voided", "0.00", "25.00") },
	"an expired card":               func(b *box, m made) { b.isCard(m, "expired", "0.00", "25.00") },
	"an expired card with money":    func(b *box, m made) { b.isCard(m, "expired", "25.00", "25.00") },
	"an expired card with {amount}": func(b *box, m made) { b.isCard(m, "expired", "12.50", "12.50") },
	"a card that expires in {days} days": func(b *box, m made) {
		b.isCard(m, "active", "25.00", "25.00")
		b.is(m, 200, "GET", "/v2/giftcards/programs/"+m.text("programId")+"/reports/expiration-warnings", "", m.text("cardId"))
	},
	"a dormant card": func(b *box, m made) {
		b.isCard(m, "active", "25.00", "25.00")
		b.is(m, 200, "GET", "/v2/giftcards/programs/"+m.text("programId")+"/reports/escheatment?dormancy_days=999", "", m.text("cardId"))
	},
	"a card with a ledger of {count} entries": func(b *box, m made) {
		got := b.send("GET", m.card()+"?include_transactions=true", m.text("token"), "")
		if n := strings.Count(string(got.body), `"transactionType"`); n != 4 {
			b.t.Errorf("%d entries: %s", n, got.body)
		}
	},
	"a card to deliver later": func(b *box, m made) {
		b.isCard(m, "pending", "0.00", "25.00")
		b.is(m, 200, "GET", m.card(), "", `"deliverAt":"`+m.text("deliverAt")+`"`, `"customerEmail":"`+m.text("email")+`"`)
	},
	"two cards of one customer": func(b *box, m made) {
		b.is(m, 200, "POST", "/v2/giftcards/programs/"+m.text("programId")+"/consolidate",
			fmt.Sprintf(`{"cardNumbers": ["%s", "%s"], "merchantId": "%s"}`, m.text("cardNumber"), m.text("otherCardNumber"), m.text("merchantId")), `"totalConsolidatedAmount":"50.00"`)
	},
	"a redemption": func(b *box, m made) {
		b.is(m, 200, "POST", m.card()+"/transactions/"+m.text("transactionId")+"/refund", `{"amount": "10.00"}`, `"remainingBalance":"25.00"`)
	},
	"a redemption of {redeemed}": func(b *box, m made) {
		b.is(m, 200, "POST", m.card()+"/transactions/"+m.text("transactionId")+"/refund", `{"amount": "2.50"}`, `"remainingBalance":"25.00"`)
	},
	"a refunded redemption": func(b *box, m made) {
		b.is(m, 400, "POST", m.card()+"/transactions/"+m.text("transactionId")+"/refund", `{"amount": "10.00"}`, "This transaction has already been processed.")
	},
	"a locked security code": func(b *box, m made) {
		b.is(m, 429, "POST", "/v2/giftcards/customer/balance-check", fmt.Sprintf(`{"cardNumber": "%s", "securityCode": "%s"}`, m.text("cardNumber"), m.text("securityCode")))
	},
	"a request answered under an idempotency key": func(b *box, m made) {
		got := b.send("POST", m.cards(), m.text("token"), m.newCard(), "Idempotency-Key: "+m.text("idempotencyKey"))
		if got.status != 201 || got.header.Get("Idempotent-Replayed") != "true" || got.field(b.t, "id") != m["cardId"] {
			b.t.Errorf("%d %v %s, want the card %s again", got.status, got.header, got.body, m["cardId"])
		}
	},
	"an idempotency key used with another body": func(b *box, m made) {
		if got := b.send("POST", m.cards(), m.text("token"), m.newCard(), "Idempotency-Key: "+m.text("idempotencyKey")); got.status != 422 {
			b.t.Errorf("%d %s", got.status, got.body)
		}
	},
	"a completed task":            func(b *box, m made) { b.isTask(m, "completed", `"issuedCount":60`) },
	"a completed task of {count}": func(b *box, m made) { b.isTask(m, "completed", `"issuedCount":4`) },
	"a failed task":               func(b *box, m made) { b.isTask(m, "failed", `"failedCount":60`) },
	"a task in progress":          func(b *box, m made) { b.isTask(m, "processing") },
	"a user":                      func(b *box, m made) { b.isUser(m, 200, 200) },
	"a deactivated user":          func(b *box, m made) { b.isUser(m, 401, 401) },
	"an ended token":              func(b *box, m made) { b.is(m, 401, "GET", "/v2/token", "") },
	"an expired token":            func(b *box, m made) { b.is(m, 401, "GET", "/v2/token", "") },
	"an exhausted rate limit": func(b *box, m made) {
		b.isUser(m, 429, 200)
		b.is(m, 429, "POST", m.cards(), m.newCard(), "Too many requests")
	},
	"an exhausted daily limit": func(b *box, m made) {
		b.is(m, 403, "POST", m.cards(), m.newCard(), "Daily limit of the user reached: cards are limited to 1 a day, 0 left until midnight UTC")
	},
}

// isCard checks a card, its number and its security code.
func (b *box) isCard(m made, status, balance, initialValue string) {
	b.t.Helper()
	state, money := `"status":"`+status+`"`, `"balance":"`+balance+`"`
	b.is(m, 200, "GET", m.card(), "", state, money, `"initialValue":"`+initialValue+`"`, `"cardNumber":"`+m.text("cardNumber")+`"`)
	b.is(m, 200, "POST", "/v2/giftcards/customer/balance-check",
		fmt.Sprintf(`{"cardNumber": "%s", "securityCode": "%s"}`, m.text("cardNumber"), m.text("securityCode")), state, money)
	if m["status"] != status || m["balance"] != balance || m["initialValue"] != initialValue {
		b.t.Errorf("the values are %v", m)
	}
}

func (b *box) isTask(m made, status string, parts ...string) {
	b.t.Helper()
	b.is(m, 200, "GET", m.cards()+"/bulk/"+m.text("taskId"), "", append(parts, `"status":"`+status+`"`)...)
}

// isUser checks the answers to a user's token and to a login.
func (b *box) isUser(m made, token, login int) {
	b.t.Helper()
	b.is(m, token, "GET", "/v2/token", "")
	if got := b.login(m.text("email"), m.text("password")); got.status != login {
		b.t.Errorf("login: %d %s, want %d", got.status, got.body, login)
	}
}

func TestEveryStateIsWhatItsNameSays(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	states := b.states()
	if len(states) != len(checks) {
		t.Errorf("%d states, and checks of %d", len(states), len(checks))
	}
	for n, st := range states {
		t.Run(st.State, func(t *testing.T) {
			t.Parallel()
			check := checks[st.State]
			if check == nil {
				t.Fatal("nothing checks it")
			}
			in := &box{Server: b.Server, URL: b.URL, t: t}
			values := in.state(fmt.Sprintf("w%d", n), st.example(), "")
			var got, want []string
			for name := range values {
				got = append(got, name)
			}
			for _, value := range st.Returns {
				want = append(want, value.Name)
				if value.Description == "" {
					t.Errorf("nothing says what %s is", value.Name)
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) {
				t.Errorf("values %v, listed are %v", got, want)
			}
			check(in, values)
		})
	}
}

func TestParametersChangeAState(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.world(`{"name": "w", "programs": ["Books", "Christmas"]}`)
	m := b.state("w", "an active card", `{"program": "Christmas", "amount": 7.5, "email": "ada@example.com", "customerName": "Ada", "physical": true, "expiresAt": "2030-01-02T03:04:05Z", "phone": null}`)
	b.is(m, 200, "GET", m.card(), "", `"balance":"7.50"`, `"customerEmail":"ada@example.com"`, `"customerName":"Ada"`, `"isPhysical":true`, `"expiresAt":"2030-01-02T03:04:05Z"`)
	if other := b.state("w", "an active card", ""); other.text("programId") == m.text("programId") {
		t.Error("both cards are in the same program")
	}
	task := b.state("w", "a completed task", `{"count": "3"}`)
	b.isTask(task, "completed", `"issuedCount":3`)
	cashier := b.state("w", "a user", `{"role": "cashier"}`)
	b.is(cashier, 403, "POST", cashier.cards(), cashier.newCard())
	// Two requests are refused, and the third one is not.
	limited := b.state("w", "an exhausted rate limit", `{"requests": 2}`)
	for _, status := range []int{429, 429, 200} {
		b.is(limited, status, "GET", "/v2/token", "")
	}
}

func TestAnExhaustedLimitIsAnsweredAsByTheServer(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	got := b.want(429, "GET", "/v2/token", b.state("w", "an exhausted rate limit", "").text("token"), "")
	for _, header := range []string{"Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"} {
		if got.header.Get(header) == "" {
			t.Errorf("no header %s", header)
		}
	}
	if applied := got.header.Get("Preference-Applied"); applied != "" {
		t.Errorf("the client has preferred nothing, and Preference-Applied is %s", applied)
	}
}
