package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
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

// consolidate merges cards; fields are further fields of the body, such as `,"isPhysical":true`.
func consolidate(t *testing.T, m *servertest.Merchant, key, fields string, cards ...soldCard) servertest.Answer {
	t.Helper()
	numbers := make([]string, len(cards))
	for i, card := range cards {
		numbers[i] = card.number
	}
	encoded, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if key != "" {
		header.Set("Idempotency-Key", key)
	}
	return m.Do(http.MethodPost, strings.TrimSuffix(m.Cards(), "/cards")+"/consolidate", header,
		[]byte(fmt.Sprintf(`{"cardNumbers":%s,"merchantId":%q%s}`, encoded, m.ID, fields)))
}

// to makes a card somebody's.
func to(email, phone string) func(*api.CreateGiftCardRequest) {
	return func(r *api.CreateGiftCardRequest) {
		if email != "" {
			r.CustomerEmail = &email
		}
		if phone != "" {
			r.CustomerPhone = &phone
		}
	}
}

func TestAConsolidationMakesOneCardOfSeveral(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	later := s.Clock.Now().AddDate(2, 0, 0).Truncate(time.Second)
	named := func(r *api.CreateGiftCardRequest) { r.CustomerName = new("Ada") }
	a := sell(t, s, m, "25", to("ada@example.com", ""), named)
	b := sell(t, s, m, "10.005", to("ADA@example.com", ""), func(r *api.CreateGiftCardRequest) { r.ExpiresAt = &later })
	c := sell(t, s, m, "1", to("ada@example.com", ""), named)
	wantStatus(t, "redeem", changeCard(m, a.id+"/redeem", "", `{"amount":5}`), http.StatusOK)
	s.Clock.Stop()
	fields := `,"referenceId":"order 9","senderName":"Bob","customMessage":"Enjoy","isPhysical":true,"designTemplate":"birthday"`
	spelled := c
	spelled.number = c.number[:4] + "-" + c.number[4:]
	first := consolidate(t, m, "key", fields, b, a, spelled)
	body := decode[api.ConsolidateResponse](t, first)
	card := body.NewCard
	if !body.Success || body.Message != "Gift cards consolidated" || body.TotalConsolidatedAmount.String() != "31.005" || *body.ReferenceId != "order 9" ||
		fmt.Sprint(body.VoidedCards) != fmt.Sprint([]string{b.id, a.id, c.id}) || len(body.ConsolidationTransactions) != 4 {
		t.Errorf("%s", first.Body)
	}
	if card.Balance.String() != "31.005" || card.InitialValue.String() != "31.005" || card.Status != "active" || card.ActivatedAt == nil || !card.ExpiresAt.Equal(later) ||
		*card.CustomerEmail != "ADA@example.com" || card.CustomerName != nil || *card.SenderName != "Bob" || *card.CustomMessage != "Enjoy" || !card.IsPhysical || *card.DesignTemplate != "birthday" {
		t.Errorf("the new card: %s", first.Body)
	}
	if slices.Contains([]string{a.number, b.number, c.number}, card.CardNumber) {
		t.Error("the new card has an old number")
	}
	merged := soldCard{card.Id, card.CardNumber, codeOf(t, s, card.Id)}
	for _, want := range []struct {
		card  soldCard
		last  string
		count int
	}{
		{b, "CONSOLIDATION -10.005 10.005 0.000 order 9 Gift card consolidation", 2}, {a, "CONSOLIDATION -20.00 20.00 0.00 order 9 Gift card consolidation", 3},
		{c, "CONSOLIDATION -1.00 1.00 0.00 order 9 Gift card consolidation", 2}, {merged, "CONSOLIDATION 31.005 0 31.005 order 9 Gift card consolidation", 1},
	} {
		entries := want.card.ledger(t, s)
		if len(entries) != want.count || entries[len(entries)-1] != want.last {
			t.Errorf("%q, want %d that end with %q", entries, want.count, want.last)
		}
	}
	for i, source := range []soldCard{b, a, c, merged} {
		parsed, _ := id.Parse(body.ConsolidationTransactions[i])
		var of id.ID
		if err := s.Store.Pool().QueryRow(t.Context(), "select card_id from ledger_entries where id = $1", parsed[:]).Scan(&of); err != nil || of.String() != source.id {
			t.Errorf("transaction %d is of %s (%v), want %s", i, of, err, source.id)
		}
	}
	for _, source := range []soldCard{a, b, c} {
		wantDetail(t, "a source", changeCard(m, source.id+"/redeem", "", `{"amount":1}`), http.StatusBadRequest, "Gift card has been voided")
		if shown := decode[api.BalanceCheckResponse](t, checkBalanceAt(t, s, "", customerCheck, source.number, source.code)); shown.Status != "voided" || !shown.Balance.IsZero() {
			t.Errorf("a source: %+v", shown)
		}
	}
	if shown := decode[api.BalanceCheckResponse](t, checkBalanceAt(t, s, "", customerCheck, merged.number, merged.code)); !shown.IsActive || shown.Balance.String() != "31.005" {
		t.Errorf("the new card: %+v", shown)
	}
	again := consolidate(t, m, "key", fields, b, a, c)
	if string(again.Body) != string(first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", again.Status, again.Body)
	}
	wantStatus(t, "the key with another order", consolidate(t, m, "key", fields, a, b, c), http.StatusUnprocessableEntity)
	wantDetail(t, "without the key", consolidate(t, m, "", fields, b, a, c), http.StatusBadRequest, "Gift card has been voided")
	d, e := sell(t, s, m, "1"), sell(t, s, m, "1")
	wantStatus(t, "the key with other cards", consolidate(t, m, "key", "", d, e), http.StatusOK)
}

func TestAConsolidationIsRefusedInTheOrderOfTheRules(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	nobody, anonymous := sell(t, s, m, "25"), sell(t, s, m, "25")
	stranger := sell(t, s, s.Merchant(), "25")
	ada, bob, phone := sell(t, s, m, "25", to("ada@example.com", "")), sell(t, s, m, "25", to("bob@example.com", "")), sell(t, s, m, "25", to("", "+12025550123"))
	big, rest := sell(t, s, m, "9999.50"), sell(t, s, m, "0.51")
	voided, nowhere := issue(t, s, m, "25"), soldCard{number: "9000000000000000"}
	voided.set(t, s, "status = 'voided'")
	for what, c := range map[string]struct {
		cards  []soldCard
		status int
		detail string
	}{
		"no such card":              {[]soldCard{nobody, nowhere}, 404, "Gift card not found"},
		"not 16 digits":             {[]soldCard{nobody, {number: "x"}}, 404, "Gift card not found"},
		"another merchant's":        {[]soldCard{nobody, stranger}, 404, "Gift card not found"},
		"a missing one first":       {[]soldCard{voided, voided, nowhere}, 404, "Gift card not found"},
		"one twice":                 {[]soldCard{nobody, anonymous, {number: nobody.number[:4] + " " + nobody.number[4:]}}, 400, "Cards must be different"},
		"twice before a state":      {[]soldCard{voided, voided}, 400, "Cards must be different"},
		"a state before a customer": {[]soldCard{ada, bob, voided}, 400, "Gift card has been voided"},
		"two customers":             {[]soldCard{ada, bob}, 400, "All cards must belong to the same customer"},
		"a customer and nobody":     {[]soldCard{ada, nobody}, 400, "All cards must belong to the same customer"},
		"a customer before a total": {[]soldCard{ada, big, rest}, 400, "All cards must belong to the same customer"},
		"an address and a phone":    {[]soldCard{ada, phone}, 400, "All cards must belong to the same customer"},
		"more than a card may hold": {[]soldCard{big, rest}, 400, "Total value exceeds maximum allowed"},
	} {
		wantDetail(t, what, consolidate(t, m, "a key that is free again", "", c.cards...), c.status, c.detail)
	}
	foreign := *m
	foreign.ID = strings.Repeat("0", 24)
	if answer := consolidate(t, &foreign, "", "", nobody, anonymous); answer.Status != http.StatusUnprocessableEntity ||
		!strings.Contains(string(answer.Body), `"loc":["body","merchantId"],"msg":"Value error, merchantId must be the program's merchant"`) {
		t.Errorf("another merchant's id: %d %s", answer.Status, answer.Body)
	}
	wantStatus(t, "one card", consolidate(t, m, "", "", nobody), http.StatusUnprocessableEntity)
	wantStatus(t, "eleven", consolidate(t, m, "", "", make([]soldCard, 11)...), http.StatusUnprocessableEntity)
	wantStatus(t, "nothing has changed", consolidate(t, m, "a key that is free again", "", nobody, anonymous), http.StatusOK)
}

func TestAConsolidationNeedsActiveCards(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	for state, c := range cardStates(t, s, m) {
		other := sell(t, s, m, "25")
		if answer := consolidate(t, m, "", "", other, c.card); c.refusal == "" {
			wantStatus(t, state, answer, http.StatusOK)
		} else {
			wantDetail(t, state, answer, http.StatusBadRequest, c.refusal)
		}
	}
}

func TestCardsOfOneCustomerHaveTheSameAddressOrElseTheSamePhone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	const one, other = "+12025550123", "+12025550124"
	for what, c := range map[string]struct {
		first, second func(*api.CreateGiftCardRequest)
		status        int
	}{
		"one address, two phones":           {to("a@example.com", one), to("A@EXAMPLE.com", other), 200},
		"two addresses, one phone":          {to("a@example.com", one), to("b@example.com", one), 400},
		"one phone, an address is missing":  {to("a@example.com", one), to("", one), 200},
		"two phones, an address is missing": {to("a@example.com", one), to("", other), 400},
		"nobody":                            {to("", ""), to("", ""), 200},
		"a phone and nobody":                {to("", one), to("", ""), 400},
	} {
		wantStatus(t, what, consolidate(t, m, "", "", sell(t, s, m, "1", c.first), sell(t, s, m, "1", c.second)), c.status)
	}
}

func TestTheHolderOfAMergedCardIsTheOneAskedForElseTheFirstCards(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	const phone = "+12025550123"
	for what, c := range map[string]struct {
		first               func(*api.CreateGiftCardRequest)
		fields              string
		email, phone, named string
	}{
		"the first card's":               {to("a@example.com", phone), "", "a@example.com", phone, "Ada"},
		"another name":                   {to("a@example.com", phone), `,"customerName":"Eve"`, "a@example.com", phone, "Eve"},
		"the same address":               {to("a@example.com", phone), `,"customerEmail":"A@example.com"`, "A@example.com", phone, "Ada"},
		"an address beside the phone":    {to("", phone), `,"customerEmail":"a@example.com"`, "a@example.com", phone, "Ada"},
		"another address ends the phone": {to("a@example.com", phone), `,"customerEmail":"b@example.com"`, "b@example.com", "", "Ada"},
	} {
		name := func(r *api.CreateGiftCardRequest) { r.CustomerName = new("Ada") }
		body := decode[api.ConsolidateResponse](t, consolidate(t, m, "", c.fields, sell(t, s, m, "1", c.first, name), sell(t, s, m, "1", c.first)))
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

// TestAMergedCardNeverExpiresBeforeItsSources, and lives for a year at least and for five at
// most.
func TestAMergedCardNeverExpiresBeforeItsSources(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	s.Clock.StopAt(time.Now().UTC().Truncate(time.Second))
	now := s.Clock.Now()
	for what, c := range map[string]struct{ source, want time.Time }{
		"sooner than a year": {now.Add(time.Hour), now.Add(365 * 24 * time.Hour)},
		"later than a year":  {now.AddDate(4, 0, 0), now.AddDate(4, 0, 0)},
		"later than five":    {now.AddDate(6, 0, 0), now.AddDate(5, 0, 0)},
	} {
		first, second := sell(t, s, m, "1"), sell(t, s, m, "1")
		second.set(t, s, fmt.Sprintf("expires_at = '%s'", c.source.Format(time.RFC3339)))
		body := decode[api.ConsolidateResponse](t, consolidate(t, m, "", "", first, second))
		if !body.NewCard.ExpiresAt.Equal(c.want) {
			t.Errorf("%s: %s, want %s", what, body.NewCard.ExpiresAt, c.want)
		}
	}
}

// TestRestsBelowACentCanBeMerged, because nothing else can move them.
func TestRestsBelowACentCanBeMerged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	a, b := sell(t, s, m, "1.004"), sell(t, s, m, "1.0005")
	for _, card := range []soldCard{a, b} {
		wantStatus(t, "redeem", changeCard(m, card.id+"/redeem", "", `{"amount":1}`), http.StatusOK)
	}
	if body := decode[api.ConsolidateResponse](t, consolidate(t, m, "", "", a, b)); body.NewCard.Balance.String() != "0.0045" {
		t.Errorf("%s", body.NewCard.Balance)
	}
}

// TestDailyLimitsOnIssuingDoNotApplyToAConsolidation, because it issues no value.
func TestDailyLimitsOnIssuingDoNotApplyToAConsolidation(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	a, b := sell(t, s, m, "25"), sell(t, s, m, "25")
	program, err := id.Parse(m.ProgramID)
	if err != nil {
		t.Fatal(err)
	}
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.SetLimits(t.Context(), program, store.Limits{CardsPerDay: new(int64(0)), ValuePerDay: new(amount(t, "0"))})
	})
	wantStatus(t, "create", m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`)), http.StatusForbidden)
	wantStatus(t, "consolidate", consolidate(t, m, "", "", a, b), http.StatusOK)
}

// TestMessagesOfMergedCardsAreDroppedAndTheNewCardsIsSent, and the audit log names the sources
// and the new card, by which an operator finds its messages.
func TestMessagesOfMergedCardsAreDroppedAndTheNewCardsIsSent(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	tomorrow := s.Clock.Now().Add(24 * time.Hour)
	a, b := sell(t, s, m, "25", to("ada@example.com", ""), func(r *api.CreateGiftCardRequest) { r.DeliverAt = &tomorrow }), sell(t, s, m, "25", to("ada@example.com", ""))
	body := decode[api.ConsolidateResponse](t, consolidate(t, m, "", "", a, b))
	var status, reason string
	source, _ := id.Parse(a.id)
	if err := s.Store.Pool().QueryRow(t.Context(), "select status, last_error from messages where card_id = $1", source[:]).Scan(&status, &reason); err != nil || status != "dropped" || reason != "the card is voided" {
		t.Errorf("the source's message is %s: %s (%v)", status, reason, err)
	}
	number := body.NewCard.CardNumber
	grouped := number[:4] + " " + number[4:8] + " " + number[8:12] + " " + number[12:]
	check.Until(t, "the new card's message", func() bool {
		files, _ := filepath.Glob(filepath.Join(s.Outbox, "*"))
		return slices.ContainsFunc(files, func(file string) bool {
			text, err := os.ReadFile(file)
			return err == nil && (strings.Contains(string(text), grouped) || strings.Contains(string(text), number)) &&
				strings.Contains(string(text), codeOf(t, s, body.NewCard.Id))
		})
	})
	made, _ := id.Parse(body.NewCard.Id)
	var named, sources int
	if err := s.Store.Pool().QueryRow(t.Context(), `select count(*) filter (where subject = $1 and cards = 1), count(*) filter (where octet_length(subject) = 24 and cards = 0)
		from audit_log where operation = 'consolidateGiftCards'`, made[:]).Scan(&named, &sources); err != nil || named != 1 || sources != 1 {
		t.Errorf("%d entries name the new card and %d the sources (%v), want one each", named, sources, err)
	}
}
