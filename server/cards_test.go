package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// planted is a card that a test writes directly into the database.
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
	new                  bool       // the card is not in the index of texts yet
}

// plant writes cards, and fills in ids, numbers and times that are not set.
func plant(t *testing.T, s *servertest.Server, cards ...*planted) {
	t.Helper()
	now := s.Store.Clock()
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		enforce, err := plantingFreely(t, tx)
		if err != nil {
			return struct{}{}, err
		}
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
			if _, err := tx.Unwrap().Exec(t.Context(), `insert into card_totals (program_id, session, cards) values ($1, 0, 1)
				on conflict (program_id, session) do update set cards = card_totals.cards + 1`, program); err != nil {
				return struct{}{}, err
			}
		}
		return struct{}{}, enforce()
	})
}

// plantingFreely lets a transaction of the tables' owner write balances and entries that do not fit
// together. enforce ends this.
func plantingFreely(t *testing.T, tx *store.Tx) (enforce func() error, err error) {
	t.Helper()
	triggers := func(verb string) error {
		_, err := tx.Unwrap().Exec(t.Context(), "alter table gift_cards "+verb+" trigger gift_cards_issued_balance_is_posted")
		if err == nil {
			_, err = tx.Unwrap().Exec(t.Context(), "alter table ledger_entries "+verb+" trigger ledger_entries_chain")
		}
		return err
	}
	return func() error { return triggers("enable") }, triggers("disable")
}

// list gets a list of cards. It returns the ids in it, and the address of the next page.
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

// TestListsHaveTheNewestCardsFirstAndEachOnOnePage, whether a client follows Link, or counts page
// or offset. Cards of the same second also have a fixed order, even if they have the same id in
// two programs.
func TestListsHaveTheNewestCardsFirstAndEachOnOnePage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	other := addProgram(t, s, m)
	var cards []*planted
	for i := range 151 {
		card := planted{program: m.ProgramID, created: s.Store.Clock().Add(-time.Duration(i/30) * time.Second)}
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
		"all programs":         {allCards + "?limit=47", wanted(m.ProgramID, other)},
		"as many as may be":    {allCards + "?limit=99999999999999999999", wanted(m.ProgramID, other)},
		"one program":          {allCards + "?limit=50&programId=" + other, wanted(other)},
		"a search for nothing": {searchPath(m.ProgramID) + "?limit=75&q=+", wanted(m.ProgramID)},
		"by state":             {allCards + "?limit=101&status=pending", wanted(m.ProgramID, other)},
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
		for _, path := range []string{searchPath(m.ProgramID), allCards}[:full.Size(2, 1)] {
			if ids, _ := list(t, m, path+"?"+query); len(ids) != want {
				t.Errorf("%s?%.40s: %d cards, want %d", path, query, len(ids), want)
			}
		}
	}
}

// TestAListFiltersByTheStateThatTheCardsHaveNow and not by the stored status.
func TestAListFiltersByTheStateThatTheCardsHaveNow(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2027, time.May, 1, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	now := s.Store.Clock()
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
		"suspended, for another moment": {status: "suspended", activated: &past, balance: "5", suspended: new(now.Add(time.Microsecond))},
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

// same fails unless the ids are those of the named cards, in any order.
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

// TestPagesSentAtOnceDoNotMix: large answers use the memory of those that were sent before.
func TestPagesSentAtOnceDoNotMix(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	var group sync.WaitGroup
	const path = allCards + "?limit=40"
	for range 2 {
		m, many := s.Merchant(), 40
		bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many})
		want := m.Do(http.MethodGet, path, nil, nil).Body
		if got := strings.Count(string(want), m.ProgramID); got != many {
			t.Fatalf("%d cards are on the page, want %d", got, many)
		}
		for range 2 {
			group.Go(func() {
				for range 5 {
					if got := m.Do(http.MethodGet, path, nil, nil).Body; !bytes.Equal(got, want) {
						t.Errorf("page of %s: %.300s", m.ProgramID, got)
					}
				}
			})
		}
	}
	group.Wait()
}
