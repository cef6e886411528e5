package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"giftcards/server/servertest"
)

// TestASearchFindsCardsByNumberLastFourDigitsAndPartOfNameOrAddress, in old and new cards alike.
func TestASearchFindsCardsByNumberLastFourDigitsAndPartOfNameOrAddress(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	cards := map[string]*planted{
		"anna":    {number: 9140332997195788, email: new("Anna.Berg+shop@Example.com"), name: new("Anna Berg")},
		"bert":    {number: 9140332997191234, email: new("bert_1@example.com"), new: true},
		"name":    {number: 9000000000001234, name: new("Zoë 100% 🎁")},
		"nobody":  {number: 9000000000005788},
		"zeros":   {number: 42, name: new("Old Series"), new: true},
		"ann1234": {number: 9000000000000001, name: new("card 1234"), email: new("x@y.test")},
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

// TestThePagesOfASearchHaveEachCardOnce, for every kind of search.
func TestThePagesOfASearchHaveEachCardOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	cards := map[string]*planted{}
	var names []string
	for i := range 25 {
		name := fmt.Sprint(i)
		names = append(names, name)
		cards[name] = &planted{program: m.ProgramID, number: 9e15 + int64(i)*10_000 + 4321, name: new("Same Name & more"), new: i%2 == 0, created: s.Store.Clock().Add(time.Duration(-i/3) * time.Second)}
		plant(t, s, cards[name], &planted{program: m.ProgramID, number: 9e15 + int64(i)*10_000 + 4322, name: new("Else")})
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
