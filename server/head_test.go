package server_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

// TestHeadIsAnsweredAsGetWithoutABody for all operations that need no token.
func TestHeadIsAnsweredAsGetWithoutABody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	one := 1
	link, err := url.Parse(*bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &one}).JSON201.CsvDownloadUrl)
	must(t, err)
	unready := servertest.New(t, func(o *server.Options) {
		o.Ready = func(context.Context) error { return errors.New("Worker is not running") }
	})
	for _, c := range []struct {
		server *servertest.Server
		path   string
		status int
	}{
		{s, "/healthz", 200}, {s, "/readyz", 200}, {unready, "/readyz", 503}, {s, "/docs", 200}, {s, "/docs/", 200}, {s, "/docs/nothing", 404},
		{s, "/openapi.json", 200}, {s, "/openapi-complete.json", 200}, {s, "/openapi-sdk.json", 200}, {s, "/", 302},
		{s, link.Path, 200}, {s, link.Path + "x", 403},
	} {
		ask := func(method string) *http.Response {
			t.Helper()
			r, err := http.NewRequestWithContext(t.Context(), method, c.server.URL+c.path, nil)
			must(t, err)
			response, err := c.server.HTTP().Transport.RoundTrip(r) // follows no redirect
			must(t, err)
			return response
		}
		head, got := ask(http.MethodHead), ask(http.MethodGet)
		if head.StatusCode != c.status || got.StatusCode != c.status {
			t.Errorf("%s: HEAD %d, GET %d, want %d", c.path, head.StatusCode, got.StatusCode, c.status)
		}
		if n, _ := head.Body.Read(make([]byte, 1)); n != 0 {
			t.Errorf("HEAD %s has a body", c.path)
		}
		for name, values := range got.Header {
			// HEAD may leave out the length (RFC 9110, 9.3.2). Time and id differ in each request.
			if !slices.Contains([]string{"Content-Length", "Date", "X-Request-Id"}, name) && !slices.Equal(values, head.Header[name]) {
				t.Errorf("%s: %s is %q for HEAD, %q for GET", c.path, name, head.Header[name], values)
			}
		}
	}
	for _, path := range []string{"/v2/token", m.Cards()} {
		if answer := m.Do(http.MethodHead, path, nil, nil); answer.Status != http.StatusMethodNotAllowed {
			t.Errorf("HEAD %s: %d", path, answer.Status)
		}
	}
}

// TestAHeadOfALinkIsNoDownload: it hands out no codes and leaves no audit entry.
func TestAHeadOfALinkIsNoDownload(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	one := 1
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &one}).JSON201.CsvDownloadUrl
	downloads := func() (n int) {
		must(t, s.Store.Pool().QueryRow(t.Context(), "select count(*) from audit_log where operation = 'downloadGiftCards'").Scan(&n))
		return n
	}
	for method, want := range map[string]int{http.MethodHead: 0, http.MethodGet: 1} {
		before := downloads()
		r, err := http.NewRequestWithContext(t.Context(), method, link, nil)
		must(t, err)
		if answer := s.Send(r); answer.Status != http.StatusOK || (len(answer.Body) > 0) != (method == http.MethodGet) {
			t.Errorf("%s: %d, %d bytes", method, answer.Status, len(answer.Body))
		}
		if got := downloads() - before; got != want {
			t.Errorf("%s is %d downloads, want %d", method, got, want)
		}
	}
}
