package server_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
)

func panicWhenAskedIfReady(o *server.Options) {
	o.Ready = func(context.Context) error { panic("the handler's own mistake") }
}

func TestReadinessSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) {
		o.Ready = func(context.Context) error { return errors.New("Worker is not running") }
	})
	answer := get(t, s, s.URL+"/readyz")
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "Worker is not running") || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if alive := get(t, s, s.URL+"/healthz"); alive.Status != http.StatusOK {
		t.Errorf("healthz: %d", alive.Status)
	}
}

func TestDocumentsAreServedWithETags(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for path, document := range map[string][]byte{
		"/openapi.json": openapi.Published, "/openapi-complete.json": openapi.Complete, "/openapi-sdk.json": openapi.SDK,
	} {
		first := get(t, s, s.URL+path)
		if first.Status != http.StatusOK || !bytes.Equal(first.Body, document) || first.Header.Get("ETag") == "" {
			t.Errorf("%s: %d, %d bytes of %d", path, first.Status, len(first.Body), len(document))
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("If-None-Match", first.Header.Get("ETag"))
		if again := s.Send(r); again.Status != http.StatusNotModified || len(again.Body) != 0 {
			t.Errorf("%s again: %d, %d bytes", path, again.Status, len(again.Body))
		}
	}
	if page := get(t, s, s.URL+"/docs"); page.Status != http.StatusOK || !strings.Contains(string(page.Body), "openapi-complete.json") {
		t.Errorf("docs: %d %s", page.Status, page.Body)
	}
}

func TestBodiesThatNobodyWantsAreNotRead(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/healthz", strings.NewReader(strings.Repeat("x", 70_000)))
	if err != nil {
		t.Fatal(err)
	}
	if answer := s.Send(r); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

func TestWithoutItsDatabaseTheServerAnswers503(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	s.Store.Close()
	answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`))
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(string(answer.Body), "Service unavailable") || answer.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// TestARequestThatWaitsTooLongForALockIsA503, because it may succeed a moment later.
func TestARequestThatWaitsTooLongForALockIsA503(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	owner, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer owner.Close(context.WithoutCancel(t.Context()))
	_, err = owner.Exec(t.Context(), "do $$ begin execute format('alter database %I set lock_timeout = ''50ms''', current_database()); end $$")
	must(t, err)
	s := servertest.NewOn(t, url, filepath.Join(t.TempDir(), "keys.json"))
	m := s.Merchant()
	create := func() servertest.Answer {
		header := http.Header{"Content-Type": jsonHeader["Content-Type"], "Idempotency-Key": {"a"}}
		return m.Do(http.MethodPost, m.Cards(), header, []byte(`{"initialValue":5,"merchantId":"`+m.ID+`"}`))
	}
	lock, err := owner.Begin(t.Context())
	must(t, err)
	_, err = lock.Exec(t.Context(), "lock table idempotency_keys in access exclusive mode")
	must(t, err)
	if answer := create(); answer.Status != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" {
		t.Errorf("while another holds the lock: %d %s", answer.Status, answer.Body)
	}
	must(t, lock.Rollback(t.Context()))
	if answer := create(); answer.Status != http.StatusCreated {
		t.Errorf("after that: %d %s", answer.Status, answer.Body)
	}
}
