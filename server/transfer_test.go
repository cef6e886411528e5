package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// soldCard is a card with what is printed on it.
type soldCard struct{ id, number, code string }

// sell issues a card and activates it.
func sell(t *testing.T, s *servertest.Server, m *servertest.Merchant, value string, alter ...func(*api.CreateGiftCardRequest)) soldCard {
	t.Helper()
	card := issue(t, s, m, value, alter...)
	if answer := changeCard(m, card.id+"/activate", "", `{}`); answer.Status != http.StatusOK {
		t.Fatalf("activate: %d %s", answer.Status, answer.Body)
	}
	return card
}

func issue(t *testing.T, s *servertest.Server, m *servertest.Merchant, value string, alter ...func(*api.CreateGiftCardRequest)) soldCard {
	t.Helper()
	body := api.CreateGiftCardRequest{InitialValue: amount(t, value), MerchantId: m.ID}
	for _, f := range alter {
		f(&body)
	}
	created, err := m.Client.CreateGiftCardWithResponse(t.Context(), m.ProgramID, nil, body)
	if err != nil || created.JSON201 == nil {
		t.Fatalf("create: %v %s", err, created.Body)
	}
	return soldCard{created.JSON201.Id, created.JSON201.CardNumber, codeOf(t, s, created.JSON201.Id)}
}

// codeOf opens a card's security code, which no answer has.
func codeOf(t *testing.T, s *servertest.Server, card string) string {
	t.Helper()
	var sealed []byte
	parsed, err := id.Parse(card)
	if err == nil {
		err = s.Store.Pool().QueryRow(t.Context(), "select sealed_code from gift_cards where id = $1", parsed[:]).Scan(&sealed)
	}
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.Store.OpenCode(parsed, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// wrong is a code that is not the card's.
func (c soldCard) wrong() string {
	if c.code == "000000" {
		return "000001"
	}
	return "000000"
}

// set changes a row of gift_cards as it could not be changed by any operation so soon.
func (c soldCard) set(t *testing.T, s *servertest.Server, assignments string) {
	t.Helper()
	parsed, _ := id.Parse(c.id)
	if _, err := s.Store.Pool().Exec(t.Context(), "update gift_cards set "+assignments+" where id = $1", parsed[:]); err != nil {
		t.Fatal(err)
	}
}

// ledger returns the entries of a card, oldest first, as "type amount before after reference
// description".
func (c soldCard) ledger(t *testing.T, s *servertest.Server) (entries []string) {
	t.Helper()
	parsed, _ := id.Parse(c.id)
	rows, err := s.Store.Pool().Query(t.Context(), `select concat_ws(' ', type, amount, balance_before, balance_after, coalesce(reference_id, '-'), description)
		from ledger_entries where card_id = $1 order by id`, parsed[:])
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var entry string
		if err := rows.Scan(&entry); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry)
	}
	return entries
}

func transferBody(code, destination, amount string) string {
	return fmt.Sprintf(`{"securityCode":%q,"destinationCardNumber":%q,"amount":%q}`, code, destination, amount)
}

func transfer(m *servertest.Merchant, from soldCard, to, amount string) servertest.Answer {
	return changeCard(m, from.id+"/transfer", "", transferBody(from.code, to, amount))
}

func decode[T any](t *testing.T, answer servertest.Answer) (body T) {
	t.Helper()
	if answer.Status/100 != 2 {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	if err := json.Unmarshal(answer.Body, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func TestATransferMovesMoneyOnceAndLeavesTwoEntriesThatBelongTogether(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	from, to, third := sell(t, s, m, "25"), sell(t, s, m, "10.005"), sell(t, s, m, "1")
	spelled := to.number[:4] + " " + to.number[4:8] + "-" + to.number[8:]
	first := changeCard(m, from.id+"/transfer", "key", transferBody(from.code, spelled, "4.50"))
	body := decode[api.TransferBalanceResponse](t, first)
	want := api.TransferBalanceResponse{
		Success: true, Message: "Gift card balance transferred", TransferId: body.TransferId, AmountTransferred: amount(t, "4.50"),
		SourceCard:      api.TransferBalanceSourceCard{Id: from.id, CardNumber: from.number, RemainingBalance: amount(t, "20.50")},
		DestinationCard: api.TransferBalanceDestCard{Id: to.id, CardNumber: to.number, NewBalance: amount(t, "14.505")},
	}
	if got, wanted := fmt.Sprintf("%+v", body), fmt.Sprintf("%+v", want); got != wanted {
		t.Errorf("%s\nwant %s", got, wanted)
	}
	if _, err := id.Parse(body.TransferId); err != nil {
		t.Error(err)
	}
	again := changeCard(m, from.id+"/transfer", "key", transferBody(from.code, to.number, "4.5"))
	if string(again.Body) != string(first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", again.Status, again.Body)
	}
	wantStatus(t, "the key with another amount", changeCard(m, from.id+"/transfer", "key", transferBody(from.code, to.number, "4")), http.StatusUnprocessableEntity)
	// The same key for another destination is another request.
	decode[api.TransferBalanceResponse](t, changeCard(m, from.id+"/transfer", "key", fmt.Sprintf(
		`{"securityCode":%q,"destinationCardNumber":%q,"amount":"20.50","referenceId":"order 7","description":"a gift"}`, from.code, third.number)))
	// It was the last of it. A replay is the first answer all the same.
	if late := changeCard(m, from.id+"/transfer", "key", transferBody(from.code, to.number, "4.5")); string(late.Body) != string(first.Body) {
		t.Errorf("a late replay: %d %s", late.Status, late.Body)
	}
	wantDetail(t, "a depleted card", transfer(m, from, to.number, "1"), http.StatusBadRequest, "Gift card is not active")
	for card, entries := range map[soldCard][]string{
		from:  {"ACTIVATION 25.00 0 25.00 - Gift card activation", "TRANSFER_OUT -4.50 25.00 20.50 " + body.TransferId + " Gift card transfer", "TRANSFER_OUT -20.50 20.50 0.00 order 7 a gift"},
		to:    {"ACTIVATION 10.005 0 10.005 - Gift card activation", "TRANSFER_IN 4.50 10.005 14.505 " + body.TransferId + " Gift card transfer"},
		third: {"ACTIVATION 1.00 0 1.00 - Gift card activation", "TRANSFER_IN 20.50 1.00 21.50 order 7 a gift"},
	} {
		if got := card.ledger(t, s); fmt.Sprint(got) != fmt.Sprint(entries) {
			t.Errorf("%q\nwant %q", got, entries)
		}
	}
}

// cardStates makes a card of 25.00 in each state, with the words in which a change that needs
// an active card is refused.
func cardStates(t *testing.T, s *servertest.Server, m *servertest.Merchant) map[string]struct {
	card    soldCard
	refusal string
} {
	t.Helper()
	pending, active, suspended := issue(t, s, m, "25"), sell(t, s, m, "25"), sell(t, s, m, "25")
	expired, voided, depleted, resumed := sell(t, s, m, "25"), issue(t, s, m, "25"), sell(t, s, m, "25"), sell(t, s, m, "25")
	suspended.set(t, s, "status = 'suspended', suspended_at = now()")
	resumed.set(t, s, "status = 'suspended', suspended_at = now() - interval '2 hours', suspended_until = now() - interval '1 hour'")
	expired.set(t, s, "expires_at = now() - interval '1 second'")
	voided.set(t, s, "status = 'voided'")
	wantStatus(t, "redeem all", changeCard(m, depleted.id+"/redeem", "", `{"amount":25}`), http.StatusOK)
	return map[string]struct {
		card    soldCard
		refusal string
	}{
		"pending": {pending, "Gift card is not active"}, "active": {active, ""}, "suspended": {suspended, "Gift card is not active"},
		"expired": {expired, "Gift card has expired"}, "voided": {voided, "Gift card has been voided"},
		"depleted": {depleted, "Gift card is not active"}, "active after a suspension": {resumed, ""},
	}
}

func TestATransferNeedsTwoActiveCards(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	other := sell(t, s, m, "100")
	for state, c := range cardStates(t, s, m) {
		for role, try := range map[string]servertest.Answer{
			"source": transfer(m, c.card, other.number, "1"), "destination": transfer(m, other, c.card.number, "1"),
		} {
			if c.refusal == "" {
				wantStatus(t, state+" "+role, try, http.StatusOK)
			} else {
				wantDetail(t, state+" "+role, try, http.StatusBadRequest, c.refusal)
			}
		}
	}
}

func TestATransferIsRefusedInTheOrderOfTheRules(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	stranger := sell(t, s, s.Merchant(), "25")
	second := storetest.AsOwner(t, s.Store, func(tx *store.Tx) (store.Program, error) {
		merchant, err := id.Parse(m.ID)
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant, "Another program of the merchant")
	})
	elsewhere := *m
	elsewhere.ProgramID = second.ID.String()
	neighbour := sell(t, s, &elsewhere, "25")
	from, full := sell(t, s, m, "25"), sell(t, s, m, "9999.50")
	nowhere := soldCard{strings.Repeat("0", 24), "9000000000000000", "000000"}
	pending, expired := issue(t, s, m, "25"), sell(t, s, m, "25")
	expired.set(t, s, "expires_at = now()")
	for what, c := range map[string]struct {
		from       soldCard
		to, amount string
		status     int
		detail     string
	}{
		"no such source":                        {nowhere, full.number, "1", 404, "Gift card not found"},
		"another merchant's source":             {stranger, full.number, "1", 404, "Gift card not found"},
		"no such destination":                   {from, nowhere.number, "1", 404, "Gift card not found"},
		"another merchant's destination":        {from, stranger.number, "1", 404, "Gift card not found"},
		"the destination of another program":    {from, neighbour.number, "1", 404, "Gift card not found"},
		"15 digits":                             {from, full.number[:15], "1", 404, "Gift card not found"},
		"17 digits":                             {from, full.number + "0", "1", 404, "Gift card not found"},
		"other digits":                          {from, "٩" + full.number[1:], "1", 404, "Gift card not found"},
		"no digits":                             {from, "", "1", 404, "Gift card not found"},
		"to itself":                             {from, from.number, "1", 400, "Source and destination must be different cards"},
		"a missing destination before a state":  {pending, nowhere.number, "1", 404, "Gift card not found"},
		"itself before a state":                 {pending, pending.number, "1", 400, "Source and destination must be different cards"},
		"the source's state first":              {pending, expired.number, "1", 400, "Gift card is not active"},
		"a state before the amount":             {from, expired.number, "100", 400, "Gift card has expired"},
		"more than there is":                    {from, full.number, "25.01", 400, "Insufficient gift card balance"},
		"more than a card may hold":             {from, full.number, "0.51", 400, "Total value exceeds maximum allowed"},
		"too little before too much":            {from, full.number, "5000", 400, "Insufficient gift card balance"},
		"as much as a card may hold, to a cent": {from, full.number, "0.50", 200, ""},
	} {
		answer := transfer(m, c.from, c.to, c.amount)
		if c.status == http.StatusOK {
			wantStatus(t, what, answer, c.status)
			continue
		}
		wantDetail(t, what, answer, c.status, c.detail)
	}
	if entries := from.ledger(t, s); len(entries) != 2 {
		t.Errorf("refused transfers left entries: %q", entries)
	}
}

// TestAWrongCodeTellsNothingOfTheDestination: the answer is the same whatever else is wrong
// with the transfer.
func TestAWrongCodeTellsNothingOfTheDestination(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t)
	m := s.Merchant()
	to, voided := sell(t, s, m, "25"), issue(t, s, m, "25")
	voided.set(t, s, "status = 'voided'")
	var first servertest.Answer
	for i, c := range []struct{ destination, amount string }{
		{to.number, "1"}, {"9000000000000000", "1"}, {"no number", "1"}, {voided.number, "1"}, {"itself", "1"}, {to.number, "5000"},
	} {
		from := sell(t, s, m, "25")
		if c.destination == "itself" {
			c.destination = from.number
		}
		answer := changeCard(m, from.id+"/transfer", "a key that is free again", transferBody(from.wrong(), c.destination, c.amount))
		wantDetail(t, c.destination, answer, http.StatusUnauthorized, "Invalid security code")
		if got := answer.Header.Get("WWW-Authenticate"); got != "SecurityCode" {
			t.Errorf("WWW-Authenticate: %q", got)
		}
		if i == 0 {
			first = answer
		}
		if answer.Statements != first.Statements {
			t.Errorf("%s: %d statements, the first took %d", c.destination, answer.Statements, first.Statements)
		}
		// Nothing was kept under the key, and nothing has moved.
		wantStatus(t, "the right code", changeCard(m, from.id+"/transfer", "a key that is free again", transferBody(from.code, to.number, "1")), http.StatusOK)
	}
	if answer := m.Do("POST", m.Cards()+"/"+to.id+"/transfer", http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer x"}}, nil); answer.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a bad token: %v", answer.Header)
	}
}

// TestAReplayComesBeforeTheLock: a retry gets its answer even while the number is locked.
func TestAReplayComesBeforeTheLock(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	from, to := sell(t, s, m, "25"), sell(t, s, m, "25")
	first := changeCard(m, from.id+"/transfer", "key", transferBody(from.code, to.number, "1"))
	for range 5 {
		wantStatus(t, "a wrong code", changeCard(m, from.id+"/transfer", "", transferBody(from.wrong(), to.number, "1")), http.StatusUnauthorized)
	}
	wantStatus(t, "locked", transfer(m, from, to.number, "1"), http.StatusTooManyRequests)
	if again := changeCard(m, from.id+"/transfer", "key", transferBody(from.code, to.number, "1")); string(again.Body) != string(first.Body) {
		t.Errorf("a replay: %d %s", again.Status, again.Body)
	}
	wantStatus(t, "a till is not locked", changeCard(m, from.id+"/redeem", "", `{"amount":1}`), http.StatusOK)
}
