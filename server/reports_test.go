package server_test

import (
	"net/http"
	"slices"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// entry writes an entry directly into the ledger.
func entry(t *testing.T, s *servertest.Server, card *planted, kind, amount string, at time.Time) {
	t.Helper()
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		program, err := id.Parse(card.program)
		if err != nil {
			return struct{}{}, err
		}
		enforce, err := plantingFreely(t, tx)
		if err != nil {
			return struct{}{}, err
		}
		_, err = tx.Unwrap().Exec(t.Context(), `insert into ledger_entries (program_id, card_id, id, type, amount, balance_before, balance_after, created_at)
			values ($1, $2, $3, $4, $5::numeric, greatest(0, -$5::numeric), greatest(0, $5::numeric), $6)`, program, card.id, id.New(at), kind, amount, at)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, enforce()
	})
}

// report gets a report of a merchant's program.
func report[Report any](t *testing.T, m *servertest.Merchant, name string) Report {
	t.Helper()
	return decode[Report](t, m.Do(http.MethodGet, "/v2/giftcards/programs/"+m.ProgramID+"/reports/"+name, nil, nil))
}

// TestTheBusinessReportAddsUp to figures that were computed by hand.
func TestTheBusinessReportAddsUp(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2027, time.May, 20, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	empty := report[api.BusinessReportsResponse](t, m, "business")
	if zero := (api.BusinessReportsResponse{}); mustJSON(t, empty) != mustJSON(t, zero) {
		t.Errorf("without cards: %+v", empty)
	}
	now := s.Store.Clock()
	first := time.Date(2027, time.May, 1, 0, 0, 0, 0, time.UTC)
	before, past, future := first.Add(-time.Microsecond), now.Add(-time.Hour), now.Add(time.Hour)
	active := &planted{status: "active", activated: &before, balance: "20.005"}
	late := &planted{status: "active", activated: &first, balance: "7"}
	over := &planted{status: "suspended", activated: &before, balance: "1", suspended: &past}
	suspended := &planted{status: "suspended", activated: &before, balance: "100", suspended: &future}
	expired := &planted{status: "active", activated: &before, balance: "50", expires: past}
	depleted := &planted{status: "active", activated: &first}
	consolidated := &planted{status: "active", activated: &first, balance: "3"}
	cards := []*planted{
		active, late, over, suspended, expired, depleted, consolidated,
		{}, {}, {}, {status: "suspended", suspended: &past}, // pending
		{status: "suspended"}, // suspended before its activation, without an end
		{expires: past}, {expires: now},
		{status: "voided"}, {status: "voided", activated: &before, expires: past},
	}
	for _, card := range cards {
		card.program = m.ProgramID
	}
	plant(t, s, cards...)
	for _, e := range []struct {
		card         *planted
		kind, amount string
		at           time.Time
	}{
		{active, "ACTIVATION", "25", before}, {active, "REDEMPTION", "-9.995", before}, {active, "RELOAD", "5", first},
		{late, "ACTIVATION", "10", first}, {late, "REDEMPTION", "-5", now}, {late, "REFUND", "2", now}, {late, "TRANSFER_OUT", "-1", now}, {active, "TRANSFER_IN", "1", now},
		{over, "ACTIVATION", "1", before}, {suspended, "ACTIVATION", "100", before}, {expired, "ACTIVATION", "50", before},
		{depleted, "ACTIVATION", "3", first}, {depleted, "CONSOLIDATION", "-3", now}, {consolidated, "CONSOLIDATION", "3", now},
		{expired, "REFUND", "-50", now}, {expired, "RESEND_CODE", "0", now}, {over, "VOID", "-1", now},
	} {
		entry(t, s, e.card, e.kind, e.amount, e.at)
	}
	want := api.BusinessReportsResponse{
		TotalCards: 16, ActiveCards: 4, PendingCards: 4, DepletedCards: 1, ExpiredCards: 3, VoidedCards: 2,
		TotalSold: amount(t, "194"), TotalRedeemed: amount(t, "12.995"), TotalBalance: amount(t, "31.005"),
		CardsSoldThisMonth: 2, SalesThisMonth: amount(t, "18"),
	}
	if got := report[api.BusinessReportsResponse](t, m, "business"); mustJSON(t, got) != mustJSON(t, want) {
		t.Errorf("got  %s\nwant %s", mustJSON(t, got), mustJSON(t, want))
	}
	// The same cards, one by one from the list, have the same states.
	states := map[string]int{}
	for _, state := range []string{"active", "pending", "depleted", "expired", "voided", "suspended"} {
		ids, _ := list(t, m, allCards+"?limit=1000&status="+state)
		states[state] = len(ids)
	}
	if states["active"] != 4 || states["pending"] != 4 || states["depleted"] != 1 || states["expired"] != 3 || states["voided"] != 2 || states["suspended"] != 2 {
		t.Errorf("listed: %v", states)
	}
}

// TestEveryIssuedCardIsCounted, however it was issued, and no other card.
func TestEveryIssuedCardIsCounted(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	shopOn(t, x.s).issue("25")
	for range 3 {
		x.issue("25")
	}
	few, many := 5, 60
	bulk(t, x.m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &few})
	pollToEnd(t, x.m, bulk(t, x.m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &many}).JSON202.TaskId)
	x.sell("25")
	x.want(x.consolidate("", "", x.sell("1"), x.sell("2")), http.StatusOK)
	got := report[api.BusinessReportsResponse](t, x.m, "business")
	if got.TotalCards != 72 || got.PendingCards != 68 || got.ActiveCards != 2 || got.VoidedCards != 2 {
		t.Errorf("%s, want 72 cards, 68 pending, 2 active and 2 voided", mustJSON(t, got))
	}
	wrong, err := store.Write(t.Context(), x.s.Store, func(tx *store.Tx) (int64, error) { return tx.RecountCards(t.Context()) })
	if err != nil || wrong != 0 {
		t.Errorf("%d programs had a wrong total (%v)", wrong, err)
	}
}

func TestExpirationWarningsNameActiveCardsWithMoneySoonestFirst(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2027, time.May, 20, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	now := s.Store.Clock()
	const days = 24 * time.Hour
	card := func(status, balance string, left time.Duration) *planted {
		c := &planted{program: m.ProgramID, status: status, balance: balance, activated: &now, expires: now.Add(left), email: new("a@example.com")}
		plant(t, s, c)
		return c
	}
	want := []struct {
		card  *planted
		days  int
		level string
	}{
		{card("active", "1", 90*days), 90, "90d"}, {card("active", "1", 60*days+1000), 61, "90d"}, {card("active", "1", 60*days), 60, "60d"},
		{card("active", "1", 30*days+1000), 31, "60d"}, {card("active", "0.001", 30*days), 30, "30d"}, {card("active", "2.50", 1000), 1, "30d"},
	}
	card("active", "1", 90*days+1000)
	card("active", "1", 0)
	card("active", "0", days)
	card("suspended", "1", days)
	plant(t, s, &planted{program: m.ProgramID, expires: now.Add(days)})
	slices.Reverse(want)
	got := report[api.ExpirationWarningsReportResponse](t, m, "expiration-warnings")
	if got.Count30d != 2 || got.Count60d != 2 || got.Count90d != 2 || len(got.Warnings) != len(want) || !got.GeneratedAt.Equal(now) || got.ReportId == "" {
		t.Fatalf("report: %s", mustJSON(t, got))
	}
	for i, w := range got.Warnings {
		if w.CardId != want[i].card.id.String() || w.DaysUntilExpiry != want[i].days || w.WarningLevel != want[i].level || len(w.CardNumber) != 16 || *w.CustomerEmail != "a@example.com" {
			t.Errorf("warning %d: %s, want %+v", i, mustJSON(t, w), want[i])
		}
	}
	if again := report[api.ExpirationWarningsReportResponse](t, m, "expiration-warnings"); again.ReportId == got.ReportId {
		t.Error("two reports have the same id")
	}
}

func TestTheEscheatmentReportNamesCardsThatTheirHoldersDoNotUse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.StopAt(time.Date(2027, time.May, 20, 12, 0, 0, 0, time.UTC))
	m := s.Merchant()
	now := s.Store.Clock()
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	card := func(status, balance string, activated int, movements ...any) *planted {
		at := ago(activated)
		c := &planted{program: m.ProgramID, status: status, balance: balance, activated: &at, created: at}
		plant(t, s, c)
		for i := 0; i < len(movements); i += 2 {
			kind, days := movements[i].(string), movements[i+1].(int)
			amount := map[string]string{"REDEMPTION": "-1", "TRANSFER_OUT": "-1", "RESEND_CODE": "0", "OWNERSHIP_TRANSFER": "0"}[kind]
			if amount == "" {
				amount = "1"
			}
			entry(t, s, c, kind, amount, ago(days))
		}
		return c
	}
	oldest := card("active", "5", 900, "ACTIVATION", 900, "RESEND_CODE", 1, "OWNERSHIP_TRANSFER", 1)
	redeemed := card("suspended", "2.50", 900, "ACTIVATION", 900, "REDEMPTION", 400)
	expired := card("active", "1", 800, "ACTIVATION", 800, "REFUND", 390)
	expired.expires = ago(10)
	made := card("active", "3", 370, "CONSOLIDATION", 370)
	atLimit := card("active", "0.005", 365, "ACTIVATION", 365)
	card("active", "9", 364, "ACTIVATION", 364)
	for _, kind := range []string{"RELOAD", "REDEMPTION", "TRANSFER_IN", "TRANSFER_OUT", "REFUND"} {
		card("active", "9", 900, "ACTIVATION", 900, kind, 364)
	}
	card("active", "0", 900, "ACTIVATION", 900)
	plant(t, s, &planted{program: m.ProgramID, created: ago(900)})
	got := report[api.EscheatmentReportResponse](t, m, "escheatment?dormancy_days=365&jurisdiction=DE")
	type entry struct {
		card    *planted
		days    int
		balance string
	}
	want := []entry{{oldest, 900, "5.00"}, {redeemed, 400, "2.50"}, {expired, 390, "1.00"}, {made, 370, "3.00"}, {atLimit, 365, "0.005"}}
	slices.SortFunc(want, func(a, b entry) int { return a.card.id.Compare(b.card.id) }) // the oldest card first
	if got.EntriesCount != len(want) || len(got.Entries) != len(want) || got.TotalLiability.String() != "11.505" || got.Jurisdiction != "DE" || got.DormancyThresholdDays != 365 {
		t.Fatalf("report: %s", mustJSON(t, got))
	}
	for i, e := range got.Entries {
		if e.CardId != want[i].card.id.String() || e.DormancyDays != want[i].days || e.Balance.String() != want[i].balance || e.LiabilityAmount.String() != want[i].balance ||
			!e.LastActivityDate.Equal(ago(want[i].days)) || e.Jurisdiction != "DE" || e.MerchantId != m.ID {
			t.Errorf("entry %d: %s, want %+v", i, mustJSON(t, e), want[i])
		}
	}
	if usual := report[api.EscheatmentReportResponse](t, m, "escheatment"); usual.Jurisdiction != "unspecified" || usual.DormancyThresholdDays != 1095 || usual.EntriesCount != 0 || usual.Entries == nil {
		t.Errorf("without a query: %s", mustJSON(t, usual))
	}
}

// TestALongReportNamesEachCardOnce: the pages of the query leave no card out and repeat none, even
// if many cards expire at the same time.
func TestALongReportNamesEachCardOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	const cards = 2500 // more than two pages
	program, err := id.Parse(m.ProgramID)
	must(t, err)
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		enforce, err := plantingFreely(t, tx)
		if err != nil {
			return struct{}{}, err
		}
		_, err = tx.Unwrap().Exec(t.Context(), `insert into gift_cards (program_id, id, card_number, sealed_code, status, balance, initial_value, is_physical, expires_at, created_at, activated_at)
			select $1, int4send(i) || '\x0000000000000000'::bytea, i, '', 'active', 1, 1, false, $2::timestamptz + i / 2000 * interval '1 hour', $2::timestamptz - interval '2 years', $2::timestamptz - interval '2 years'
			from generate_series(1, $3::integer) as i`, program, s.Store.Clock().Add(24*time.Hour), cards)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, enforce()
	})
	once := func(what string, ids []string) {
		t.Helper()
		if len(ids) != cards || len(slices.Compact(slices.Sorted(slices.Values(ids)))) != cards {
			t.Errorf("%s: %d cards, want %d different ones", what, len(ids), cards)
		}
	}
	var ids []string
	warnings := report[api.ExpirationWarningsReportResponse](t, m, "expiration-warnings")
	for _, w := range warnings.Warnings {
		ids = append(ids, w.CardId)
	}
	once("warnings", ids)
	if warnings.Count30d != cards {
		t.Errorf("%d warnings are counted", warnings.Count30d)
	}
	ids = nil
	dormant := report[api.EscheatmentReportResponse](t, m, "escheatment?dormancy_days=365")
	for _, e := range dormant.Entries {
		ids = append(ids, e.CardId)
	}
	once("escheatment", ids)
	if dormant.EntriesCount != cards || dormant.TotalLiability.String() != "2500.00" {
		t.Errorf("%d entries of %s are counted", dormant.EntriesCount, dormant.TotalLiability)
	}
}
