package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/jobs"
	"giftcards/store/storetest"
)

// TestTheCauseOfNotBeingReadyIsLoggedOnce. No client learns it.
func TestTheCauseOfNotBeingReadyIsLoggedOnce(t *testing.T) {
	t.Parallel()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address)
	file := filepath.Join(dir, "keys.json")
	keys, err := os.ReadFile(file)
	must(t, err)
	// ready asks until it gets the wanted answer, and then asks once more.
	ready := func(want string) {
		t.Helper()
		var body []byte
		for deadline := time.Now().Add(30 * time.Second); !strings.Contains(string(body), want); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("/readyz says %s, want %s", body, want)
			}
			body = readyz(t, address)
		}
		if again := readyz(t, address); string(again) != string(body) {
			t.Errorf("/readyz says %s, and then %s", body, again)
		}
		if strings.Contains(string(body), dir) {
			t.Errorf("/readyz tells the cause: %s", body)
		}
	}
	must(t, os.WriteFile(file, []byte("half a file"), 0o600))
	ready(`"Key file cannot be read"`)
	must(t, os.WriteFile(file, keys, 0o600))
	ready(`"ok"`)
	must(t, server.Stop(syscall.SIGTERM))
	var logged []string
	for line := range strings.Lines(server.Output()) {
		if strings.Contains(line, `msg="not ready"`) || strings.Contains(line, `msg="ready again"`) {
			logged = append(logged, line)
		}
	}
	if len(logged) != 2 || !strings.Contains(logged[0], `level=WARN msg="not ready" reason="Key file cannot be read" error="key file `+file+` is damaged`) ||
		!strings.Contains(logged[1], `level=INFO msg="ready again"`) {
		t.Errorf("the log says %q", logged)
	}
}

// TestOnlyChangesOfReadinessAreLogged, and only for a client that waits for the answer.
func TestOnlyChangesOfReadinessAreLogged(t *testing.T) {
	t.Parallel()
	log := &storetest.Log{}
	var stopping atomic.Bool
	r := &readiness{jobs: new(jobs.Jobs), stopping: &stopping, log: slog.New(slog.NewTextHandler(log, nil))}
	gone, leave := context.WithCancel(t.Context())
	leave()
	for _, ctx := range []context.Context{gone, t.Context(), t.Context()} {
		if err := r.check(ctx); err == nil || err.Error() != "Worker is not running" {
			t.Errorf("without workers: %v", err)
		}
	}
	r.logChange(t.Context(), "Database is not reachable", errors.New("connection refused"))
	r.logChange(t.Context(), "Database is not reachable", errors.New("still refused"))
	stopping.Store(true)
	if err := r.check(t.Context()); err == nil || err.Error() != "Shutting down" {
		t.Errorf("while stopping: %v", err)
	}
	var logged []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, "level=")
		logged = append(logged, strings.TrimSpace(line))
	}
	want := []string{`WARN msg="not ready" reason="Worker is not running"`, `WARN msg="not ready" reason="Database is not reachable" error="connection refused"`}
	if !slices.Equal(logged, want) {
		t.Errorf("the log says %q, want %q", logged, want)
	}
}

func readyz(t *testing.T, address string) []byte {
	t.Helper()
	response, err := http.Get("http://" + address + "/readyz")
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return body
}
