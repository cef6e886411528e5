package transport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// TwilioOptions configures a client of Twilio's Messages API (2010-04-01), which several
// providers of text messages offer.
type TwilioOptions struct {
	URL            string // such as https://api.twilio.com
	Account, Token string // basic authentication
	From           string // a number, or a name that the provider accepts
	Timeout        time.Duration
}

// Twilio sends text messages over HTTP.
type Twilio struct {
	options TwilioOptions
	client  *http.Client
}

// NewTwilio returns a sender that is not connected yet.
func NewTwilio(o TwilioOptions) *Twilio {
	return &Twilio{options: o, client: &http.Client{
		Timeout: o.Timeout,
		// A redirect must not send a card to an address that the operator has not chosen.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close closes idle connections.
func (t *Twilio) Close() { t.client.CloseIdleConnections() }

// maxAnswer bounds the part of an answer that is read, in bytes.
const maxAnswer = 64 << 10

// Send sends a text message. The provider has accepted it if the answer is 2xx with an id.
// 429 and 5xx may be retried; after 502 and 504 the message may have been accepted.
// Refusals that an operator can mend may be retried, too: 401, 403, 404 (of the account)
// and those of the sender's number. Every other refusal is permanent.
func (t *Twilio) Send(ctx context.Context, m Message) error {
	if err := checkNumber(m.To); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return &Error{Stage: "connect", Err: err}
	}
	form := url.Values{"To": {m.To}, "From": {t.options.From}, "Body": {m.Text}}
	address := t.options.URL + "/2010-04-01/Accounts/" + url.PathEscape(t.options.Account) + "/Messages.json"
	// After the connection is made, the provider may have the message, so that a stop waits
	// AnswerGrace for the answer. Before, a stop ends the request at once.
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var connected atomic.Bool
	defer context.AfterFunc(ctx, func() {
		if connected.Load() {
			time.AfterFunc(AnswerGrace, cancel)
		} else {
			cancel()
		}
	})()
	sending = httptrace.WithClientTrace(sending, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	request, err := http.NewRequestWithContext(sending, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return &Error{Stage: "connect", Err: err}
	}
	request.SetBasicAuth(t.options.Account, t.options.Token)
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := t.client.Do(request)
	// Without a connection the provider cannot have the message.
	if err != nil && !connected.Load() {
		return &Error{Settings: true, Stage: "connect", Err: errors.New(said(err.Error()))}
	}
	if err != nil {
		return &Error{Stage: "request", Unconfirmed: true, Err: errors.New(said(err.Error()))}
	}
	defer response.Body.Close()
	// judge decides by the status even if the body is incomplete.
	text, readErr := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	id, err := judge(response.StatusCode, text, readErr)
	if err == nil {
		m.taken(fmt.Sprintf("HTTP %d, %s", response.StatusCode, id))
	}
	return err
}

// checkNumber refuses a number with an extension, because an extension cannot receive text
// messages.
func checkNumber(number string) error {
	if strings.Contains(number, ";") {
		return &Error{Permanent: true, Stage: "recipient", Err: errors.New("an extension cannot receive text messages")}
	}
	return nil
}

// senderRefused are Twilio's error codes for a From that is invalid, missing, or of
// another account.
var senderRefused = []int{21212, 21603, 21606, 21659, 21660}

// judge returns the provider's id of a message that it has accepted, or else an *Error.
func judge(status int, text []byte, readErr error) (id string, err error) {
	var answer struct {
		SID     string `json:"sid"`
		Code    int    `json:"code"`
		Message string `json:"message"`
	}
	understood := json.Unmarshal(text, &answer) == nil
	switch {
	case status/100 == 2 && understood && answer.SID != "":
		return answer.SID, nil
	case status/100 == 2:
		return "", &Error{Unconfirmed: true, Stage: "answer", Code: status, Err: errors.Join(errors.New("an answer without an id"), readErr)}
	}
	// A wrong account or token concerns every message.
	login := status == http.StatusUnauthorized || status == http.StatusNotFound // of the account
	words := fmt.Sprintf("HTTP %d", status)
	switch {
	case understood && login: // this error is logged, and the provider's words may name the recipient
		words += fmt.Sprintf(", %d", answer.Code)
	case understood && answer.Message != "":
		words = said(fmt.Sprintf("HTTP %d, %d %s", status, answer.Code, answer.Message))
	}
	permanent := status/100 == 4 && !slices.Contains(senderRefused, answer.Code)
	switch status {
	case http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout:
		permanent = false
	}
	lost := status == http.StatusBadGateway || status == http.StatusGatewayTimeout // the server behind the gateway may have it
	return "", &Error{Permanent: permanent, Unconfirmed: lost, Settings: login, Stage: "answer", Code: status, Err: errors.New(words)}
}
