package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
)

// The words of a state that refuses an operation.
const (
	notActive    = "400 Gift card is not active"
	expired      = "400 Gift card has expired"
	voided       = "400 Gift card has been voided"
	activated    = "400 Gift card has already been activated"
	notSuspended = "400 Gift card is not suspended"
	notExpired   = "400 Gift card has not expired"
	noBalance    = "400 Gift card has no balance to refund"
	noSuchEntry  = "404 Transaction not found"
	stays        = "same" // 200, and the state stays
)

// stateRow is an operation, and its answer in each state in the order of ways: the state that
// the card is in after a 200, or status and words of the refusal.
type stateRow struct {
	operation string
	send      func(x shop, card cardInShop) servertest.Answer
	want      [11]string
	shows     func(state string) string // what a 200 must have, "" for nothing
}

// asks returns a request about a card, by its path and body.
func asks(path, body string) func(shop, cardInShop) servertest.Answer {
	return func(x shop, card cardInShop) servertest.Answer { return x.ask(card, path, "", body) }
}

func showsState(state string) string { return `"status":"` + state + `"` }

func showsIsActive(state string) string { return fmt.Sprintf(`"isActive":%t`, state == "active") }

var reads = [11]string{stays, stays, stays, stays, stays, stays, stays, stays, stays, stays, stays}

// onlyActive are the answers of an operation that only an active card allows.
func onlyActive(after string) [11]string {
	return [11]string{notActive, after, notActive, notActive, expired, expired, expired, voided, voided, notActive, notActive}
}

// stateTable is section 3 of the rules. The columns: pending, active, suspended, suspended
// before activation, expired, expired before activation, expired while suspended, voided,
// voided before its date, depleted, depleted before its date.
var stateTable = []stateRow{
	{"details", func(x shop, c cardInShop) servertest.Answer {
		return x.m.Do(http.MethodGet, x.m.Cards()+"/"+c.id, nil, nil)
	}, reads, showsState},
	{"list", func(x shop, c cardInShop) servertest.Answer {
		return x.m.Do(http.MethodGet, "/v2/giftcards/programs/cards?cardId="+c.id, nil, nil)
	}, reads, showsState},
	{"search", func(x shop, c cardInShop) servertest.Answer {
		return x.m.Do(http.MethodGet, "/v2/giftcards/programs/"+x.m.ProgramID+"/search?q="+c.number, nil, nil)
	}, reads, showsState},
	{"activate", asks("/activate", `{}`), [11]string{"active", activated, activated, notActive, expired, expired, expired, voided, voided, activated, activated}, showsState},
	{"redeem", asks("/redeem", `{"amount":1}`), onlyActive("active"), nil},
	{"redeem all", asks("/redeem", `{"amount":20}`), onlyActive("depleted"), nil},
	{"reload", asks("/reload", `{"amount":1}`), onlyActive("active"), showsState},
	{"reload-by-number", func(x shop, c cardInShop) servertest.Answer {
		return changeCard(x.m, "reload-by-number", "", fmt.Sprintf(`{"amount":1,"cardNumber":%q}`, c.number))
	}, onlyActive("active"), showsState},
	{"void", asks("/void", `{"reason":"a mistake"}`), [11]string{"voided", "voided", "voided", "voided", "voided", "voided", "voided", voided, voided, "voided", "voided"}, showsState},
	{"suspend", asks("/suspend", `{"reason":"again"}`), [11]string{"suspended", "suspended", "suspended", "suspended", expired, expired, expired, voided, voided, notActive, notActive}, showsState},
	{"resume", asks("/resume", ``), [11]string{notSuspended, notSuspended, "active", "pending", expired, expired, expired, voided, voided, notSuspended, notSuspended}, showsState},
	{"transfer from", transferFrom("1"), onlyActive("active"), nil},
	{"transfer all from", transferFrom("20"), onlyActive("depleted"), nil},
	{"transfer to", func(x shop, c cardInShop) servertest.Answer {
		source := x.active(long)
		return x.ask(source, "/transfer", "", fmt.Sprintf(`{"amount":1,"securityCode":%q,"destinationCardNumber":%q}`, x.code(source), c.number))
	}, onlyActive("active"), nil},
	{"transfer-ownership", asks("/transfer-ownership", `{"newOwnerName":"Bo","newOwnerEmail":"bo@example.com"}`), onlyActive("active"), showsState},
	{"resend-code", asks("/resend-code", `{}`), [11]string{"pending", "active", notActive, notActive, expired, expired, expired, voided, voided, notActive, notActive}, showsState},
	{"schedule", func(x shop, c cardInShop) servertest.Answer {
		return x.m.Do(http.MethodPatch, x.m.Cards()+"/"+c.id+"/schedule", jsonHeader, []byte(`{"deliverAt":null}`))
	}, [11]string{"pending", "active", notActive, notActive, expired, expired, expired, voided, voided, notActive, notActive}, showsState},
	{"process-expired extend", asks("/process-expired", `{"action":"extend","extensionDays":30}`), onlyExpired("active", "pending", "suspended"), nil},
	{"process-expired refund", asks("/process-expired", `{"action":"refund","refundReference":"r"}`), onlyExpired("voided", noBalance, "voided"), nil},
	{"process-expired void", asks("/process-expired", `{"action":"void"}`), onlyExpired("voided", "voided", "voided"), nil},
	{"refund", func(x shop, c cardInShop) servertest.Answer {
		return x.ask(c, "/transactions/"+c.redemption+"/refund", "", `{}`)
	},
		[11]string{noSuchEntry, "active", "suspended", noSuchEntry, "expired", noSuchEntry, "expired", voided, voided, "active", "expired"}, nil},
	{"consolidate", func(x shop, c cardInShop) servertest.Answer {
		body := fmt.Sprintf(`{"merchantId":%q,"cardNumbers":[%q,%q]}`, x.m.ID, c.number, x.active(long).number)
		return x.m.Do(http.MethodPost, "/v2/giftcards/programs/"+x.m.ProgramID+"/consolidate", jsonHeader, []byte(body))
	}, onlyActive("voided"), nil},
	{"balance-check", balanceCheck(func(x shop) string { return "/v2/giftcards/programs/" + x.m.ProgramID + "/balance-check" }), reads, showsIsActive},
	{"customer balance-check", balanceCheck(func(shop) string { return "/v2/giftcards/customer/balance-check" }), reads, showsIsActive},
}

// onlyExpired are the answers of an operation that only an expired card allows.
func onlyExpired(after, beforeActivation, whileSuspended string) [11]string {
	return [11]string{notExpired, notExpired, notExpired, notExpired, after, beforeActivation, whileSuspended, voided, voided, notExpired, notExpired}
}

func transferFrom(amount string) func(shop, cardInShop) servertest.Answer {
	return func(x shop, card cardInShop) servertest.Answer {
		return x.ask(card, "/transfer", "", fmt.Sprintf(`{"amount":%s,"securityCode":%q,"destinationCardNumber":%q}`, amount, x.code(card), x.active(long).number))
	}
}

func balanceCheck(path func(shop) string) func(shop, cardInShop) servertest.Answer {
	return func(x shop, card cardInShop) servertest.Answer {
		return x.m.Do(http.MethodPost, path(x), jsonHeader, fmt.Appendf(nil, `{"cardNumber":%q,"securityCode":%q}`, card.number, x.code(card)))
	}
}

// TestEveryOperationInEveryStateOfACard answers as the table of the rules says, and a refusal
// changes nothing.
func TestEveryOperationInEveryStateOfACard(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	cards := make([][]cardInShop, len(stateTable))
	for i := range stateTable {
		for _, way := range ways {
			cards[i] = append(cards[i], way.bring(x))
		}
	}
	x.passTime()
	for i, row := range stateTable {
		t.Run(row.operation, func(t *testing.T) {
			x := shop{t: t, s: x.s, m: x.m}
			for j, way := range ways {
				if state, _ := x.state(cards[i][j]); state != way.state {
					t.Fatalf("a card that should be %s is %s", way.name, state)
				}
				x.tryCell(row, way.name, row.want[j], cards[i][j])
			}
		})
	}
}

// tryCell sends the operation of a row for a card and judges the answer.
func (x shop) tryCell(row stateRow, way, want string, card cardInShop) {
	x.t.Helper()
	before, balance := x.state(card)
	answer := row.send(x, card)
	after, left := x.state(card)
	status, words, refused := strings.Cut(want, " ")
	switch {
	case refused:
		var body struct{ Detail string }
		if err := json.Unmarshal(answer.Body, &body); err != nil || fmt.Sprint(answer.Status) != status || body.Detail != words {
			x.t.Errorf("%s, %s: %d %s, want %s", row.operation, way, answer.Status, answer.Body, want)
		}
		if after != before || left != balance {
			x.t.Errorf("%s, %s: refused, but %s with %s became %s with %s", row.operation, way, before, balance, after, left)
		}
	default:
		if want == stays {
			want = before
		}
		if answer.Status != http.StatusOK || after != want {
			x.t.Errorf("%s, %s: %d %s, and the card is %s, want %s", row.operation, way, answer.Status, answer.Body, after, want)
		}
		if row.shows != nil && !strings.Contains(string(answer.Body), row.shows(want)) {
			x.t.Errorf("%s, %s: %s, want %s", row.operation, way, answer.Body, row.shows(want))
		}
	}
}

// TestEveryStateIsCountedInTheReports in the row of the table that is about them.
func TestEveryStateIsCountedInTheReports(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	for _, way := range ways {
		way.bring(x)
	}
	x.passTime()
	answer := x.m.Do(http.MethodGet, "/v2/giftcards/programs/"+x.m.ProgramID+"/reports/business", nil, nil)
	for _, count := range []string{`"totalCards":11`, `"pendingCards":1`, `"activeCards":1`, `"expiredCards":3`, `"voidedCards":2`, `"depletedCards":2`} {
		if !strings.Contains(string(answer.Body), count) {
			t.Errorf("%d %s, want %s", answer.Status, answer.Body, count)
		}
	}
}
