package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest"
)

// at returns the header Sandbox-Now for a time after the real one.
func at(b *box, after time.Duration) string {
	return "Sandbox-Now: " + b.Store.Clock().Add(after).Format(time.RFC3339Nano)
}

const day = 24 * time.Hour

// card creates a card of 25.00 and returns its path.
func card(b *box, m *servertest.Merchant, more string, headers ...string) (path string, created answer) {
	b.t.Helper()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	created = b.send(http.MethodPost, cards, m.Token, fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q%s}`, m.ID, more), headers...)
	if created.status != http.StatusCreated {
		b.t.Fatalf("create: %d %s", created.status, created.body)
	}
	return cards + "/" + created.field(b.t, "id"), created
}

// activated creates and activates a card and returns its path.
func activated(b *box, m *servertest.Merchant, headers ...string) string {
	b.t.Helper()
	path, _ := card(b, m, "", headers...)
	if got := b.send(http.MethodPost, path+"/activate", m.Token, "{}", headers...); got.status != http.StatusOK {
		b.t.Fatalf("activate: %d %s", got.status, got.body)
	}
	return path
}

func waitForTask(t *testing.T, b *box, m *servertest.Merchant, task string) answer {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		got := b.send(http.MethodGet, "/v2/giftcards/programs/"+m.ProgramID+"/cards/bulk/"+task, m.Token, "")
		if status := got.field(t, "status"); status == "completed" || status == "failed" {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("after a minute the task is %s", got.body)
		}
	}
}

// TestACardExpiresInTheTimeOfTheRequest: the same request without Sandbox-Now still works.
func TestACardExpiresInTheTimeOfTheRequest(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	path := activated(b, m)
	got := b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5"}`, at(b, 2*365*day))
	if got.status != http.StatusBadRequest || got.detail() != "Gift card has expired" {
		t.Errorf("in two years: %d %s", got.status, got.body)
	}
	if got := b.send(http.MethodGet, path, m.Token, "", at(b, 2*365*day)); got.field(t, "status") != "expired" {
		t.Errorf("the card in two years: %s", got.body)
	}
	list := b.send(http.MethodGet, "/v2/giftcards/programs/cards?status=expired", m.Token, "", at(b, 2*365*day))
	if !strings.Contains(string(list.body), `"status":"expired"`) {
		t.Errorf("the list of expired cards in two years: %s", list.body)
	}
	report := b.send(http.MethodGet, "/v2/giftcards/programs/"+m.ProgramID+"/reports/business", m.Token, "", at(b, 2*365*day))
	if !strings.Contains(string(report.body), `"expiredCards":1`) {
		t.Errorf("the report in two years: %s", report.body)
	}
	got = b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5"}`)
	if got.status != http.StatusOK || got.field(t, "remainingBalance") != "20.00" {
		t.Errorf("now: %d %s", got.status, got.body)
	}
}

// TestTheRulesOfARequestFollowItsTime: dates are judged by the time of the request, and not by
// the clock.
func TestTheRulesOfARequestFollowItsTime(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	body := fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q, "expiresAt": "2031-01-01T00:00:00Z"}`, m.ID)
	path := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	for now, want := range map[string]int{
		"2030-12-31T23:59:59Z": http.StatusCreated, "2031-01-01T00:00:00Z": http.StatusUnprocessableEntity,
		"2026-01-01T00:00:00Z": http.StatusCreated, "2025-12-31T00:00:00Z": http.StatusUnprocessableEntity, // more than five years
		"2031-01-01T01:00:00+02:00": http.StatusCreated,
	} {
		got := b.send(http.MethodPost, path, m.Token, body, "Sandbox-Now: "+now)
		if got.status != want {
			t.Errorf("%s: %d %s, want %d", now, got.status, got.body, want)
		}
		if want == http.StatusCreated {
			created, err := time.Parse(time.RFC3339Nano, got.field(t, "createdAt"))
			must(t, err)
			if asked, _ := time.Parse(time.RFC3339, now); !created.Equal(asked) {
				t.Errorf("created at %s, want %s", created, now)
			}
		}
	}
}

// TestATimeBeforeTheCardsLastEventIsRefused, and nothing changes. A time in the same second as the last
// event is accepted, and the card then has the time of that event.
func TestATimeBeforeTheCardsLastEventIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	path, created := card(b, m, `, "customerEmail": "ada@example.com"`, at(b, 30*day))
	at29, at31 := at(b, 29*day), at(b, 31*day)
	for operation, body := range map[string]string{
		"POST /activate": "{}", "POST /void": `{}`, "POST /suspend": `{}`, "POST /resend-code": `{}`, "PATCH /schedule": `{"deliverAt": null}`,
	} {
		method, name, _ := strings.Cut(operation, " ")
		got := b.send(method, path+name, m.Token, body, at29)
		if got.status != http.StatusBadRequest || !strings.HasPrefix(got.detail(), "Sandbox-Now must not be before the last event of the gift card, at ") {
			t.Errorf("%s before the creation: %d %s", operation, got.status, got.body)
		}
	}
	second := "Sandbox-Now: " + mustTime(t, created.field(t, "createdAt")).Truncate(time.Second).Format(time.RFC3339)
	if got := b.send(http.MethodPost, path+"/activate", m.Token, "{}", second); got.status != http.StatusOK || got.field(t, "activatedAt") != created.field(t, "createdAt") {
		t.Errorf("activate in the second of the creation: %d %s", got.status, got.body)
	}
	if got := b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5"}`, at31); got.status != http.StatusOK {
		t.Errorf("redeem later: %d %s", got.status, got.body)
	}
	got := b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5"}`, at(b, 30*day+time.Hour))
	if got.status != http.StatusBadRequest || !strings.Contains(got.detail(), "Sandbox-Now") {
		t.Errorf("redeem before the last entry: %d %s", got.status, got.body)
	}
	if got := b.send(http.MethodGet, path, m.Token, ""); got.field(t, "balance") != "20.00" {
		t.Errorf("in the end: %s", got.body)
	}
}

func mustTime(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339Nano, text)
	must(t, err)
	return parsed
}

// TestADeliveryDoesNotMoveTheTimeOfACard: messages follow the clock. A card that was made at
// another time can still be used at that time afterwards.
func TestADeliveryDoesNotMoveTheTimeOfACard(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	path, _ := card(b, m, `, "customerEmail": "ada@example.com"`, "Sandbox-Now: 2021-05-01T12:00:00Z")
	// The outbox of a test delivers nothing, so this does what the record of a delivery does.
	storetest.AsOwner(t, b.Store, func(tx *store.Tx) (any, error) {
		return tx.Unwrap().Exec(t.Context(), "update gift_cards set delivered = true, updated_at = now()")
	})
	got := b.send(http.MethodPost, path+"/activate", m.Token, "{}", "Sandbox-Now: 2021-06-01T12:00:00Z")
	if got.status != http.StatusOK || got.field(t, "activatedAt") != "2021-06-01T12:00:00Z" {
		t.Errorf("activate in 2021: %d %s", got.status, got.body)
	}
}

// TestTokensKeysAndMessagesFollowTheClock in a request of another time: a token and a key
// keep the times of the clock, and the message about a card of the past is sent now.
func TestTokensKeysAndMessagesFollowTheClock(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	for _, now := range []string{"2002-01-01T00:00:00Z", "2098-12-31T23:59:59.999999Z"} {
		path := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
		body := fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q, "customerEmail": "ada@example.com"}`, m.ID)
		first := b.send(http.MethodPost, path, m.Token, body, "Sandbox-Now: "+now, "Idempotency-Key: "+now)
		again := b.send(http.MethodPost, path, m.Token, body, "Idempotency-Key: "+now)
		if first.status != http.StatusCreated || again.header.Get("Idempotent-Replayed") != "true" || again.field(t, "id") != first.field(t, "id") {
			t.Errorf("%s: %d %s, then %d %s", now, first.status, first.body, again.status, again.body)
		}
	}
	must(t, store.Do(t.Context(), b.Store, func(tx *store.Tx) error {
		_, err := tx.DeleteExpired(t.Context(), storetest.Lifetimes, 100)
		return err
	}))
	for table, want := range map[string]int{
		"idempotency_keys where created_at between now() - interval '1 hour' and now() + interval '1 hour'": 2,
		"messages where send_at between now() - interval '1 hour' and now() + interval '1 hour'":            2,
		"gift_cards where created_at < '2003-01-01' or created_at > '2098-01-01'":                           2,
	} {
		if got := storetest.Count(t, b.Store, table); got != want {
			t.Errorf("%s: %d rows, want %d", table, got, want)
		}
	}
}

// TestTimesOfConcurrentRequestsDoNotMix: a request with Sandbox-Now runs beside requests that share
// transactions.
func TestTimesOfConcurrentRequestsDoNotMix(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	const cards = 12
	paths := make([]string, cards)
	for i := range paths {
		paths[i] = activated(b, m)
	}
	timeOf := func(i int) time.Time { return b.Store.Clock().Truncate(time.Second).AddDate(0, 0, 1+i) }
	times := make([]time.Time, cards)
	var group sync.WaitGroup
	for i, path := range paths {
		times[i] = timeOf(i)
		group.Go(func() {
			var headers []string
			if i%2 == 0 { // the others have the time of the clock
				headers = append(headers, "Sandbox-Now: "+times[i].Format(time.RFC3339))
			}
			if got := b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5"}`, headers...); got.status != http.StatusOK {
				t.Errorf("redeem: %d %s", got.status, got.body)
			}
		})
	}
	group.Wait()
	for i, path := range paths {
		details := b.send(http.MethodGet, path+"?include_transactions=true", m.Token, "")
		var read struct {
			Transactions []struct{ CreatedAt time.Time }
		}
		must(t, json.Unmarshal(details.body, &read))
		redeemed := read.Transactions[0].CreatedAt
		if i%2 == 0 && !redeemed.Equal(times[i]) {
			t.Errorf("card %d was redeemed at %s, want %s", i, redeemed, times[i])
		}
		if i%2 == 1 && redeemed.After(b.Store.Clock()) {
			t.Errorf("card %d was redeemed at %s, want a time of the clock", i, redeemed)
		}
	}
}
