package sandbox

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/server/validate"
	"giftcards/store"
)

// refusal returns the sentence with which the server refuses a request with the status.
func (e *example) refusal() string {
	switch e.code {
	case http.StatusBadRequest:
		return stateRefusals[e.op.name()].Message
	case http.StatusUnauthorized:
		if e.op.name() == "login_for_access_token" {
			return "Incorrect username or password"
		}
		return "Could not validate credentials"
	case http.StatusForbidden:
		if e.op.isReceipts() {
			return "Link is invalid"
		}
		if e.op.name() == "downloadGiftCards" {
			return store.ErrLinkEnded.Message
		}
		return store.ErrProgramForbidden.Message
	case http.StatusNotFound:
		return e.missing().Message
	case http.StatusRequestTimeout:
		return "Request body did not arrive"
	case http.StatusConflict:
		return store.ErrCardBusy.Message
	case http.StatusRequestEntityTooLarge:
		return "Request body is too large"
	case http.StatusUnsupportedMediaType:
		return "Request body must be sent without Content-Encoding"
	case http.StatusTooManyRequests:
		return "Too many requests"
	case http.StatusServiceUnavailable:
		return "Service unavailable"
	}
	return http.StatusText(e.code)
}

// stateRefusals are refusals of a card's state or balance, by the name of the operation. The document
// has an example of those of reloads.
var stateRefusals = map[string]*store.Error{
	"activateGiftCard":           store.ErrCardActivated,
	"redeemGiftCard":             store.ErrInsufficientBalance,
	"voidGiftCard":               store.ErrCardVoided,
	"suspendGiftCard":            store.ErrCardNotActive,
	"resumeGiftCard":             store.ErrCardNotSuspended,
	"transferGiftCardBalance":    store.ErrInsufficientBalance,
	"transferGiftCardOwnership":  store.ErrCardNotActive,
	"resendGiftCardSecurityCode": store.ErrNoRecipient,
	"scheduleGiftCardDelivery":   store.ErrDelivered,
	"processExpiredCard":         store.ErrCardNotExpired,
	"refundGiftCardTransaction":  store.ErrRefunded,
	"consolidateGiftCards":       store.ErrOtherCustomer,
}

// missing returns the refusal for the card, entry, task or program that the operation does not find.
func (e *example) missing() *store.Error {
	switch path := e.op.path; {
	case strings.HasSuffix(path, "/{taskId}"):
		return store.ErrTaskNotFound
	case strings.Contains(path, "{transactionId}"):
		return store.ErrEntryNotFound
	case strings.Contains(path, "{cardId}"), strings.HasSuffix(path, "/balance-check"), strings.HasSuffix(path, "/reload-by-number"):
		return store.ErrCardNotFound
	}
	return store.ErrProgramNotFound
}

// invalid returns errors that the server finds in a request that breaks the document. It judges
// several requests, each wrong in one way, until one of them has errors.
func (e *example) invalid() validate.Errors {
	judge, ok := e.sandbox.validator.Operation(e.op.method, e.op.path)
	if !ok {
		return nil
	}
	query := url.Values{}
	for _, parameter := range e.op.declared.Parameters {
		if parameter.Value.In == openapi3.ParameterInQuery {
			query.Set(parameter.Value.Name, "x")
		}
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if e.op.name() == "login_for_access_token" {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	right := func(string) string { return exampleCard }
	for _, wrong := range []struct {
		path  func(string) string
		query url.Values
		body  string
	}{
		{right, nil, "{}"}, // required fields are missing
		{right, query, ""},
		{func(string) string { return "x" }, nil, "{}"},
		{right, nil, "["},
	} {
		r := (&http.Request{Method: e.op.method, URL: &url.URL{RawQuery: wrong.query.Encode()}, Header: header}).WithContext(e.request.Context())
		body := wrong.body
		if header.Get("Content-Type") != "application/json" {
			body = ""
		}
		if _, faults := judge.Validate(r, wrong.path, []byte(body)); len(faults) > 0 {
			return faults
		}
	}
	// The document declares a 422 for an operation without anything that could be wrong.
	return validate.Errors{{Type: "missing", Loc: validate.Loc{"header", "authorization"}, Msg: "Field required", Input: []byte("null")}}
}
