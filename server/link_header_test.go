package server_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
)

var linkPattern = regexp.MustCompile(`^<(http[^<>]*/v2/giftcards/downloads/[A-Za-z0-9_-]+)>; rel="alternate"; type="text/csv"$`)

// linkedTo returns the address in the Link header of an answer, or "" if there is none.
func linkedTo(t *testing.T, name string, header http.Header) string {
	t.Helper()
	link := header.Get("Link")
	if link == "" {
		return ""
	}
	found := linkPattern.FindStringSubmatch(link)
	if found == nil {
		t.Fatalf("%s: Link: %s", name, link)
	}
	return found[1]
}

// TestEveryIssuedCardsCodeCanBeRead, even if nobody is sent the card: each answer with cards,
// including a replay, has a link for its issuer to the CSV of exactly these cards.
func TestEveryIssuedCardsCodeCanBeRead(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	create := fmt.Appendf(nil, `{"initialValue":25,"merchantId":%q}`, m.ID)
	few := []byte(`{"initialValue":25,"recipients":[{"customerName":"Ada"},{"customerName":"Bo"}]}`)
	recipients := make([]api.BulkIssueRecipient, 60)
	many, err := json.Marshal(map[string]any{"initialValue": 25, "recipients": recipients})
	if err != nil {
		t.Fatal(err)
	}
	var task api.BulkIssuanceAsyncResponse
	accepted := m.Do(http.MethodPost, m.Cards()+"/bulk", withKey("many"), many)
	if err := json.Unmarshal(accepted.Body, &task); err != nil || accepted.Header.Get("Link") != "" {
		t.Fatalf("%d %v %s", accepted.Status, accepted.Header, accepted.Body)
	}
	pollToEnd(t, m, task.TaskId)
	poll := m.Cards() + "/bulk/" + task.TaskId
	for name, ask := range map[string]func() servertest.Answer{
		"create":     func() servertest.Answer { return m.Do(http.MethodPost, m.Cards(), withKey("create"), create) },
		"recipients": func() servertest.Answer { return m.Do(http.MethodPost, m.Cards()+"/bulk", withKey("few"), few) },
		"a task's":   func() servertest.Answer { return m.Do(http.MethodGet, poll, nil, nil) },
		"by count": func() servertest.Answer {
			return m.Do(http.MethodPost, m.Cards()+"/bulk", withKey("count"), []byte(`{"initialValue":25,"count":4}`))
		},
	} {
		first := ask()
		s.Clock.Move(2 * time.Second) // links of another second differ
		again := ask()
		if name != "by count" && !bytes.Equal(first.Body, again.Body) {
			t.Errorf("%s: %s, again %s", name, first.Body, again.Body)
		}
		links := []string{linkedTo(t, name, first.Header), linkedTo(t, name, again.Header)}
		if links[0] == links[1] {
			t.Errorf("%s: the link again is not a fresh one: %q", name, links[0])
		}
		for _, link := range links {
			wantCodes(t, s, name, link, cardsOf(t, first.Body))
		}
	}
}

// cardsOf returns the ids and numbers in an answer with cards.
func cardsOf(t *testing.T, body []byte) (cards []api.BulkIssuedCardSummary) {
	t.Helper()
	var answer struct {
		api.BulkIssuedCardSummary
		Cards []api.BulkIssuedCardSummary `json:"cards"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	if answer.Cards != nil {
		return answer.Cards
	}
	return []api.BulkIssuedCardSummary{answer.BulkIssuedCardSummary}
}

func wantCodes(t *testing.T, s *servertest.Server, name, link string, cards []api.BulkIssuedCardSummary) {
	t.Helper()
	lines, err := csv.NewReader(bytes.NewReader(get(t, s, link).Body)).ReadAll()
	if err != nil || len(lines) != len(cards)+1 {
		t.Fatalf("%s: %d lines of %d cards, %v", name, len(lines), len(cards), err)
	}
	for i, line := range lines[1:] {
		if line[0] != cards[i].CardNumber || line[4] != cards[i].Id || !regexp.MustCompile(`^\d{6}$`).MatchString(line[1]) {
			t.Errorf("%s: line %q of card %+v", name, line, cards[i])
		}
	}
}

// TestAReaderGetsNoLinkToCodes from a poll of any task.
func TestAReaderGetsNoLinkToCodes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	many := 60
	for name, request := range map[string]api.BulkIssueGiftCardRequest{
		"by count": {InitialValue: amount(t, "5"), Count: &many}, "recipients": {InitialValue: amount(t, "5"), Recipients: make([]api.BulkIssueRecipient, many)},
	} {
		task := bulk(t, m, nil, request).JSON202.TaskId
		pollToEnd(t, m, task)
		reader := mint(t, s, userAs(t, s, m.ID, store.RoleReader), m.ID)
		answer := m.Do(http.MethodGet, m.Cards()+"/bulk/"+task, http.Header{"Authorization": {"Bearer " + reader}}, nil)
		if answer.Status != http.StatusOK || answer.Header.Get("Link") != "" || strings.Contains(string(answer.Body), "/downloads/") {
			t.Errorf("%s: %d %v %.200s", name, answer.Status, answer.Header, answer.Body)
		}
	}
}
