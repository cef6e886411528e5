package admin_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"giftcards/server/admin"
	"giftcards/server/servertest"
)

// setup returns a function that sends a request to the admin address of a running server, and
// a flag that says whether the server is ready.
func setup(t *testing.T) (ask func(method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder, ready *atomic.Bool) {
	t.Helper()
	s := servertest.New(t)
	ready = &atomic.Bool{}
	ready.Store(true)
	handler, err := admin.New(t.Context(), admin.Options{
		Metrics: http.NotFoundHandler(), River: s.Jobs.River(), Logger: slog.New(slog.DiscardHandler),
		Ready: func(context.Context) error {
			if ready.Load() {
				return nil
			}
			return errors.New("Database is not reachable")
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(method, path string, change ...func(*http.Request)) *httptest.ResponseRecorder {
		t.Helper()
		r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
		r.Host = "127.0.0.1:9464"
		for _, f := range change {
			f(r)
		}
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, r)
		return answer
	}, ready
}

func TestOperatorsFindEverything(t *testing.T) {
	t.Parallel()
	ask, ready := setup(t)
	for path, want := range map[string]string{
		"/":                          "/river/",
		"/river/":                    "<!doctype html>",
		"/river/jobs":                "<!doctype html>",
		"/river/api/queues?limit=20": `"name":"bulk_large"`,
		"/debug/pprof/":              "goroutine",
		"/debug/pprof/heap":          "",
		"/debug/pprof/cmdline":       "admin",
		"/readyz":                    "ok",
	} {
		if answer := ask(http.MethodGet, path); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %.300s", path, answer.Code, answer.Body)
		}
	}
	ready.Store(false)
	if answer := ask(http.MethodGet, "/readyz"); answer.Code != http.StatusServiceUnavailable || !strings.Contains(answer.Body.String(), "Database is not reachable") {
		t.Errorf("not ready: %d %s", answer.Code, answer.Body)
	}
	if answer := ask(http.MethodGet, "/nothing"); answer.Code != http.StatusNotFound {
		t.Errorf("/nothing: %d", answer.Code)
	}
}

// TestPagesOfOtherSitesReachNothing, not even through the operator's browser.
func TestPagesOfOtherSitesReachNothing(t *testing.T) {
	t.Parallel()
	ask, _ := setup(t)
	for host, want := range map[string]int{
		"127.0.0.1:9464": http.StatusOK, "[::1]:9464": http.StatusOK, "::1": http.StatusOK, "[::ffff:127.0.0.1]": http.StatusOK,
		"localhost:9464": http.StatusOK, "giftcards:9464": http.StatusOK, "10.0.0.7": http.StatusOK,
		"evil.example": http.StatusMisdirectedRequest, "evil.example:9464": http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example:9464": http.StatusMisdirectedRequest, "localhost.": http.StatusMisdirectedRequest,
	} {
		if answer := ask(http.MethodGet, "/readyz", func(r *http.Request) { r.Host = host }); answer.Code != want {
			t.Errorf("host %s: %d, want %d", host, answer.Code, want)
		}
	}
	pause := "/river/api/queues/bulk_large/pause"
	for name, header := range map[string]http.Header{
		"another site": {"Sec-Fetch-Site": {"cross-site"}}, "another port": {"Sec-Fetch-Site": {"same-site"}}, "an old browser": {"Origin": {"https://evil.example"}},
	} {
		if answer := ask(http.MethodPut, pause, func(r *http.Request) { r.Header = header }); answer.Code != http.StatusForbidden {
			t.Errorf("a request from %s: %d", name, answer.Code)
		}
	}
	if answer := ask(http.MethodPut, pause, func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-origin") }); answer.Code != http.StatusOK {
		t.Errorf("a request from River's own page: %d %s", answer.Code, answer.Body)
	}
}

// TestOtherSitesMayOnlyLinkHere: requests to embed or fetch a page, including reads, are refused
// before they cost anything.
func TestOtherSitesMayOnlyLinkHere(t *testing.T) {
	t.Parallel()
	ask, _ := setup(t)
	paths := []string{"/", "/metrics", "/readyz", "/river/", "/river/api/queues?limit=20", "/debug/pprof/", "/debug/pprof/heap?gc=1", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=1"}
	for name, header := range map[string]http.Header{
		"an image":                   {"Sec-Fetch-Mode": {"no-cors"}, "Sec-Fetch-Dest": {"image"}},
		"a script's request":         {"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}},
		"a frame":                    {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"iframe"}},
		"an object":                  {"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"object"}},
		"a prefetch without a place": {"Sec-Fetch-Mode": {"navigate"}},
		"no more than the site":      {},
	} {
		for _, site := range []string{"cross-site", "same-site", "something new"} {
			for _, path := range paths {
				if answer := ask(http.MethodGet, path, func(r *http.Request) { r.Header = header.Clone(); r.Header.Set("Sec-Fetch-Site", site) }); answer.Code != http.StatusForbidden {
					t.Errorf("%s from %s to %s: %d", name, site, path, answer.Code)
				}
			}
		}
	}
	navigation := http.Header{"Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}}
	for site, methods := range map[string]map[string]int{
		"cross-site":  {http.MethodGet: http.StatusOK, http.MethodPost: http.StatusForbidden},
		"same-site":   {http.MethodGet: http.StatusOK, http.MethodPost: http.StatusForbidden},
		"same-origin": {http.MethodGet: http.StatusOK}, "none": {http.MethodGet: http.StatusOK},
	} {
		for method, want := range methods {
			if answer := ask(method, "/river/jobs", func(r *http.Request) { r.Header = navigation.Clone(); r.Header.Set("Sec-Fetch-Site", site) }); answer.Code != want {
				t.Errorf("%s of a page from %s: %d, want %d", method, site, answer.Code, want)
			}
		}
	}
	if answer := ask(http.MethodGet, "/debug/pprof/heap", func(r *http.Request) {
		r.Header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}}
	}); answer.Code != http.StatusOK {
		t.Errorf("a request of a page here: %d", answer.Code)
	}
}

func TestEveryAnswerKeepsOutOfFrames(t *testing.T) {
	t.Parallel()
	ask, _ := setup(t)
	for _, test := range []struct{ path, host string }{
		{"/", "localhost"}, {"/river/", "localhost"}, {"/river/api/queues?limit=20", "localhost"}, {"/debug/pprof/", "localhost"},
		{"/metrics", "localhost"}, {"/nothing", "localhost"}, {"/", "evil.example"},
	} {
		header := ask(http.MethodGet, test.path, func(r *http.Request) { r.Host = test.host }).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "frame-ancestors 'none'", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		} {
			if got := header.Values(name); len(got) != 1 || got[0] != want {
				t.Errorf("%s %s: %s is %q", test.host, test.path, name, got)
			}
		}
	}
}
