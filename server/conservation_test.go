package server_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest/full"
)

// TestMoneyIsConservedInEveryHistory sends random requests about a few cards, and compares
// every answer, every state, every balance and every entry with a model. All histories share
// one program, whose whole ledger must add up in the end.
func TestMoneyIsConservedInEveryHistory(t *testing.T) {
	t.Parallel()
	// The token must still be valid after all hours of all histories.
	s := servertest.New(t, func(o *server.Options) { o.TokenLifetime = math.MaxInt64 / 4 })
	s.Clock.Stop()
	x := shopOn(t, s)
	// rapid can only be set by flags. The seed that it prints reproduces a failed history.
	for name, value := range map[string]string{"rapid.checks": strconv.Itoa(full.Size(500, 12)), "rapid.nofailfile": "true"} {
		must(t, flag.Set(name, value))
	}
	rapid.Check(t, func(r *rapid.T) {
		h := &history{shop: x, T: r, keys: map[string]kept{}}
		for range rapid.IntRange(2, 4).Draw(r, "cards") {
			h.issue()
		}
		h.Repeat(map[string]func(*rapid.T){
			"": h.compare, "activate": h.activate, "redeem": h.redeem, "redeem again": h.redeem, "reload": h.reload, "reload by number": h.reloadByNumber,
			"refund": h.refund, "refund again": h.refund,
			"transfer": h.transfer, "consolidate": h.consolidate, "void": h.void, "suspend": h.suspend, "resume": h.resume,
			"process-expired": h.settle, "time passes": h.passTime,
		})
	})
	figures, err := store.Read(t.Context(), s.Store, func(tx *store.Tx) (store.LedgerFigures, error) { return tx.VerifyLedger(t.Context(), id.ID{}) })
	if err != nil || figures.Entries == 0 {
		t.Errorf("%+v %v", figures, err)
	}
}

// history is a series of requests about a few cards, with the state that they should have led to.
type history struct {
	shop
	*rapid.T
	now   int // hours since the beginning
	cards []*modelCard
	keys  map[string]kept // the answers under keys, by operation, subject and key
	ids   map[string][]string
}

// kept is an answer under a key, and the request that it was for.
type kept struct{ request, answer string }

func (h *history) issue() {
	card := &modelCard{
		owner:   rapid.SampledFrom([]string{"", "", "ada@example.com", "bob@example.com"}).Draw(h.T, "owner"),
		value:   rapid.SampledFrom([]int{5_000, 25_000, 1_000_005, 5_000_000}).Draw(h.T, "value"),
		expires: h.now + rapid.SampledFrom([]int{2, 48, 8760, 8760}).Draw(h.T, "lifetime"),
	}
	owner := ""
	if card.owner != "" {
		owner = fmt.Sprintf(`,"customerEmail":%q`, card.owner)
	}
	answer := h.m.Do(http.MethodPost, h.m.Cards(), jsonHeader, fmt.Appendf(nil, `{"initialValue":%s,"merchantId":%q,"expiresAt":%q%s}`,
		thousandths(card.value), h.m.ID, h.at(card.expires), owner))
	var issued struct{ ID, CardNumber string }
	if err := json.Unmarshal(answer.Body, &issued); err != nil || answer.Status != http.StatusCreated {
		h.Fatalf("create: %d %s", answer.Status, answer.Body)
	}
	card.giftCard = giftCard{issued.ID, issued.CardNumber, h.code(issued.ID)}
	h.cards = append(h.cards, card)
	if rapid.IntRange(0, 3).Draw(h.T, "left pending") > 0 {
		h.send("activate", []string{card.id}, "/cards/"+card.id+"/activate", `{}`, func() outcome { return card.activate(h.now) })
	}
}

// at writes an hour of the history as a time of the server's clock.
func (h *history) at(hour int) string {
	return h.s.Clock.Now().Add(time.Duration(hour-h.now) * time.Hour).UTC().Format(time.RFC3339Nano)
}

func (h *history) passTime(r *rapid.T) {
	hours := rapid.SampledFrom([]int{1, 1, 24}).Draw(r, "hours")
	h.s.Clock.Move(time.Duration(hours) * time.Hour)
	h.now += hours
}

func (h *history) card(what string) *modelCard { return rapid.SampledFrom(h.cards).Draw(h.T, what) }

// amount draws an amount that is often all of the card's balance, or nearly so.
func (h *history) amount(card *modelCard) int {
	drawn := rapid.SampledFrom([]int{10, 10_005, 2_500, 5_000, 4_999_990, 5_000_000, card.balance, card.balance + 1, card.balance / 2}).Draw(h.T, "amount")
	return min(max(drawn, 10), 5_000_000) // the bounds of an amount in a request
}

// send sends a request, often under a key that was used before, and compares the answer with the
// model's. judge changes the model. It is not called if the key already has an answer.
func (h *history) send(operation string, subject []string, path, body string, judge func() outcome) (answer servertest.Answer, fresh bool) {
	key := rapid.SampledFrom([]string{"", "", "a", "b"}).Draw(h.T, "key")
	if operation == "suspend" || operation == "resume" { // these take no key
		key = ""
	}
	answer = h.post(path, key, body)
	scope := strings.Join(append(subject, operation, key), " ")
	first, used := h.keys[scope]
	used = used && key != ""
	replayed := answer.Header.Get("Idempotent-Replayed") == "true"
	switch {
	case used && first.request != body:
		if answer.Status != http.StatusUnprocessableEntity {
			h.Fatalf("%s %s under the key of %s: %d %s", path, body, first.request, answer.Status, answer.Body)
		}
		return answer, false
	case used:
		if answer.Status != http.StatusOK || string(answer.Body) != first.answer || !replayed {
			h.Fatalf("%s %s again: %d %s, first %s", path, body, answer.Status, answer.Body, first.answer)
		}
		return answer, false
	}
	if want, got := judge(), said(h, answer); got != want || replayed {
		h.Fatalf("%s %s: %d %s: %+v, want %+v", path, body, answer.Status, answer.Body, got, want)
	}
	if answer.Status == http.StatusOK && key != "" {
		h.keys[scope] = kept{body, string(answer.Body)}
	}
	return answer, answer.Status == http.StatusOK
}

// said returns the outcome that an answer states.
func said(h *history, answer servertest.Answer) outcome {
	var body struct {
		Detail, Message, Status   string
		Balance, RemainingBalance string
		SourceCard                struct{ RemainingBalance string }
		NewCard                   struct{ Balance string }
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		h.Fatalf("%d %s", answer.Status, answer.Body)
	}
	first := func(texts ...string) string {
		return slices.Concat(slices.DeleteFunc(texts, func(s string) bool { return s == "" }), []string{""})[0]
	}
	got := outcome{answer.Status, first(body.Detail, body.Message, body.Status), -1}
	if balance := first(body.Balance, body.RemainingBalance, body.SourceCard.RemainingBalance, body.NewCard.Balance); balance != "" {
		got.balance = parseThousandths(h, balance)
	}
	return got
}

func parseThousandths(h *history, text string) int {
	amount, err := strconv.ParseFloat(text, 64)
	if err != nil {
		h.Fatal(err)
	}
	return int(math.Round(amount * 1000))
}

func (h *history) activate(*rapid.T) {
	c := h.card("card")
	h.send("activate", []string{c.id}, "/cards/"+c.id+"/activate", `{}`, func() outcome { return c.activate(h.now) })
}

func (h *history) redeem(*rapid.T) {
	c := h.card("card")
	amount := h.amount(c)
	h.send("redeem", []string{c.id}, "/cards/"+c.id+"/redeem", `{"amount":`+thousandths(amount)+`}`, func() outcome { return c.redeem(h.now, amount) })
}

func (h *history) reload(*rapid.T) {
	c := h.card("card")
	amount := h.amount(c)
	h.send("reload", []string{c.id}, "/cards/"+c.id+"/reload", `{"amount":`+thousandths(amount)+`}`, func() outcome { return c.reload(h.now, amount) })
}

func (h *history) reloadByNumber(*rapid.T) {
	c := h.card("card")
	amount := h.amount(c)
	h.send("reload-by-number", []string{c.id}, "/cards/reload-by-number", fmt.Sprintf(`{"cardNumber":%q,"amount":%s}`, c.number, thousandths(amount)),
		func() outcome { return c.reload(h.now, amount) })
}

// refund tries any entry of a card, or one that the card does not have. Mostly it tries
// redemptions.
func (h *history) refund(r *rapid.T) {
	c := h.card("card")
	var redemptions []int
	for i, entry := range c.entries {
		if entry.kind == "REDEMPTION" {
			redemptions = append(redemptions, i)
		}
	}
	n := rapid.IntRange(0, len(c.entries)).Draw(r, "entry")
	if len(redemptions) > 0 && rapid.IntRange(0, 3).Draw(r, "any entry") > 0 {
		n = rapid.SampledFrom(redemptions).Draw(r, "redemption")
	}
	amount, body, entry := 0, `{}`, nowhere.id
	if n < len(c.entries) {
		entry = h.ids[c.id][n]
		left := -c.entries[n].amount - c.entries[n].refunded
		amount = rapid.SampledFrom([]int{0, 0, left, left / 2, left + 1}).Draw(r, "amount")
	}
	if amount != 0 {
		amount = min(max(amount, 10), 5_000_000)
		body = `{"amount":` + thousandths(amount) + `}`
	}
	h.send("refund", []string{c.id, entry}, "/cards/"+c.id+refundOf(entry), body, func() outcome { return c.refund(n, amount) })
}

func (h *history) transfer(*rapid.T) {
	from, to := h.card("from"), h.card("to")
	amount := h.amount(from)
	h.send("transfer", []string{from.id, to.id}, "/cards/"+from.id+"/transfer", transferBody(from.code, to.number, strings.Trim(thousandths(amount), `"`)),
		func() outcome { return from.transfer(to, h.now, amount) })
}

func (h *history) consolidate(r *rapid.T) {
	sources := rapid.SliceOfN(rapid.SampledFrom(h.cards), 2, 3).Draw(r, "sources")
	var subject, numbers []string
	for _, card := range sources {
		subject, numbers = append(subject, card.id), append(numbers, card.number)
	}
	slices.Sort(subject)
	var merged *modelCard
	answer, fresh := h.send("consolidate", subject, "/consolidate", fmt.Sprintf(`{"cardNumbers":["%s"],"merchantId":%q}`, strings.Join(numbers, `","`), h.m.ID), func() (o outcome) {
		o, merged = consolidateModel(sources, h.now)
		return o
	})
	if !fresh {
		return
	}
	var body struct {
		NewCard struct{ ID, CardNumber string }
	}
	must(h.t, json.Unmarshal(answer.Body, &body))
	merged.giftCard = giftCard{body.NewCard.ID, body.NewCard.CardNumber, h.code(body.NewCard.ID)}
	h.cards = append(h.cards, merged)
}

func (h *history) void(*rapid.T) {
	c := h.card("card")
	h.send("void", []string{c.id}, "/cards/"+c.id+"/void", `{}`, c.void)
}

func (h *history) suspend(r *rapid.T) {
	c, until, body := h.card("card"), 0, `{}`
	if rapid.Bool().Draw(r, "ends") {
		until = h.now + 2
		body = fmt.Sprintf(`{"suspendedUntil":%q}`, h.at(until))
	}
	h.send("suspend", []string{c.id}, "/cards/"+c.id+"/suspend", body, func() outcome { return c.suspend(h.now, until) })
}

func (h *history) resume(*rapid.T) {
	c := h.card("card")
	h.send("resume", []string{c.id}, "/cards/"+c.id+"/resume", ``, func() outcome { return c.resume(h.now) })
}

func (h *history) settle(r *rapid.T) {
	c := h.card("card")
	action := rapid.SampledFrom([]string{"extend", "extend", "refund", "void"}).Draw(r, "action")
	h.send("process-expired", []string{c.id}, "/cards/"+c.id+"/process-expired", fmt.Sprintf(`{"action":%q,"extensionDays":1}`, action),
		func() outcome { return c.settle(h.now, action, 1) })
}

// compare compares the database with the model, card by card and entry by entry.
func (h *history) compare(*rapid.T) {
	cards := make([][]byte, len(h.cards))
	for i, card := range h.cards {
		parsed, err := id.Parse(card.id)
		must(h.t, err)
		cards[i] = parsed[:]
	}
	rows, err := h.s.Store.Pool().Query(h.t.Context(), `select encode(c.id, 'hex'), concat_ws(' ', card_state(c.status, c.activated_at, c.balance, c.expires_at, c.suspended_until, $2), (c.balance * 1000)::bigint,
			(select string_agg(concat(e.type, ' ', (e.amount * 1000)::bigint), ', ' order by e.id) from ledger_entries e where e.program_id = c.program_id and e.card_id = c.id)),
			array(select encode(e.id, 'hex') from ledger_entries e where e.program_id = c.program_id and e.card_id = c.id order by e.id)
		from gift_cards c where c.id = any ($1)`, cards, h.s.Clock.Now())
	must(h.t, err)
	defer rows.Close()
	got := map[string]string{}
	h.ids = map[string][]string{}
	for rows.Next() {
		var card, text string
		var entries []string
		must(h.t, rows.Scan(&card, &text, &entries))
		got[card], h.ids[card] = text, entries
	}
	must(h.t, rows.Err())
	for _, card := range h.cards {
		want := fmt.Sprint(card.state(h.now), " ", card.balance)
		var entries []string
		for _, e := range card.entries {
			entries = append(entries, fmt.Sprint(e.kind, " ", e.amount))
		}
		if want = strings.TrimSpace(want + " " + strings.Join(entries, ", ")); got[card.id] != want {
			h.Fatalf("card %s is %s\nand should be %s", card.id, got[card.id], want)
		}
	}
}
