package server_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// merging is three cards of Ada's, of 10.005, 20.00 and 1.00, and the request that merges them
// under a key.
type merging struct {
	shop
	b, a, c giftCard
	expires time.Time // the expiry of b; the others expire sooner
}

const mergedFields = `,"referenceId":"order 9","senderName":"Bob","customMessage":"Enjoy","isPhysical":true,"designTemplate":"birthday"`

func newMerging(t *testing.T) merging {
	t.Helper()
	x := newShop(t)
	const named = `,"customerName":"Ada"`
	expires := x.s.Clock.Now().AddDate(2, 0, 0).Truncate(time.Second)
	m := merging{shop: x, a: x.sell("25.00", toAda, named), b: x.sell("10.005", to("ADA@example.com", ""), expiring(expires)), c: x.sell("1.00", toAda, named), expires: expires}
	x.redeem(m.a, "5")
	return m
}

// merge consolidates the cards. It spells the number of one of them in another way.
func (m merging) merge() servertest.Answer {
	m.t.Helper()
	spelled := m.c
	spelled.number = m.c.number[:4] + "-" + m.c.number[4:]
	return m.consolidate("key", mergedFields, m.b, m.a, spelled)
}

func TestAConsolidationMakesOneCardOfSeveral(t *testing.T) {
	t.Parallel()
	x := newMerging(t)
	answer := x.merge()
	body := decode[api.ConsolidateResponse](t, answer)
	if !body.Success || body.Message != "Gift cards consolidated" || body.TotalConsolidatedAmount.String() != "31.005" || *body.ReferenceId != "order 9" ||
		fmt.Sprint(body.VoidedCards) != fmt.Sprint([]string{x.b.id, x.a.id, x.c.id}) {
		t.Errorf("%s", answer.Body)
	}
	card := body.NewCard
	if card.Balance.String() != "31.005" || card.InitialValue.String() != "31.005" || card.Status != "active" || card.ActivatedAt == nil || !card.ExpiresAt.Equal(x.expires) ||
		*card.CustomerEmail != "ADA@example.com" || card.CustomerName != nil || *card.SenderName != "Bob" || *card.CustomMessage != "Enjoy" || !card.IsPhysical || *card.DesignTemplate != "birthday" {
		t.Errorf("the new card: %s", answer.Body)
	}
	for _, source := range []giftCard{x.a, x.b, x.c} {
		x.says("a source", x.ask(source, "/redeem", "", `{"amount":1}`), voided)
		x.want(checkBalanceAt(t, x.s, "", customerCheck, source.number, source.code), http.StatusOK, `"status":"voided"`, `"balance":"0.00"`)
		if source.number == card.CardNumber {
			t.Error("the new card has an old number")
		}
	}
	x.want(checkBalanceAt(t, x.s, "", customerCheck, card.CardNumber, x.code(card.Id)), http.StatusOK, `"isActive":true`, `"balance":"31.005"`)
}

// TestTheLedgerSaysWhereTheMoneyOfAConsolidationWent: the answer names the entry of each card.
func TestTheLedgerSaysWhereTheMoneyOfAConsolidationWent(t *testing.T) {
	t.Parallel()
	x := newMerging(t)
	body := decode[api.ConsolidateResponse](t, x.merge())
	for i, want := range []struct {
		card    giftCard
		entry   string
		entries int // of the card in all
	}{
		{x.b, "CONSOLIDATION -10.005 10.005 0.000 order 9 Gift card consolidation", 2},
		{x.a, "CONSOLIDATION -20.00 20.00 0.00 order 9 Gift card consolidation", 3},
		{x.c, "CONSOLIDATION -1.00 1.00 0.00 order 9 Gift card consolidation", 2},
		{giftCard{id: body.NewCard.Id}, "CONSOLIDATION 31.005 0 31.005 order 9 Gift card consolidation", 1},
	} {
		entries := x.ledger(want.card, "encode(id, 'hex'), "+fullEntry)
		if last := body.ConsolidationTransactions[i] + " " + want.entry; len(entries) != want.entries || entries[len(entries)-1] != last {
			t.Errorf("%q, want %d that end with %q", entries, want.entries, last)
		}
	}
}

// TestAConsolidationUnderAKeyIsReplayed. The order of the cards belongs to the request.
func TestAConsolidationUnderAKeyIsReplayed(t *testing.T) {
	t.Parallel()
	x := newMerging(t)
	first := x.merge()
	again := x.consolidate("key", mergedFields, x.b, x.a, x.c)
	if string(again.Body) != string(first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s, first %d %s", again.Status, again.Body, first.Status, first.Body)
	}
	x.says("the key with another order", x.consolidate("key", mergedFields, x.a, x.b, x.c), "422")
	x.says("without the key", x.consolidate("", mergedFields, x.b, x.a, x.c), voided)
	x.says("the key with other cards", x.consolidate("key", "", x.sell("1"), x.sell("1")), "200")
}

func TestAConsolidationIsRefusedInTheOrderOfTheRules(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	nobody, anonymous, stranger := x.sell("25"), x.sell("25"), shopOn(t, x.s).sell("25")
	ada, bob, phone := x.sell("25", toAda), x.sell("25", to("bob@example.com", "")), x.sell("25", to("", "+12025550123"))
	big, rest, void := x.sell("9999.50"), x.sell("0.51"), x.voided(x.sell("25"))
	spelled := giftCard{number: nobody.number[:4] + " " + nobody.number[4:]}
	for what, c := range map[string]struct {
		cards []giftCard
		want  string
	}{
		"no such card":              {[]giftCard{nobody, nowhere}, "404 Gift card not found"},
		"not 16 digits":             {[]giftCard{nobody, {number: "x"}}, "404 Gift card not found"},
		"another merchant's":        {[]giftCard{nobody, stranger}, "404 Gift card not found"},
		"a missing one first":       {[]giftCard{void, void, nowhere}, "404 Gift card not found"},
		"one twice":                 {[]giftCard{nobody, anonymous, spelled}, "400 Cards must be different"},
		"twice before a state":      {[]giftCard{void, void}, "400 Cards must be different"},
		"a state before a customer": {[]giftCard{ada, bob, void}, "400 Gift card has been voided"},
		"two customers":             {[]giftCard{ada, bob}, "400 All cards must belong to the same customer"},
		"a customer and nobody":     {[]giftCard{ada, nobody}, "400 All cards must belong to the same customer"},
		"a customer before a total": {[]giftCard{ada, big, rest}, "400 All cards must belong to the same customer"},
		"an address and a phone":    {[]giftCard{ada, phone}, "400 All cards must belong to the same customer"},
		"more than a card may hold": {[]giftCard{big, rest}, "400 Total value exceeds maximum allowed"},
		"one card":                  {[]giftCard{nobody}, "422"},
		"eleven":                    {make([]giftCard, 11), "422"},
	} {
		x.says(what, x.consolidate("a key that is free again", "", c.cards...), c.want)
	}
	foreign := *x.m
	foreign.ID = nowhere.id
	x.says("another merchant's id", shop{t, x.s, &foreign}.consolidate("", "", nobody, anonymous),
		`422 "loc":["body","merchantId"],"msg":"Value error, merchantId must be the program's merchant"`)
	x.says("nothing has changed", x.consolidate("a key that is free again", "", nobody, anonymous), "200")
}

func TestCardsOfOneCustomerHaveTheSameAddressOrElseTheSamePhone(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	const one, other = "+12025550123", "+12025550124"
	for what, c := range map[string]struct {
		first, second string
		want          string
	}{
		"one address, two phones":           {to("a@example.com", one), to("A@EXAMPLE.com", other), "200"},
		"two addresses, one phone":          {to("a@example.com", one), to("b@example.com", one), "400"},
		"s and the long s":                  {to("sam@example.com", one), to("ſam@example.com", one), "400"},
		"one phone, an address is missing":  {to("a@example.com", one), to("", one), "200"},
		"two phones, an address is missing": {to("a@example.com", one), to("", other), "400"},
		"nobody":                            {to("", ""), to("", ""), "200"},
		"a phone and nobody":                {to("", one), to("", ""), "400"},
	} {
		x.says(what, x.consolidate("", "", x.sell("1", c.first), x.sell("1", c.second)), c.want)
	}
}

func TestTheHolderOfAMergedCardIsTheRequestsOrElseTheFirstCards(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	const phone = "+12025550123"
	for what, c := range map[string]struct {
		first               string
		fields              string
		email, phone, named string
	}{
		"the first card's":               {to("a@example.com", phone), "", "a@example.com", phone, "Ada"},
		"another name":                   {to("a@example.com", phone), `,"customerName":"Eve"`, "a@example.com", phone, "Eve"},
		"the same address":               {to("a@example.com", phone), `,"customerEmail":"A@example.com"`, "A@example.com", phone, "Ada"},
		"an address beside the phone":    {to("", phone), `,"customerEmail":"a@example.com"`, "a@example.com", phone, "Ada"},
		"another address ends the phone": {to("a@example.com", phone), `,"customerEmail":"b@example.com"`, "b@example.com", "", "Ada"},
	} {
		body := decode[api.ConsolidateResponse](t, x.consolidate("", c.fields, x.sell("1", c.first, `,"customerName":"Ada"`), x.sell("1", c.first)))
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		got := []string{text(body.NewCard.CustomerEmail), text(body.NewCard.CustomerPhone), text(body.NewCard.CustomerName)}
		if want := []string{c.email, c.phone, c.named}; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
}

// TestAMergedCardNeverExpiresBeforeItsSources. It is valid for at least one year and at most five.
func TestAMergedCardNeverExpiresBeforeItsSources(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	x.s.Clock.StopAt(time.Now().UTC().Truncate(time.Second))
	now := x.s.Clock.Now()
	for what, c := range map[string]struct{ source, want time.Time }{
		"sooner than a year": {now.Add(time.Hour), now.Add(365 * 24 * time.Hour)},
		"later than a year":  {now.AddDate(4, 0, 0), now.AddDate(4, 0, 0)},
		"later than five":    {now.AddDate(6, 0, 0), now.AddDate(5, 0, 0)},
	} {
		first, second := x.sell("1"), x.sell("1")
		x.set(second, fmt.Sprintf("expires_at = '%s'", c.source.Format(time.RFC3339)))
		body := decode[api.ConsolidateResponse](t, x.consolidate("", "", first, second))
		if !body.NewCard.ExpiresAt.Equal(c.want) {
			t.Errorf("%s: %s, want %s", what, body.NewCard.ExpiresAt, c.want)
		}
	}
}

// TestRestsBelowACentCanBeMerged, because nothing else can move them.
func TestRestsBelowACentCanBeMerged(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	a, b := x.sell("1.004"), x.sell("1.0005")
	x.redeem(a, "1")
	x.redeem(b, "1")
	if body := decode[api.ConsolidateResponse](t, x.consolidate("", "", a, b)); body.NewCard.Balance.String() != "0.0045" {
		t.Errorf("%s", body.NewCard.Balance)
	}
}

// TestDailyLimitsOnIssuingDoNotApplyToAConsolidation, because it issues no value.
func TestDailyLimitsOnIssuingDoNotApplyToAConsolidation(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	a, b := x.sell("25"), x.sell("25")
	program, err := id.Parse(x.m.ProgramID)
	must(t, err)
	storetest.AsOwner(t, x.s.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.SetLimits(t.Context(), program, store.Limits{CardsPerDay: new(int64(0)), ValuePerDay: new(amount(t, "0"))})
	})
	x.says("create", x.post("/cards", "", `{"initialValue":1,"merchantId":"`+x.m.ID+`"}`), "403")
	x.says("consolidate", x.consolidate("", "", a, b), "200")
}

// TestMessagesOfMergedCardsAreDroppedAndTheNewCardsIsSent. The audit log names the sources and the
// new card, so that an operator finds the messages of all of them.
func TestMessagesOfMergedCardsAreDroppedAndTheNewCardsIsSent(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	tomorrow := x.s.Clock.Now().Add(24 * time.Hour).UTC().Format(time.RFC3339)
	source, other := x.sell("25", toAda, `,"deliverAt":"`+tomorrow+`"`), x.sell("25", toAda)
	body := decode[api.ConsolidateResponse](t, x.consolidate("", "", source, other))
	x.is("the source's message", strings.Join(x.query(source, "select concat(status, ': ', last_error) from messages where card_id = $1"), "\n"), "dropped: the card is voided")
	merged := giftCard{body.NewCard.Id, body.NewCard.CardNumber, x.code(body.NewCard.Id)}
	n := merged.number
	grouped := n[:4] + " " + n[4:8] + " " + n[8:12] + " " + n[12:]
	check.Until(t, "the new card's message", func() bool {
		text, _ := os.ReadFile(filepath.Join(x.s.Outbox, merged.id+".eml"))
		return strings.Contains(string(text), grouped) && strings.Contains(string(text), merged.code)
	})
	x.is("entries that name the new card", fmt.Sprint(len(x.query(merged, "select operation from audit_log where subject = $1 and operation = 'consolidateGiftCards' and cards = 1"))), "1")
	if n := count(t, x.s, "audit_log where operation = 'consolidateGiftCards' and octet_length(subject) = 24 and cards = 0"); n != 1 {
		t.Errorf("%d entries name the sources, want 1", n)
	}
}
