package server_test

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/storetest/check"
)

// TestAMerchantGetsFromLoginToCardsAndAStrangerDoesNot takes the steps of a merchant's first day in
// their order.
func TestAMerchantGetsFromLoginToCardsAndAStrangerDoesNot(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant() // logs in
	ctx := t.Context()

	email := "ada@example.com"
	created, err := m.Client.CreateGiftCardWithResponse(ctx, m.ProgramID, nil, api.CreateGiftCardRequest{
		InitialValue: amount(t, "25"), MerchantId: m.ID, CustomerEmail: &email,
	})
	if err != nil || created.JSON201 == nil {
		t.Fatalf("create: %v %s", err, created.Body)
	}
	card := created.JSON201
	if card.Status != "pending" || card.Balance.String() != "0.00" || card.InitialValue.String() != "25.00" ||
		len(card.CardNumber) != 16 || !check.Luhn(card.CardNumber) || card.LastFourDigits != card.CardNumber[12:] {
		t.Errorf("created card %+v", card)
	}
	if got := card.ExpiresAt.Sub(card.CreatedAt); got != 365*24*time.Hour {
		t.Errorf("the card lasts %s by default, want 365 days", got)
	}

	fifty := 50
	issued := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "10.5"), Count: &fifty})
	if issued.JSON201 == nil || issued.JSON201.IssuedCount != 50 || len(issued.JSON201.Cards) != 50 || issued.JSON201.CsvDownloadUrl == nil {
		t.Fatalf("bulk 50: %d %s", issued.StatusCode(), issued.Body)
	}
	checkCSV(t, s, *issued.JSON201.CsvDownloadUrl, issued.JSON201.Cards, "10.50")

	many, key := 5_000, "the-key"
	request := api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}
	accepted := bulk(t, m, &key, request)
	if accepted.JSON202 == nil {
		t.Fatalf("bulk 5000: %d %s", accepted.StatusCode(), accepted.Body)
	}
	task := accepted.JSON202.TaskId
	if want := m.Cards() + "/bulk/" + task; accepted.HTTPResponse.Header.Get("Location") != want {
		t.Errorf("Location %q, want %q", accepted.HTTPResponse.Header.Get("Location"), want)
	}
	status := pollToEnd(t, m, task)
	if status.Status != "completed" || *status.IssuedCount != many || len(*status.Cards) != many || status.CsvDownloadUrl == nil || status.CompletedAt == nil {
		t.Fatalf("task ended %s with %d cards", status.Status, len(*status.Cards))
	}
	checkCSV(t, s, *status.CsvDownloadUrl, *status.Cards, "7.00")

	replayed := bulk(t, m, &key, request)
	if replayed.StatusCode() != http.StatusAccepted || string(replayed.Body) != string(accepted.Body) ||
		replayed.HTTPResponse.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("replay: %d %s %v", replayed.StatusCode(), replayed.Body, replayed.HTTPResponse.Header)
	}
	other := many + 1
	request.Count = &other
	if refused := bulk(t, m, &key, request); refused.JSON422 == nil || (*refused.JSON422.Detail)[0].Loc[1] != "idempotency-key" {
		t.Errorf("other body under the key: %d %s", refused.StatusCode(), refused.Body)
	}

	stranger := s.Merchant()
	foreign, err := stranger.Client.PollBulkIssuanceWithResponse(ctx, m.ProgramID, task)
	if err != nil || foreign.JSON403 == nil || foreign.JSON403.Detail != "Program belongs to another merchant" {
		t.Errorf("another merchant's poll: %v %d %s", err, foreign.StatusCode(), foreign.Body)
	}
}

// checkCSV downloads the CSV without credentials and compares it with the cards.
func checkCSV(t *testing.T, s *servertest.Server, link string, cards []api.BulkIssuedCardSummary, value string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := s.Send(r)
	if answer.Status != http.StatusOK {
		t.Fatalf("CSV: %d %s", answer.Status, answer.Body)
	}
	lines, err := csv.NewReader(strings.NewReader(string(answer.Body))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"cardNumber", "securityCode", "initialValue", "expiresAt", "id"}; !slices.Equal(lines[0], want) {
		t.Errorf("CSV begins %q, want %q", lines[0], want)
	}
	if len(lines) != len(cards)+1 {
		t.Fatalf("CSV of %d lines for %d cards", len(lines), len(cards))
	}
	codes := map[string]bool{}
	for i, line := range lines[1:] {
		if line[0] != cards[i].CardNumber || line[4] != cards[i].Id || line[2] != value || len(line[1]) != 6 {
			t.Fatalf("CSV line %d is %q for card %+v", i+1, line, cards[i])
		}
		codes[line[1]] = true
	}
	if len(codes) < len(cards)/2 {
		t.Errorf("only %d different security codes in %d cards", len(codes), len(cards))
	}
}
