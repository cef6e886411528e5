package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store/id"
)

// TestReadsShowNothingOfAnotherMerchant, not even whether a card or merchant exists. A caller can
// learn only whether a program exists.
func TestReadsShowNothingOfAnotherMerchant(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	second := addProgram(t, s, m)
	mine := &planted{program: m.ProgramID, number: 9000000000001111, name: new("Common Name")}
	beside := &planted{program: second, number: 9000000000002222}
	theirs := &planted{program: stranger.ProgramID, number: 9140332997191111, name: new("Common Name"), email: new("secret@example.com"), new: true}
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
	unknown := id.New(s.Store.Clock()).String()
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
