package sandbox_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/sandbox"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

var must = check.Must

// box is a running sandbox. It sends requests to the sandbox, and judges each answer by the
// sandbox's document.
type box struct {
	*servertest.Server
	URL     string       // of the sandbox; Server.URL is that of the server without it
	handler http.Handler // the sandbox without a connection
	options server.Options
	t       testing.TB
}

func newBox(t testing.TB, change ...func(*server.Options)) *box {
	t.Helper()
	b := &box{t: t}
	listener := httptest.NewUnstartedServer(nil)
	b.URL = "http://" + listener.Listener.Addr().String()
	b.Server = servertest.NewOn(t, storetest.Sandbox(t), filepath.Join(t.TempDir(), "keys.json"), append([]func(*server.Options){func(o *server.Options) { o.Sandbox, o.BaseURL = true, b.URL }},
		append(change, func(o *server.Options) { b.options = *o })...)...)
	handler, err := sandbox.New(sandbox.Options{
		Next: b.Handler, Store: b.Store, Jobs: b.Jobs, Keys: b.Keys, Logger: b.options.Logger, BaseURL: b.options.BaseURL,
		Validator: b.Handler.Validator(), Languages: b.Handler.Languages,
	})
	must(t, err)
	b.handler = handler
	listener.Config.Handler, listener.Config.ReadHeaderTimeout = handler, time.Second
	listener.Start()
	t.Cleanup(listener.Close)
	return b
}

// answer is an answer of the sandbox.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// detail returns the sentence of a refusal, or "" if the answer is no refusal.
func (a answer) detail() string {
	var body struct{ Detail string }
	_ = json.Unmarshal(a.body, &body)
	return body.Detail
}

// field returns a text of the body.
func (a answer) field(t testing.TB, name string) string {
	t.Helper()
	var body map[string]any
	must(t, json.Unmarshal(a.body, &body))
	text, ok := body[name].(string)
	if !ok {
		t.Fatalf("the answer has no text %s: %s", name, a.body)
	}
	return text
}

// send sends a request with headers, each as "Name: value", and judges the answer.
func (b *box) send(method, path, token, body string, headers ...string) answer {
	b.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.URL+path, content)
	must(b.t, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	return b.do(r)
}

func (b *box) do(r *http.Request) answer {
	b.t.Helper()
	response, err := http.DefaultTransport.RoundTrip(r) // follows no redirect
	must(b.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(b.t, err)
	if err := servertest.UndeclaredInSandbox(r, response, bytes.Clone(body)); err != nil {
		b.t.Errorf("%s %s: answer %d is not as the sandbox's document says: %v\n%.1000s", r.Method, r.URL.Path, response.StatusCode, err, body)
	}
	return answer{response.StatusCode, response.Header, body}
}
