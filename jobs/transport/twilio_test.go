package transport_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/transport"
)

func texter(address string) *transport.Twilio {
	return transport.NewTwilio(transport.TwilioOptions{URL: address, Account: "AC1", Token: "a secret token", From: "+15005550006", Timeout: time.Second})
}

func text(to string) transport.Message {
	return transport.Message{ID: "6b03889f7c62afe844000004", To: to, Text: "Code 012345 & more"}
}

func TestTextMessagesSpeakTheProvidersProtocol(t *testing.T) {
	t.Parallel()
	var form map[string][]string
	var path, user, password string
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		path = r.Method + " " + r.URL.Path
		_ = r.ParseForm()
		form = r.PostForm
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"sid": "SM1", "status": "queued"}`))
	}))
	defer provider.Close()
	must(t, texter(provider.URL).Send(t.Context(), text("+442079460018")))
	if path != "POST /2010-04-01/Accounts/AC1/Messages.json" || user != "AC1" || password != "a secret token" {
		t.Errorf("%s as %s with %q", path, user, password)
	}
	if form["To"][0] != "+442079460018" || form["From"][0] != "+15005550006" || form["Body"][0] != "Code 012345 & more" {
		t.Errorf("form %v", form)
	}
}

func TestARefusalOfAProviderIsTemporaryIfAnOperatorCanMendIt(t *testing.T) {
	t.Parallel()
	// Statuses and Twilio's codes; only faults of the recipient or the text are permanent.
	for name, c := range map[string]struct {
		status int
		body   string
		want   transport.Error
	}{
		"no such number":        {400, `{"code": 21211, "message": "The 'To' number is not valid"}`, transport.Error{Permanent: true, Stage: "answer", Code: 400}},
		"too many":              {429, `{"code": 20429, "message": "Too Many Requests"}`, transport.Error{Stage: "answer", Code: 429}},
		"their fault":           {500, `oops`, transport.Error{Stage: "answer", Code: 500}},
		"behind a gateway":      {502, ``, transport.Error{Unconfirmed: true, Stage: "answer", Code: 502}},
		"too late behind one":   {504, ``, transport.Error{Unconfirmed: true, Stage: "answer", Code: 504}},
		"away":                  {503, ``, transport.Error{Stage: "answer", Code: 503}},
		"a wrong token":         {401, `{"code": 20003, "message": "Authenticate"}`, transport.Error{Settings: true, Stage: "answer", Code: 401}},
		"not allowed":           {403, `{"code": 20403, "message": "Forbidden"}`, transport.Error{Stage: "answer", Code: 403}},
		"no such account":       {404, `{"code": 20404, "message": "Not found"}`, transport.Error{Settings: true, Stage: "answer", Code: 404}},
		"not our number":        {400, `{"code": 21606, "message": "The From number is not yours"}`, transport.Error{Stage: "answer", Code: 400}},
		"too slow for them":     {408, ``, transport.Error{Stage: "answer", Code: 408}},
		"a redirection":         {302, ``, transport.Error{Stage: "answer", Code: 302}},
		"nonsense":              {200, `<html>Welcome to our hotel</html>`, transport.Error{Unconfirmed: true, Stage: "answer", Code: 200}},
		"nothing":               {204, ``, transport.Error{Unconfirmed: true, Stage: "answer", Code: 204}},
		"an answer without end": {200, strings.Repeat("x", 1<<20), transport.Error{Unconfirmed: true, Stage: "answer", Code: 200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer provider.Close()
			got := failure(t, texter(provider.URL).Send(t.Context(), text("+442079460018")))
			if len(got.Error()) > 500 {
				t.Errorf("a reason of %d bytes", len(got.Error()))
			}
			got.Err = nil
			if *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

// TestATextMessageIsUnconfirmedOnlyIfTheProviderMayHaveIt. Otherwise it is retried.
func TestATextMessageIsUnconfirmedOnlyIfTheProviderMayHaveIt(t *testing.T) {
	t.Parallel()
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	defer untrusted.Close()
	untrusted.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if got := failure(t, texter(untrusted.URL).Send(t.Context(), text("+442079460018"))); got.Unconfirmed || got.Permanent || got.Stage != "connect" {
		t.Errorf("untrusted: %+v", got)
	}
	if got := failure(t, texter("http://"+script(t)).Send(t.Context(), text("+442079460018"))); !got.Unconfirmed || got.Permanent {
		t.Errorf("hangs: %+v", got)
	}
	dropping := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer dropping.Close()
	if got := failure(t, texter(dropping.URL).Send(t.Context(), text("+442079460018"))); !got.Unconfirmed || got.Permanent {
		t.Errorf("drops: %+v", got)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	if got := failure(t, texter("http://"+closed.Addr().String()).Send(t.Context(), text("+442079460018"))); got.Unconfirmed || got.Permanent || got.Stage != "connect" {
		t.Errorf("away: %+v", got)
	}
}

func TestANumberWithAnExtensionGetsNoTextMessage(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]transport.Sender{"provider": texter("http://127.0.0.1:1"), "outbox": transport.NewSMSOutbox(t.TempDir())} {
		if got := failure(t, s.Send(t.Context(), text("+442079460018;ext=5"))); !got.Permanent {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestAStopWaitsForTheAnswerToATextMessageThatWasHandedOver. It gives up any other text message at once.
func TestAStopWaitsForTheAnswerToATextMessageThatWasHandedOver(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		stop()
		time.Sleep(200 * time.Millisecond) // the sender learns only of the stop
		_, _ = w.Write([]byte(`{"sid": "SM1"}`))
	}))
	defer provider.Close()
	must(t, texter(provider.URL).Send(ctx, text("+442079460018")))
	if got := failure(t, texter(provider.URL).Send(ctx, text("+442079460018"))); got.Unconfirmed || got.Stage != "connect" {
		t.Errorf("after the stop: %+v", got)
	}
}
