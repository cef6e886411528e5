package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// planted is a card that a test writes into the database as it is.
type planted struct {
	id                   id.ID
	program              string
	number               int64
	status               string // as stored; "" is pending
	email, name          *string
	balance              string // "" is 0
	created              time.Time
	activated, suspended *time.Time // suspended: until then
	expires              time.Time  // zero: in a year
	new                  bool       // not in the index of texts yet
}

// plant writes cards, and fills in ids, numbers and times that are not set.
func plant(t *testing.T, s *servertest.Server, cards ...*planted) {
	t.Helper()
	now := s.Store.Now()
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		for _, c := range cards {
			if c.created.IsZero() {
				c.created = now
			}
			if c.id.IsZero() {
				c.id = id.New(c.created)
			}
			if c.number == 0 {
				c.number = 9e15 + int64(c.id[9])<<40 + int64(c.id[10])<<32 + int64(c.id[11])<<24 + int64(c.id[4])<<16 + int64(c.id[5])<<8 + int64(c.id[6])
			}
			if c.expires.IsZero() {
				c.expires = now.AddDate(1, 0, 0)
			}
			program, err := id.Parse(c.program)
			if err != nil {
				return struct{}{}, err
			}
			var suspendedAt *time.Time
			if c.suspended != nil {
				suspendedAt = &now
			}
			if _, err := tx.Unwrap().Exec(t.Context(), `insert into gift_cards
				(program_id, id, card_number, sealed_code, status, balance, initial_value, is_physical, customer_email, customer_name,
				expires_at, created_at, activated_at, suspended_at, suspended_until, searchable)
				values ($1, $2, $3, '\x', coalesce(nullif($4, ''), 'pending'), coalesce(nullif($5, ''), '0')::numeric, 25, false, $6, $7, $8, $9, $10, $11, $12, $13)`,
				program, c.id, c.number, c.status, c.balance, c.email, c.name, c.expires, c.created, c.activated, suspendedAt, c.suspended, !c.new); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, nil
	})
}

// list gets a list of cards, and returns the ids in it and the address of the next page.
func list(t *testing.T, m *servertest.Merchant, target string) (ids []string, next string) {
	t.Helper()
	answer := m.Do(http.MethodGet, target, nil, nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", target, answer.Status, answer.Body)
	}
	var cards []api.GiftCardResponse
	if err := json.Unmarshal(answer.Body, &cards); err != nil || cards == nil {
		t.Fatalf("%s: %v %s", target, err, answer.Body)
	}
	for _, card := range cards {
		ids = append(ids, card.ProgramId+"/"+card.Id)
	}
	if link := answer.Header.Get("Link"); link != "" {
		found := regexp.MustCompile(`^<http://[^/]+(/[^>]+)>; rel="next"$`).FindStringSubmatch(link)
		if found == nil {
			t.Fatalf("%s: Link: %s", target, link)
		}
		next = found[1]
	}
	return ids, next
}

func (c *planted) String() string { return c.program + "/" + c.id.String() }

const allCards = "/v2/giftcards/programs/cards"

func searchPath(program string) string { return "/v2/giftcards/programs/" + program + "/search" }

// addProgram adds a program to a merchant and returns its id.
func addProgram(t *testing.T, s *servertest.Server, m *servertest.Merchant) string {
	t.Helper()
	merchant, err := id.Parse(m.ID)
	if err != nil {
		t.Fatal(err)
	}
	return storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.AddProgram(t.Context(), merchant, "Another program")
	}).ID.String()
}

// TestListsHaveTheNewestCardsFirstAndEachOnOnePage, whichever way one turns the pages: by Link,
// page or offset. Cards of the same second, and even with the same id in two programs, have
// one order.
func TestListsHaveTheNewestCardsFirstAndEachOnOnePage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	other := addProgram(t, s, m)
	var cards []*planted
	for i := range 501 {
		card := planted{program: m.ProgramID, created: s.Store.Now().Add(-time.Duration(i/100) * time.Second)}
		card.id = id.New(card.created)
		twin := card
		twin.program, twin.number = other, int64(i+1)
		cards = append(cards, &card, &twin)
	}
	plant(t, s, cards...)
	slices.SortFunc(cards, func(a, b *planted) int {
		return strings.Compare(b.id.String()+b.program, a.id.String()+a.program)
	})
	wanted := func(programs ...string) (ids []string) {
		for _, card := range cards {
			if slices.Contains(programs, card.program) {
				ids = append(ids, card.String())
			}
		}
		return ids
	}
	for name, c := range map[string]struct {
		target string
		want   []string
	}{
		"all programs":         {allCards + "?limit=97", wanted(m.ProgramID, other)},
		"as many as may be":    {allCards + "?limit=99999999999999999999", wanted(m.ProgramID, other)},
		"one program":          {allCards + "?limit=100&programId=" + other, wanted(other)},
		"a search for nothing": {searchPath(m.ProgramID) + "?limit=250&q=+", wanted(m.ProgramID)},
		"by state":             {allCards + "?limit=300&status=pending", wanted(m.ProgramID, other)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var byLink []string
			for next := c.target; next != ""; {
				var ids []string
				ids, next = list(t, m, next)
				byLink = append(byLink, ids...)
			}
			if !slices.Equal(byLink, c.want) {
				t.Errorf("by Link: %d cards, want %d, or another order", len(byLink), len(c.want))
			}
			var byPage, byOffset []string
			for page := 1; ; page++ {
				ids, _ := list(t, m, fmt.Sprintf("%s&page=%d", c.target, page))
				if byPage = append(byPage, ids...); len(ids) == 0 {
					break
				}
			}
			if !slices.Equal(byPage, c.want) {
				t.Errorf("by page: %d cards, want %d, or another order", len(byPage), len(c.want))
			}
			for {
				ids, _ := list(t, m, fmt.Sprintf("%s&page=7&offset=%d", c.target, len(byOffset)))
				if byOffset = append(byOffset, ids...); len(ids) == 0 {
					break
				}
			}
			if !slices.Equal(byOffset, c.want) {
				t.Errorf("by offset: %d cards, want %d, or another order", len(byOffset), len(c.want))
			}
		})
	}
}

func TestPageLimitAndOffsetAreNeverRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	var cards []*planted
	for range 1002 {
		cards = append(cards, &planted{program: m.ProgramID})
	}
	plant(t, s, cards...)
	huge := strings.Repeat("9", 4300)
	for query, want := range map[string]int{
		"": 250, "limit=0": 1, "limit=-7": 1, "limit=" + huge: 1000, "limit=1000": 1000, "limit=-" + huge[1:]: 1,
		"page=0&limit=3": 3, "page=-5": 250, "page=5": 2, "page=6": 0, "page=" + huge: 0, "page=-" + huge[1:]: 250,
		"page=3&offset=0": 250, "offset=-1": 250, "offset=1000": 2, "offset=1002": 0, "offset=" + huge: 0, "page=" + huge + "&limit=1": 0,
	} {
		for _, path := range []string{allCards, searchPath(m.ProgramID)} {
			if ids, _ := list(t, m, path+"?"+query); len(ids) != want {
				t.Errorf("%s?%.40s: %d cards, want %d", path, query, len(ids), want)
			}
		}
	}
}

// TestAListFiltersByTheStateThatTheCardsHaveNow, not by the one that is stored.
func TestAListFiltersByTheStateThatTheCardsHaveNow(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2027, time.May, 1, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	now := s.Store.Now()
	past, future := now.Add(-time.Hour), now.Add(time.Hour)
	cards := map[string]*planted{
		"pending":                       {},
		"active":                        {status: "active", activated: &past, balance: "5"},
		"suspended":                     {status: "suspended", activated: &past, balance: "5", suspended: &future},
		"suspended before activation":   {status: "suspended", suspended: &future},
		"suspended, over":               {status: "suspended", activated: &past, balance: "5", suspended: &past},
		"suspended, over at this time":  {status: "suspended", activated: &past, balance: "5", suspended: &now},
		"suspended, over, never used":   {status: "suspended", suspended: &past},
		"expired":                       {status: "active", activated: &past, balance: "5", expires: past},
		"expires at this time":          {status: "active", activated: &past, balance: "5", expires: now},
		"expired, never used":           {expires: past},
		"expired, suspended":            {status: "suspended", activated: &past, balance: "5", suspended: &future, expires: past},
		"voided":                        {status: "voided"},
		"voided, past its date":         {status: "voided", activated: &past, expires: past},
		"depleted":                      {status: "active", activated: &past},
		"depleted, past its date":       {status: "active", activated: &past, expires: past},
		"depleted, suspended":           {status: "suspended", activated: &past, suspended: &future},
		"pending, expires in a moment":  {expires: now.Add(time.Microsecond)},
		"suspended, for another moment": {status: "suspended", activated: &past, balance: "5", suspended: pointer(now.Add(time.Microsecond))},
	}
	for _, card := range cards {
		card.program = m.ProgramID
		plant(t, s, card)
	}
	for status, names := range map[string][]string{
		"pending":   {"pending", "suspended, over, never used", "pending, expires in a moment"},
		"active":    {"active", "suspended, over", "suspended, over at this time"},
		"suspended": {"suspended", "suspended before activation", "suspended, for another moment"},
		"expired":   {"expired", "expires at this time", "expired, never used", "expired, suspended"},
		"voided":    {"voided", "voided, past its date"},
		"depleted":  {"depleted", "depleted, past its date", "depleted, suspended"},
	} {
		ids, _ := list(t, m, allCards+"?status="+status)
		same(t, "status="+status, ids, cards, names)
	}
	rich := []string{"active", "suspended", "suspended, over", "suspended, over at this time", "expired", "expires at this time", "expired, suspended", "suspended, for another moment"}
	ids, _ := list(t, m, allCards+"?positive_balance=yes")
	same(t, "positive_balance", ids, cards, rich)
	ids, _ = list(t, m, allCards+"?positive_balance=1&status=expired")
	same(t, "positive_balance of expired ones", ids, cards, []string{"expired", "expires at this time", "expired, suspended"})
	ids, _ = list(t, m, allCards+"?cardId="+cards["voided"].id.String())
	same(t, "cardId", ids, cards, []string{"voided"})
	ids, _ = list(t, m, allCards+"?status=active&cardId="+cards["voided"].id.String())
	same(t, "cardId in another state", ids, cards, nil)
}

func pointer[T any](v T) *T { return &v }

// same compares ids with those of the named cards, in any order.
func same(t *testing.T, what string, ids []string, cards map[string]*planted, names []string) {
	t.Helper()
	var want []string
	for _, name := range names {
		want = append(want, cards[name].String())
	}
	slices.Sort(want)
	slices.Sort(ids)
	if !slices.Equal(ids, want) {
		for name, card := range cards {
			if slices.Contains(ids, card.String()) != slices.Contains(want, card.String()) {
				t.Errorf("%s: is %q in the list: %v", what, name, slices.Contains(ids, card.String()))
			}
		}
	}
}

// TestASearchFindsCardsByNumberLastFourDigitsAndPartOfNameOrAddress, in old and new cards alike.
func TestASearchFindsCardsByNumberLastFourDigitsAndPartOfNameOrAddress(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	cards := map[string]*planted{
		"anna":    {number: 9140332997195788, email: pointer("Anna.Berg+shop@Example.com"), name: pointer("Anna Berg")},
		"bert":    {number: 9140332997191234, email: pointer("bert_1@example.com"), new: true},
		"name":    {number: 9000000000001234, name: pointer("Zoë 100% 🎁")},
		"nobody":  {number: 9000000000005788},
		"zeros":   {number: 42, name: pointer("Old Series"), new: true},
		"ann1234": {number: 9000000000000001, name: pointer("card 1234"), email: pointer("x@y.test")},
	}
	for _, card := range cards {
		card.program = m.ProgramID
		plant(t, s, card)
	}
	for q, names := range map[string][]string{
		"9140332997195788": {"anna"}, "9140 3329 9719 5788": {"anna"}, " 9140-3329-9719-5788 ": {"anna"}, "0000000000000042": {"zeros"},
		"9140332997195789": nil, "91403329971957880": nil, "９１４０３３２９９７１９５７８８": nil,
		"5788": {"anna", "nobody"}, "1234": {"bert", "name"}, " 1234 ": {"bert", "name"}, "0042": {"zeros"}, "12345": nil, "１２３４": nil,
		"anna": {"anna"}, "ANNA.BERG": {"anna"}, "berg+": {"anna"}, "na Be": {"anna"}, "example": {"anna", "bert"}, "EXAMPLE.COM": {"anna", "bert"},
		"_": {"bert"}, "%": {"name"}, "100%": {"name"}, "b%t": nil, "bert_1": {"bert"}, "bertx1": nil, `\`: nil, "zo": {"name"}, "ZOË": {"name"}, "🎁": {"name"},
		"a": {"anna", "bert", "ann1234"}, "rd 123": {"ann1234"}, "series": {"zeros"},
		"\x00": nil, "anna\x00": nil, strings.Repeat("anna", 500): nil, "com\nAnna": nil,
		"": {"anna", "bert", "name", "nobody", "zeros", "ann1234"}, "  ": {"anna", "bert", "name", "nobody", "zeros", "ann1234"},
	} {
		for _, path := range []string{searchPath(m.ProgramID), allCards} {
			ids, _ := list(t, m, path+"?q="+url.QueryEscape(q))
			same(t, fmt.Sprintf("%s q=%.30q", path, q), ids, cards, names)
		}
	}
	ids, _ := list(t, m, allCards+"?q=1234&status=active")
	same(t, "1234, active", ids, cards, nil)
}

// TestTheNextPageOfASearchHasTheSameCards, of every kind of search.
func TestTheNextPageOfASearchHasTheSameCards(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	cards := map[string]*planted{}
	var names []string
	for i := range 25 {
		name := fmt.Sprint(i)
		names = append(names, name)
		cards[name] = &planted{program: m.ProgramID, number: 9e15 + int64(i)*10_000 + 4321, name: pointer("Same Name & more"), new: i%2 == 0, created: s.Store.Now().Add(time.Duration(-i/3) * time.Second)}
		plant(t, s, cards[name], &planted{program: m.ProgramID, number: 9e15 + int64(i)*10_000 + 4322, name: pointer("Else")})
	}
	for _, q := range []string{"4321", "e name & m", "& "} {
		var all []string
		pages := 0
		for next := allCards + "?limit=4&merchant_id=" + m.ID + "&positive_balance=no&status=pending&q=" + url.QueryEscape(q); next != ""; pages++ {
			var ids []string
			ids, next = list(t, m, next)
			all = append(all, ids...)
		}
		if pages != 7 {
			t.Errorf("%s: %d pages, want 7", q, pages)
		}
		same(t, q, all, cards, names)
	}
	for _, after := range []string{"", "x", strings.Repeat("A", 48), strings.Repeat("0", 47), strings.Repeat("g", 48)} {
		if answer := m.Do(http.MethodGet, allCards+"?after="+after, nil, nil); answer.Status != http.StatusUnprocessableEntity {
			t.Errorf("after=%s: %d, want 422", after, answer.Status)
		}
	}
}

// TestReadsShowNothingOfAnotherMerchant, not even whether it exists, but for a program, which
// the caller names.
func TestReadsShowNothingOfAnotherMerchant(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	second := addProgram(t, s, m)
	mine := &planted{program: m.ProgramID, number: 9000000000001111, name: pointer("Common Name")}
	beside := &planted{program: second, number: 9000000000002222}
	theirs := &planted{program: stranger.ProgramID, number: 9140332997191111, name: pointer("Common Name"), email: pointer("secret@example.com"), new: true}
	plant(t, s, mine, beside, theirs)
	cards := map[string]*planted{"mine": mine, "beside": beside, "theirs": theirs}
	for target, names := range map[string][]string{
		allCards:                                   {"mine", "beside"},
		allCards + "?merchant_id=" + m.ID:          {"mine", "beside"},
		allCards + "?programId=" + second:          {"beside"},
		allCards + "?q=1111":                       {"mine"},
		allCards + "?q=common":                     {"mine"},
		allCards + "?q=9140332997191111":           nil,
		allCards + "?q=secret":                     nil,
		allCards + "?cardId=" + theirs.id.String(): nil,
		allCards + "?merchant_id=" + stranger.ID:   nil,
		allCards + "?merchant_id=" + m.ProgramID:   nil, // of nobody
		allCards + "?after=" + theirs.id.String() + stranger.ProgramID + "&q=secret": nil,
		searchPath(m.ProgramID) + "?merchant_id=" + stranger.ID:                      nil,
		searchPath(m.ProgramID) + "?q=2222":                                          nil,
		searchPath(m.ProgramID) + "?cardId=" + theirs.id.String():                    nil,
		searchPath(second): {"beside"},
	} {
		ids, _ := list(t, m, target)
		same(t, target, ids, cards, names)
	}
	unknown := id.New(s.Store.Now()).String()
	for target, want := range map[string]string{
		allCards + "?programId=" + stranger.ProgramID:                                   `403 {"detail":"Program belongs to another merchant"}`,
		allCards + "?programId=" + unknown:                                              `404 {"detail":"Program not found"}`,
		allCards + "?merchant_id=" + stranger.ID + "&programId=" + stranger.ProgramID:   `403 {"detail":"Program belongs to another merchant"}`,
		searchPath(stranger.ProgramID):                                                  `403 {"detail":"Program belongs to another merchant"}`,
		searchPath(unknown):                                                             `404 {"detail":"Program not found"}`,
		stranger.Cards() + "/" + theirs.id.String():                                     `403 {"detail":"Program belongs to another merchant"}`,
		m.Cards() + "/" + theirs.id.String():                                            `404 {"detail":"Gift card not found"}`,
		m.Cards() + "/" + theirs.id.String() + "?include_transactions=true":             `404 {"detail":"Gift card not found"}`,
		m.Cards() + "/" + beside.id.String():                                            `404 {"detail":"Gift card not found"}`,
		m.Cards() + "/" + unknown:                                                       `404 {"detail":"Gift card not found"}`,
		"/v2/giftcards/programs/" + stranger.ProgramID + "/reports/business":            `403 {"detail":"Program belongs to another merchant"}`,
		"/v2/giftcards/programs/" + stranger.ProgramID + "/reports/expiration-warnings": `403 {"detail":"Program belongs to another merchant"}`,
		"/v2/giftcards/programs/" + unknown + "/reports/escheatment":                    `404 {"detail":"Program not found"}`,
	} {
		answer := m.Do(http.MethodGet, target, nil, nil)
		if got := fmt.Sprintf("%d %s", answer.Status, strings.TrimSpace(string(answer.Body))); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// TestDetailsHaveTheNewestEntriesOfTheLedgerIfTheyAreAskedFor.
func TestDetailsHaveTheNewestEntriesOfTheLedgerIfTheyAreAskedFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	card := newCard(t, m)
	details := func(query string) (d api.GiftCardDetailsResponse, raw string) {
		t.Helper()
		answer := m.Do(http.MethodGet, m.Cards()+"/"+card+query, nil, nil)
		if answer.Status != http.StatusOK {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
		if err := json.Unmarshal(answer.Body, &d); err != nil {
			t.Fatal(err)
		}
		return d, string(answer.Body)
	}
	for query, want := range map[string]string{"": `"transactions":null`, "?include_transactions=0": `"transactions":null`, "?include_transactions=on": `"transactions":[]`} {
		if _, raw := details(query); !strings.Contains(raw, want) || strings.Contains(raw, "securityCode") {
			t.Errorf("%s: %s", query, raw)
		}
	}
	for _, step := range []struct{ path, body string }{{"/activate", `{}`}, {"/redeem", `{"amount":"5.25","cashierId":"c","terminalId":"t","posTransactionId":"p"}`}, {"/reload", `{"amount":"1","referenceId":"r"}`}} {
		if answer := changeCard(m, card+step.path, "", step.body); answer.Status != http.StatusOK {
			t.Fatalf("%s: %d %s", step.path, answer.Status, answer.Body)
		}
	}
	d, raw := details("?include_transactions=TRUE")
	if d.Transactions == nil || len(*d.Transactions) != 3 || d.Balance.String() != "20.75" {
		t.Fatalf("details: %s", raw)
	}
	for i, want := range []string{"RELOAD 1.00 19.75 20.75", "REDEMPTION -5.25 25.00 19.75", "ACTIVATION 25.00 0.00 25.00"} {
		e := (*d.Transactions)[i]
		if got := fmt.Sprint(e.TransactionType, " ", e.Amount, " ", e.BalanceBefore, " ", e.BalanceAfter); got != want || e.MerchantId != m.ID || !e.CreatedAt.Equal(e.ProcessedAt) {
			t.Errorf("entry %d: %s %+v, want %s", i, got, e, want)
		}
	}
	if e := (*d.Transactions)[1]; e.CashierId == nil || *e.CashierId != "c" || *e.TerminalId != "t" || *e.PosTransactionId != "p" || e.ReferenceId != nil {
		t.Errorf("redemption: %+v", e)
	}
	for range 1000 { // 1003 entries in all
		if answer := changeCard(m, card+"/reload", "", `{"amount":"0.01"}`); answer.Status != http.StatusOK {
			t.Fatalf("reload: %d %s", answer.Status, answer.Body)
		}
	}
	d, _ = details("?include_transactions=1")
	if len(*d.Transactions) != 1000 || (*d.Transactions)[0].BalanceAfter.String() != "30.75" || (*d.Transactions)[999].BalanceAfter.String() != "20.76" {
		t.Errorf("%d entries from %s to %s", len(*d.Transactions), (*d.Transactions)[0].BalanceAfter, (*d.Transactions)[999].BalanceAfter)
	}
}
