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

// TwilioOptions say how to reach a provider of text messages that speaks the
// Messages API of Twilio (2010-04-01), as several do.
type TwilioOptions struct {
	URL            string // such as https://api.twilio.com
	Account, Token string // basic authentication
	From           string // a number, or what the provider takes for one
	Timeout        time.Duration
}

// Twilio sends text messages over HTTP.
type Twilio struct {
	options TwilioOptions
	client  *http.Client
}

// NewTwilio prepares to send; nothing is connected yet.
func NewTwilio(o TwilioOptions) *Twilio {
	return &Twilio{options: o, client: &http.Client{
		Timeout:       o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // a message is sent where it was meant to
	}}
}

// Close closes idle connections.
func (t *Twilio) Close() { t.client.CloseIdleConnections() }

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 10

// Send hands a text message over. The provider has it once it answers 2xx with
// an id. 429 and 5xx ask to come again, 502 and 504 once. So do refusals that an
// operator can mend: 401, 403, 404 (of the account), and those of a sender. Every
// other one is for good.
func (t *Twilio) Send(ctx context.Context, m Message) error {
	if err := checkNumber(m.To); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return &Error{Stage: "connect", Err: err}
	}
	form := url.Values{"To": {m.To}, "From": {t.options.From}, "Body": {m.Text}}
	address := t.options.URL + "/2010-04-01/Accounts/" + url.PathEscape(t.options.Account) + "/Messages.json"
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var connected atomic.Bool // from then on nobody knows how much the provider has
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
	if err != nil && !connected.Load() {
		return &Error{Settings: true, Stage: "connect", Err: errors.New(said(err.Error()))}
	}
	if err != nil {
		return &Error{Stage: "request", Unconfirmed: true, Err: errors.New(said(err.Error()))}
	}
	defer response.Body.Close()
	text, readErr := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	id, err := judge(response.StatusCode, text, readErr)
	if err == nil {
		m.taken(fmt.Sprintf("HTTP %d, %s", response.StatusCode, id))
	}
	return err
}

// checkNumber refuses an extension: telephone exchanges read no text messages.
func checkNumber(number string) error {
	if strings.Contains(number, ";") {
		return &Error{Permanent: true, Stage: "recipient", Err: errors.New("an extension gets no text messages")}
	}
	return nil
}

// senderRefused are Twilio's error codes of a From that is invalid, missing, or not
// the account's.
var senderRefused = []int{21212, 21603, 21606, 21659, 21660}

// judge tells what an answer means: the provider's id of a message that it took.
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
	login := status == http.StatusUnauthorized || status == http.StatusNotFound // of the account
	words := fmt.Sprintf("HTTP %d", status)
	switch {
	case understood && login: // goes into the log: no message, which may name the recipient
		words += fmt.Sprintf(", %d", answer.Code)
	case understood && answer.Message != "":
		words = said(fmt.Sprintf("HTTP %d, %d %s", status, answer.Code, answer.Message))
	}
	permanent := status/100 == 4 && !slices.Contains(senderRefused, answer.Code)
	switch status {
	case http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusRequestTimeout:
		permanent = false
	}
	lost := status == http.StatusBadGateway || status == http.StatusGatewayTimeout // whatever is behind the gateway may have it
	return "", &Error{Permanent: permanent, Unconfirmed: lost, Settings: login, Stage: "answer", Code: status, Err: errors.New(words)}
}
