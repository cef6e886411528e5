package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"giftcards/server/servertest"
)

// things are what a request names in its path, query and body.
type things struct {
	program, task, link, receipt, merchant, user, password string

	card, number, code string // a card and what is on it
	second             string // the number of another active card of the program
	entry              string // a redemption of the card
}

// attempt says how an operation is requested, and how it answers.
type attempt struct {
	granted int // status for an issuer, and for a reader unless refusal is set
	body    func(things) string
	refusal string // what a reader is told who may not do it
	card    string // the state of the card that the request needs: "" for none
	lenient bool   // an empty body is accepted, too
}

const (
	programPath = "/v2/giftcards/programs/{programId}"
	cardPath    = programPath + "/cards/{cardId}"

	refundName = "POST " + cardPath + "/transactions/{transactionId}/refund"
)

// attempts has each operation of the document. A test fails if one is missing.
var attempts = map[string]attempt{
	"GET /healthz":                          {granted: 200},
	"GET /readyz":                           {granted: 200},
	"GET /v2/token":                         {granted: 200},
	"POST /v2/token/logout":                 {granted: 200},
	"GET /v2/giftcards/downloads/{link}":    {granted: 200},
	"GET /v2/giftcards/receipts/{receipt}":  {granted: 200},
	"POST /v2/giftcards/receipts/{receipt}": {granted: 200},
	"POST /v2/token": {granted: 200, body: func(x things) string {
		return url.Values{"username": {x.user}, "password": {x.password}}.Encode()
	}},

	"POST " + programPath + "/cards": {granted: 201, refusal: mayNotIssue, body: func(x things) string {
		return `{"initialValue":5,"merchantId":"` + x.merchant + `"}`
	}},
	"POST " + programPath + "/cards/bulk":         {granted: 201, refusal: mayNotIssue, body: literal(`{"initialValue":5,"count":2}`)},
	"GET " + programPath + "/cards/bulk/{taskId}": {granted: 200},

	"GET " + cardPath:                   {granted: 200, card: "active"},
	"GET " + programPath + "/search":    {granted: 200, card: "active"},
	"GET /v2/giftcards/programs/cards":  {granted: 200, card: "active"},
	"POST " + cardPath + "/activate":    {granted: 200, refusal: mayNotChange, card: "pending", lenient: true, body: literal(`{"customerName":"Ada"}`)},
	"POST " + cardPath + "/redeem":      {granted: 200, refusal: mayNotChange, card: "active", body: literal(`{"amount":"1"}`)},
	"POST " + cardPath + "/reload":      {granted: 200, refusal: mayNotChange, card: "active", body: literal(`{"amount":"1"}`)},
	"POST " + cardPath + "/void":        {granted: 200, refusal: mayNotChange, card: "active", lenient: true, body: literal(`{"reason":"lost"}`)},
	"POST " + cardPath + "/suspend":     {granted: 200, refusal: mayNotChange, card: "active", lenient: true, body: literal(`{"reason":"lost"}`)},
	"POST " + cardPath + "/resume":      {granted: 200, refusal: mayNotChange, card: "suspended"},
	"POST " + cardPath + "/resend-code": {granted: 200, refusal: mayNotChange, card: "active", lenient: true, body: literal(`{"customerName":"Ada"}`)},
	"PATCH " + cardPath + "/schedule":   {granted: 200, refusal: mayNotChange, card: "pending", body: literal(`{"deliverAt":null}`)},
	"POST " + cardPath + "/process-expired": {
		granted: 200, refusal: mayNotChange, card: "expired", body: literal(`{"action":"extend","extensionDays":1}`),
	},
	"POST " + cardPath + "/transfer-ownership": {
		granted: 200, refusal: mayNotChange, card: "active", body: literal(`{"newOwnerName":"Grace","newOwnerEmail":"grace@example.com"}`),
	},
	refundName: {
		granted: 200, refusal: mayNotChange, card: "redeemed", lenient: true, body: literal(`{"reason":"returned"}`),
	},
	"POST " + cardPath + "/transfer": {granted: 200, refusal: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"securityCode":%q,"destinationCardNumber":%q,"amount":"1"}`, x.code, x.second)
	}},
	"POST " + programPath + "/cards/reload-by-number": {granted: 200, refusal: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"cardNumber":%q,"amount":"1"}`, x.number)
	}},
	"POST " + programPath + "/consolidate": {granted: 200, refusal: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"cardNumbers":[%q,%q],"merchantId":%q}`, x.number, x.second, x.merchant)
	}},
	"POST " + programPath + "/balance-check":      {granted: 200, card: "active", body: checkBalance},
	"POST /v2/giftcards/customer/balance-check":   {granted: 200, card: "active", body: checkBalance},
	"GET " + programPath + "/reports/business":    {granted: 200},
	"GET " + programPath + "/reports/escheatment": {granted: 200},
	"GET " + programPath + "/reports/expiration-warnings": {
		granted: 200,
	},
}

func literal(body string) func(things) string { return func(things) string { return body } }

func checkBalance(x things) string {
	return fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q}`, x.number, x.code)
}

// grant carries an operation out as a user who may, on a fresh card of the merchant in the
// state that it needs.
func (w *world) grant(o operation, m *servertest.Merchant, authorization string, header http.Header) servertest.Answer {
	w.t.Helper()
	return w.try(o, w.ready(o, m), authorization, header)
}

// ready returns the merchant's things with a fresh card in the state that the operation needs.
func (w *world) ready(o operation, m *servertest.Merchant) things {
	w.t.Helper()
	x := w.of[m]
	state := attempts[o.name].card
	if state == "" {
		return x
	}
	body := fmt.Sprintf(`{"initialValue":"5","merchantId":%q,"customerEmail":"ada@example.com","deliverAt":%q}`, m.ID, w.s.Store.Now().AddDate(0, 1, 0).Format(time.RFC3339))
	if state == "expired" {
		body = fmt.Sprintf(`{"initialValue":"5","merchantId":%q,"expiresAt":%q}`, m.ID, w.s.Store.Now().Add(2*time.Second).Format(time.RFC3339Nano))
	}
	x.card, x.number, x.code = w.issue(m, body)
	second, number, _ := w.issue(m, body)
	x.second = number
	change := func(card, operation, body string) servertest.Answer {
		w.t.Helper()
		answer := m.Do("POST", m.Cards()+"/"+card+operation, http.Header{"Content-Type": {"application/json"}}, []byte(body))
		if answer.Status != http.StatusOK {
			w.t.Fatalf("%s for %s: %d %s", operation, o.name, answer.Status, answer.Body)
		}
		return answer
	}
	if state == "pending" {
		return x
	}
	change(x.card, "/activate", `{}`)
	change(second, "/activate", `{}`)
	switch state {
	case "suspended":
		change(x.card, "/suspend", `{}`)
	case "redeemed":
		x.entry = field(w.t, change(x.card, "/redeem", `{"amount":"2"}`), "transactionId")
	case "expired":
		w.s.Clock.Move(3 * time.Second)
	}
	return x
}

// issue issues a card and returns its id, its number and, from the CSV of the answer's link,
// its security code.
func (w *world) issue(m *servertest.Merchant, body string) (card, number, code string) {
	w.t.Helper()
	issued := m.Do("POST", m.Cards(), http.Header{"Content-Type": {"application/json"}}, []byte(body))
	if issued.Status != http.StatusCreated {
		w.t.Fatalf("create: %d %s", issued.Status, issued.Body)
	}
	link, _, _ := strings.Cut(strings.TrimPrefix(issued.Header.Get("Link"), "<"), ">")
	csv := m.Do("GET", strings.TrimPrefix(link, w.s.URL), nil, nil)
	lines := strings.Split(string(csv.Body), "\r\n")
	if csv.Status != http.StatusOK || len(lines) < 2 {
		w.t.Fatalf("CSV: %d %s", csv.Status, csv.Body)
	}
	columns := strings.Split(lines[1], ",")
	return field(w.t, issued, "id"), columns[0], columns[1]
}

// field returns a text of an answer's body.
func field(t *testing.T, a servertest.Answer, name string) string {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatal(err)
	}
	text, _ := body[name].(string)
	return text
}
