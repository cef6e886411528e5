package server_test

import (
	"context"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/server/servertest"
	"giftcards/store/storetest"
)

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
