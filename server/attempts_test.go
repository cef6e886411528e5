package server_test

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"giftcards/server/servertest"
)

// things are the ids, numbers and codes that a request names in its path, query and body.
type things struct {
	program, task, link, receipt, merchant, user, password string

	card, number, code string // a card, its number and its security code
	second             string // the number of another active card of the program
	entry              string // a redemption of the card
}

// attempt says how an operation is requested, and how it answers.
type attempt struct {
	granted         int // status for a user who may use it; an issuer may use all
	body            func(things) string
	cashier, reader string // how the role is refused, "" if it may use the operation
	card            string // the state of the card that the request needs: "" for none
	lenient         bool   // an empty body is accepted, too
}

// How a role is refused.
const (
	mayNotIssue  = "User may not issue gift cards"
	mayNotChange = "User may not change gift cards"
	mayNotList   = "User may not list gift cards"
)

const (
	programPath = "/v2/giftcards/programs/{programId}"
	cardPath    = programPath + "/cards/{cardId}"

	refundName = "POST " + cardPath + "/transactions/{transactionId}/refund"
)

// attempts has each operation of the document. operations fails the test if one is missing.
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

	"POST " + programPath + "/cards": {granted: 201, cashier: mayNotIssue, reader: mayNotIssue, body: func(x things) string {
		return `{"initialValue":5,"merchantId":"` + x.merchant + `"}`
	}},
	"POST " + programPath + "/cards/bulk":         {granted: 201, cashier: mayNotIssue, reader: mayNotIssue, body: literal(`{"initialValue":5,"count":2}`)},
	"GET " + programPath + "/cards/bulk/{taskId}": {granted: 200, cashier: mayNotList},

	"GET " + cardPath:                   {granted: 200, card: "active"},
	"GET " + programPath + "/search":    {granted: 200, card: "active"},
	"GET /v2/giftcards/programs/cards":  {granted: 200, cashier: mayNotList, card: "active"},
	"POST " + cardPath + "/activate":    {granted: 200, reader: mayNotChange, card: "pending", lenient: true, body: literal(`{"customerName":"Ada"}`)},
	"POST " + cardPath + "/redeem":      {granted: 200, reader: mayNotChange, card: "active", body: literal(`{"amount":"1"}`)},
	"POST " + cardPath + "/reload":      {granted: 200, reader: mayNotChange, card: "active", body: literal(`{"amount":"1"}`)},
	"POST " + cardPath + "/void":        {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", lenient: true, body: literal(`{"reason":"lost"}`)},
	"POST " + cardPath + "/suspend":     {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", lenient: true, body: literal(`{"reason":"lost"}`)},
	"POST " + cardPath + "/resume":      {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "suspended"},
	"POST " + cardPath + "/resend-code": {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", lenient: true, body: literal(`{"customerName":"Ada"}`)},
	"PATCH " + cardPath + "/schedule":   {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "pending", body: literal(`{"deliverAt":null}`)},
	"POST " + cardPath + "/process-expired": {
		granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "expired", body: literal(`{"action":"extend","extensionDays":1}`),
	},
	"POST " + cardPath + "/transfer-ownership": {
		granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", body: literal(`{"newOwnerName":"Grace","newOwnerEmail":"grace@example.com"}`),
	},
	refundName: {
		granted: 200, reader: mayNotChange, card: "redeemed", lenient: true, body: literal(`{"reason":"returned"}`),
	},
	"POST " + cardPath + "/transfer": {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"securityCode":%q,"destinationCardNumber":%q,"amount":"1"}`, x.code, x.second)
	}},
	"POST " + programPath + "/cards/reload-by-number": {granted: 200, reader: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"cardNumber":%q,"amount":"1"}`, x.number)
	}},
	"POST " + programPath + "/consolidate": {granted: 200, cashier: mayNotChange, reader: mayNotChange, card: "active", body: func(x things) string {
		return fmt.Sprintf(`{"cardNumbers":[%q,%q],"merchantId":%q}`, x.number, x.second, x.merchant)
	}},
	"POST " + programPath + "/balance-check":    {granted: 200, card: "active", body: checkBalance},
	"POST /v2/giftcards/customer/balance-check": {granted: 200, card: "active", body: checkBalance},

	"GET " + programPath + "/reports/business":            {granted: 200, cashier: mayNotList},
	"GET " + programPath + "/reports/escheatment":         {granted: 200, cashier: mayNotList},
	"GET " + programPath + "/reports/expiration-warnings": {granted: 200, cashier: mayNotList},
}

func literal(body string) func(things) string { return func(things) string { return body } }

func checkBalance(x things) string {
	return fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q}`, x.number, x.code)
}

// grant carries out an operation as a user who may use it, on a fresh card of the merchant in the
// state that the operation needs.
func (w *world) grant(o operation, m *servertest.Merchant, authorization string, header http.Header) servertest.Answer {
	w.t.Helper()
	return w.try(o, w.ready(o, m), authorization, header)
}

// ready returns the merchant's things with a fresh card in the state that the operation needs.
func (w *world) ready(o operation, m *servertest.Merchant) things {
	w.t.Helper()
	ready, state := w.of[m], attempts[o.name].card
	if state == "" {
		return ready
	}
	x := shop{t: w.t, s: w.s, m: m}
	fields := toAda + `,"deliverAt":"` + w.s.Store.Clock().AddDate(0, 1, 0).UTC().Format(time.RFC3339) + `"`
	if state == "expired" {
		fields = expiring(w.s.Store.Clock().Add(2 * time.Second))
	}
	obtain := x.sell
	if state == "pending" {
		obtain = x.issue
	}
	card := obtain("5", fields)
	ready.card, ready.number, ready.code, ready.second = card.id, card.number, card.code, obtain("5", fields).number
	switch state {
	case "suspended":
		x.done(card, "/suspend", `{}`)
	case "redeemed":
		ready.entry = x.redeem(card, "2")
	case "expired":
		w.s.Clock.Move(3 * time.Second)
	}
	return ready
}
