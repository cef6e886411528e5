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

// setup returns a function that asks the admin address of a running server, and
// whether that is ready.
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

// TestPagesElsewhereReachNothing, though the operator's browser could.
func TestPagesElsewhereReachNothing(t *testing.T) {
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
