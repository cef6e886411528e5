package server_test

import (
	"fmt"
	"net/http"
	"testing"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/id"
)

// fullEntry are the columns of an entry that describe a movement of money.
const fullEntry = "type, amount, balance_before, balance_after, coalesce(reference_id, '-'), description"

func TestATransferMovesMoneyOnceAndLeavesTwoEntriesThatBelongTogether(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	from, to, third := x.sell("25.00"), x.sell("10.005"), x.sell("1.00")
	spelled := to.number[:4] + " " + to.number[4:8] + "-" + to.number[8:]
	first := x.ask(from, "/transfer", "key", transferBody(from.code, spelled, "4.50"))
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
	again := x.ask(from, "/transfer", "key", transferBody(from.code, to.number, "4.5"))
	if string(again.Body) != string(first.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("again: %d %s", again.Status, again.Body)
	}
	wantStatus(t, "the key with another amount", x.ask(from, "/transfer", "key", transferBody(from.code, to.number, "4")), http.StatusUnprocessableEntity)
	// The same key for another destination is another request.
	decode[api.TransferBalanceResponse](t, x.ask(from, "/transfer", "key", fmt.Sprintf(
		`{"securityCode":%q,"destinationCardNumber":%q,"amount":"20.50","referenceId":"order 7","description":"a gift"}`, from.code, third.number)))
	// This has emptied the source. A replay still gets the first answer.
	if late := x.ask(from, "/transfer", "key", transferBody(from.code, to.number, "4.5")); string(late.Body) != string(first.Body) {
		t.Errorf("a late replay: %d %s", late.Status, late.Body)
	}
	wantDetail(t, "a depleted card", x.transfer(from, to.number, "1"), http.StatusBadRequest, "Gift card is not active")
	for card, entries := range map[giftCard][]string{
		from:  {"ACTIVATION 25.00 0 25.00 - Gift card activation", "TRANSFER_OUT -4.50 25.00 20.50 " + body.TransferId + " Gift card transfer", "TRANSFER_OUT -20.50 20.50 0.00 order 7 a gift"},
		to:    {"ACTIVATION 10.005 0 10.005 - Gift card activation", "TRANSFER_IN 4.50 10.005 14.505 " + body.TransferId + " Gift card transfer"},
		third: {"ACTIVATION 1.00 0 1.00 - Gift card activation", "TRANSFER_IN 20.50 1.00 21.50 order 7 a gift"},
	} {
		if got := x.ledger(card, fullEntry); fmt.Sprint(got) != fmt.Sprint(entries) {
			t.Errorf("%q\nwant %q", got, entries)
		}
	}
}

func TestATransferIsRefusedInTheOrderOfTheRules(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	stranger := shopOn(t, x.s).sell("25")
	elsewhere := *x.m
	elsewhere.ProgramID = addProgram(t, x.s, x.m)
	neighbour := shop{t, x.s, &elsewhere}.sell("25")
	from, full := x.sell("25"), x.sell("9999.50")
	pending, expired := x.issue("25"), x.sell("25")
	x.set(expired, "expires_at = now()")
	for what, c := range map[string]struct {
		from             giftCard
		to, amount, want string
	}{
		"no such source":                        {nowhere, full.number, "1", "404 Gift card not found"},
		"another merchant's source":             {stranger, full.number, "1", "404 Gift card not found"},
		"no such destination":                   {from, nowhere.number, "1", "404 Gift card not found"},
		"another merchant's destination":        {from, stranger.number, "1", "404 Gift card not found"},
		"the destination of another program":    {from, neighbour.number, "1", "404 Gift card not found"},
		"15 digits":                             {from, full.number[:15], "1", "404 Gift card not found"},
		"17 digits":                             {from, full.number + "0", "1", "404 Gift card not found"},
		"other digits":                          {from, "٩" + full.number[1:], "1", "404 Gift card not found"},
		"no digits":                             {from, "", "1", "404 Gift card not found"},
		"to itself":                             {from, from.number, "1", "400 Source and destination must be different cards"},
		"a missing destination before a state":  {pending, nowhere.number, "1", "404 Gift card not found"},
		"itself before a state":                 {pending, pending.number, "1", "400 Source and destination must be different cards"},
		"the source's state first":              {pending, expired.number, "1", "400 Gift card is not active"},
		"a state before the amount":             {from, expired.number, "100", "400 Gift card has expired"},
		"more than there is":                    {from, full.number, "25.01", "400 Insufficient gift card balance"},
		"more than a card may hold":             {from, full.number, "0.51", "400 Total value exceeds maximum allowed"},
		"too little before too much":            {from, full.number, "5000", "400 Insufficient gift card balance"},
		"as much as a card may hold, to a cent": {from, full.number, "0.50", "200"},
	} {
		x.says(what, x.transfer(c.from, c.to, c.amount), c.want)
	}
	if entries := x.ledger(from, fullEntry); len(entries) != 2 {
		t.Errorf("refused transfers left entries: %q", entries)
	}
}

// TestAWrongCodeTellsNothingOfTheDestination: the answer is the same, whatever else is wrong with the
// transfer.
func TestAWrongCodeTellsNothingOfTheDestination(t *testing.T) {
	t.Parallel()
	x := shopOn(t, servertest.NewCounting(t))
	to, voided := x.sell("25"), x.issue("25")
	x.set(voided, "status = 'voided'")
	var first servertest.Answer
	for i, c := range []struct{ destination, amount string }{
		{to.number, "1"}, {"9000000000000000", "1"}, {"no number", "1"}, {voided.number, "1"}, {"itself", "1"}, {to.number, "5000"},
	} {
		from := x.sell("25")
		if c.destination == "itself" {
			c.destination = from.number
		}
		answer := x.ask(from, "/transfer", "a key that is free again", transferBody(from.wrong(), c.destination, c.amount))
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
		wantStatus(t, "the right code", x.ask(from, "/transfer", "a key that is free again", transferBody(from.code, to.number, "1")), http.StatusOK)
	}
	x.m.Token = "x"
	if answer := x.transfer(to, to.number, "1"); answer.Header.Get("WWW-Authenticate") != "Bearer" {
		t.Errorf("a bad token: %v", answer.Header)
	}
}

func TestARetryIsReplayedWhileItsNumberIsLocked(t *testing.T) {
	t.Parallel()
	x := newShop(t)
	from, to := x.sell("25"), x.sell("25")
	first := x.ask(from, "/transfer", "key", transferBody(from.code, to.number, "1"))
	for range 5 {
		wantStatus(t, "a wrong code", x.ask(from, "/transfer", "", transferBody(from.wrong(), to.number, "1")), http.StatusUnauthorized)
	}
	wantStatus(t, "locked", x.transfer(from, to.number, "1"), http.StatusTooManyRequests)
	if again := x.ask(from, "/transfer", "key", transferBody(from.code, to.number, "1")); string(again.Body) != string(first.Body) {
		t.Errorf("a replay: %d %s", again.Status, again.Body)
	}
	wantStatus(t, "a till is not locked", x.ask(from, "/redeem", "", `{"amount":1}`), http.StatusOK)
}
