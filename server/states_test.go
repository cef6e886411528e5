package server_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/server/servertest"
)

// ways are the states of a card, and the ways in which the API brings a card there. Cards with the
// short lifetime have expired when the test begins.
var ways = []struct {
	name, state string
	bring       func(x shop) giftCard
}{
	{"pending", "pending", func(x shop) giftCard { return x.lasting(long) }},
	{"active", "active", func(x shop) giftCard { return x.active(long) }},
	{"active after a suspension", "active", func(x shop) giftCard { return x.suspendedBefore(x.active(long)) }},
	{"suspended", "suspended", func(x shop) giftCard { return x.suspended(x.active(long)) }},
	{"suspended before activation", "suspended", func(x shop) giftCard { return x.suspended(x.lasting(long)) }},
	{"expired", "expired", func(x shop) giftCard { return x.active(short) }},
	{"expired before activation", "expired", func(x shop) giftCard { return x.lasting(short) }},
	{"expired while suspended", "expired", func(x shop) giftCard { return x.suspended(x.active(short)) }},
	{"voided", "voided", func(x shop) giftCard { return x.voided(x.active(long)) }},
	{"voided before its date", "voided", func(x shop) giftCard { return x.voided(x.active(short)) }},
	{"depleted", "depleted", func(x shop) giftCard { return x.depleted(x.active(long)) }},
	{"depleted before its date", "depleted", func(x shop) giftCard { return x.depleted(x.active(short)) }},
}

func (x shop) suspended(card giftCard) giftCard {
	x.done(card, "/suspend", `{"reason":"stolen"}`)
	return card
}

// suspendedBefore suspends a card until its suspension is over.
func (x shop) suspendedBefore(card giftCard) giftCard {
	x.done(card, "/suspend", fmt.Sprintf(`{"suspendedUntil":%q}`, x.s.Store.Clock().Add(short).UTC().Format(time.RFC3339Nano)))
	return card
}

func (x shop) voided(card giftCard) giftCard {
	x.done(card, "/void", `{}`)
	return card
}

func (x shop) depleted(card giftCard) giftCard {
	x.redeem(card, "20")
	return card
}

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

// answers are the answers to an operation, by the name of a way, or else by the state of the
// card. An answer is the state after a 200, or the status and the words of a refusal.
type answers map[string]string

func (a answers) to(name, state string) string {
	if answer, ok := a[name]; ok {
		return answer
	}
	return a[state]
}

// except returns answers with exceptions, which are pairs of a way and an answer.
func (a answers) except(pairs ...string) answers {
	a = maps.Clone(a)
	for i := 0; i < len(pairs); i += 2 {
		a[pairs[i]] = pairs[i+1]
	}
	return a
}

var reads = answers{"pending": stays, "active": stays, "suspended": stays, "expired": stays, "voided": stays, "depleted": stays}

// onlyActive are the answers of an operation that only an active card allows.
func onlyActive(after string) answers {
	return answers{"pending": notActive, "active": after, "suspended": notActive, "expired": expired, "voided": voided, "depleted": notActive}
}

// onlyExpired are the answers of an operation that only an expired card allows.
func onlyExpired(after string) answers {
	return answers{"pending": notExpired, "active": notExpired, "suspended": notExpired, "expired": after, "voided": voided, "depleted": notExpired}
}

// operationInStates is an operation, and its answer in each state.
type operationInStates struct {
	name string
	send func(x shop, card giftCard) servertest.Answer
	want answers
	// shows says what a 200 must contain in a state. Nil means nothing.
	shows func(state string) string
}

// asks returns a request about a card, by its path and body.
func asks(path, body string) func(shop, giftCard) servertest.Answer {
	return func(x shop, card giftCard) servertest.Answer { return x.ask(card, path, "", body) }
}

// gets returns a GET below the programs. {card}, {number} and {program} are filled in.
func gets(path string) func(shop, giftCard) servertest.Answer {
	return func(x shop, card giftCard) servertest.Answer {
		filled := strings.NewReplacer("{card}", card.id, "{number}", card.number, "{program}", x.m.ProgramID).Replace(path)
		return x.m.Do(http.MethodGet, "/v2/giftcards/programs/"+filled, nil, nil)
	}
}

func transferFrom(amount string) func(shop, giftCard) servertest.Answer {
	return func(x shop, card giftCard) servertest.Answer { return x.transfer(card, x.active(long).number, amount) }
}

func balanceCheck(path func(program string) string) func(shop, giftCard) servertest.Answer {
	return func(x shop, card giftCard) servertest.Answer {
		return checkBalanceAt(x.t, x.s, "", path(x.m.ProgramID), card.number, card.code)
	}
}

func showsState(state string) string { return `"status":"` + state + `"` }

func showsIsActive(state string) string { return fmt.Sprintf(`"isActive":%t`, state == "active") }

// operationsInStates is the table of operations and states in the rules of a card's life.
var operationsInStates = []operationInStates{
	{name: "details", send: gets("{program}/cards/{card}"), want: reads, shows: showsState},
	{name: "list", send: gets("cards?cardId={card}"), want: reads, shows: showsState},
	{name: "search", send: gets("{program}/search?q={number}"), want: reads, shows: showsState},
	{
		name: "activate", send: asks("/activate", `{}`), shows: showsState,
		want: answers{"pending": "active", "active": activated, "suspended": activated, "expired": expired, "voided": voided, "depleted": activated}.
			except("suspended before activation", notActive),
	},
	{name: "redeem", send: asks("/redeem", `{"amount":1}`), want: onlyActive("active")},
	{name: "redeem all", send: asks("/redeem", `{"amount":20}`), want: onlyActive("depleted")},
	{name: "reload", send: asks("/reload", `{"amount":1}`), want: onlyActive("active"), shows: showsState},
	{
		name: "reload-by-number", want: onlyActive("active"), shows: showsState,
		send: func(x shop, c giftCard) servertest.Answer {
			return x.post("/cards/reload-by-number", "", fmt.Sprintf(`{"amount":1,"cardNumber":%q}`, c.number))
		},
	},
	{
		name: "void", send: asks("/void", `{"reason":"a mistake"}`), shows: showsState,
		want: answers{"pending": "voided", "active": "voided", "suspended": "voided", "expired": "voided", "voided": voided, "depleted": "voided"},
	},
	{
		name: "suspend", send: asks("/suspend", `{"reason":"again"}`), shows: showsState,
		want: answers{"pending": "suspended", "active": "suspended", "suspended": "suspended", "expired": expired, "voided": voided, "depleted": notActive},
	},
	{
		name: "resume", send: asks("/resume", ``), shows: showsState,
		want: answers{"pending": notSuspended, "active": notSuspended, "suspended": "active", "expired": expired, "voided": voided, "depleted": notSuspended}.
			except("suspended before activation", "pending"),
	},
	{name: "transfer from", send: transferFrom("1"), want: onlyActive("active")},
	{name: "transfer all from", send: transferFrom("20"), want: onlyActive("depleted")},
	{
		name: "transfer to", want: onlyActive("active"),
		send: func(x shop, c giftCard) servertest.Answer { return x.transfer(x.active(long), c.number, "1") },
	},
	{name: "transfer-ownership", send: asks("/transfer-ownership", toBob), want: onlyActive("active"), shows: showsState},
	{name: "resend-code", send: asks("/resend-code", `{}`), want: onlyActive("active").except("pending", "pending"), shows: showsState},
	{
		name: "schedule", want: onlyActive("active").except("pending", "pending"), shows: showsState,
		send: func(x shop, c giftCard) servertest.Answer { return x.schedule(c, `{"deliverAt":null}`) },
	},
	{
		name: "process-expired extend", send: asks("/process-expired", `{"action":"extend","extensionDays":30}`),
		want: onlyExpired("active").except("expired before activation", "pending", "expired while suspended", "suspended"),
	},
	{
		name: "process-expired refund", send: asks("/process-expired", `{"action":"refund","refundReference":"r"}`),
		want: onlyExpired("voided").except("expired before activation", noBalance),
	},
	{name: "process-expired void", send: asks("/process-expired", `{"action":"void"}`), want: onlyExpired("voided")},
	{
		name: "refund",
		send: func(x shop, c giftCard) servertest.Answer {
			return x.ask(c, refundOf(x.entry(c, "REDEMPTION")), "", `{}`)
		},
		want: answers{"pending": noSuchEntry, "active": "active", "suspended": "suspended", "expired": "expired", "voided": voided, "depleted": "active"}.
			except("suspended before activation", noSuchEntry, "expired before activation", noSuchEntry, "depleted before its date", "expired"),
	},
	{
		name: "consolidate", want: onlyActive("voided"),
		send: func(x shop, c giftCard) servertest.Answer { return x.consolidate("", "", c, x.active(long)) },
	},
	{name: "balance-check", send: balanceCheck(programCheck), want: reads, shows: showsIsActive},
	{name: "customer balance-check", send: balanceCheck(func(string) string { return customerCheck }), want: reads, shows: showsIsActive},
}

// TestEveryOperationInEveryStateOfACard answers as the table of the rules says. A refusal
// changes nothing: neither the card nor its entries nor its messages.
func TestEveryOperationInEveryStateOfACard(t *testing.T) {
	t.Parallel()
	x := shopOn(t, withoutJobs(t))
	// A card is used until an operation changes it.
	cards := make([][]giftCard, len(ways))
	for i, way := range ways {
		for _, o := range operationsInStates {
			if o.changes(way.name, way.state) {
				cards[i] = append(cards[i], way.bring(x))
			}
		}
		cards[i] = append(cards[i], way.bring(x))
	}
	x.passTime()
	for _, o := range operationsInStates {
		t.Run(o.name, func(t *testing.T) {
			x := shop{t: t, s: x.s, m: x.m}
			for i, way := range ways {
				card := cards[i][0]
				if state, _ := x.state(card); state != way.state {
					t.Fatalf("a card that should be %s is %s", way.name, state)
				}
				x.tryInState(o, way.name, way.state, card)
				if o.changes(way.name, way.state) {
					cards[i] = cards[i][1:]
				}
			}
		})
	}
}

// changes reports whether the operation changes a card.
func (o operationInStates) changes(way, state string) bool {
	want := o.want.to(way, state)
	return want != stays && !strings.Contains(want, " ")
}

// tryInState requests an operation on a card and judges the answer.
func (x shop) tryInState(o operationInStates, way, state string, card giftCard) {
	x.t.Helper()
	before, want := x.rows(card), o.want.to(way, state)
	answer := o.send(x, card)
	if status, words, refused := strings.Cut(want, " "); refused {
		x.says(o.name+", "+way, answer, status+` {"detail":"`+words+`"}`)
		x.is(o.name+", "+way+", is refused and changes the card", x.rows(card), before)
		return
	}
	if want == stays {
		want = state
	}
	if after, _ := x.state(card); answer.Status != http.StatusOK || after != want {
		x.t.Errorf("%s, %s: %d %s, and the card is %s, want %s", o.name, way, answer.Status, answer.Body, after, want)
	}
	if o.shows != nil && !strings.Contains(string(answer.Body), o.shows(want)) {
		x.t.Errorf("%s, %s: %s, want %s", o.name, way, answer.Body, o.shows(want))
	}
}

// rows returns everything that is stored about a card.
func (x shop) rows(card giftCard) string {
	x.t.Helper()
	return strings.Join(x.query(card, `select to_jsonb(c)::text from gift_cards c where id = $1 union all
		select to_jsonb(m)::text from messages m where card_id = $1 union all
		select to_jsonb(e)::text from ledger_entries e where card_id = $1 order by 1`), "\n")
}

// TestEveryStateIsCountedInTheReports as the table of the rules says.
func TestEveryStateIsCountedInTheReports(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	for _, way := range ways {
		way.bring(x)
	}
	x.passTime()
	answer := x.m.Do(http.MethodGet, "/v2/giftcards/programs/"+x.m.ProgramID+"/reports/business", nil, nil)
	x.want(answer, http.StatusOK, `"totalCards":12`, `"pendingCards":1`, `"activeCards":2`, `"expiredCards":3`, `"voidedCards":2`, `"depletedCards":2`)
}
