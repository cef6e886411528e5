package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store/storetest/check"
)

// takeSlot begins a transaction that has the merchant's slot, so that the worker waits.
func takeSlot(t *testing.T, s *servertest.Server, m *servertest.Merchant) pgx.Tx {
	t.Helper()
	worker, err := s.Store.Pool().Begin(t.Context())
	check.Must(t, err)
	_, err = worker.Exec(t.Context(), "select pg_advisory_xact_lock(hashtextextended('bulk task of ' || $1, 1))", m.ID)
	check.Must(t, err)
	return worker
}

// reportProgress reports in the worker's place that cards of the only task are written.
func reportProgress(t *testing.T, s *servertest.Server, worker pgx.Tx, task string, written int) {
	t.Helper()
	_, err := s.Store.Pool().Exec(t.Context(), "update bulk_tasks set status = 'processing'")
	check.Must(t, err)
	_, err = worker.Exec(t.Context(), "select set_config('application_name', $1, true)", fmt.Sprint("giftcards task ", task, " ", written))
	check.Must(t, err)
}

// TestTheProgressOfALargeTaskCanBeWatched: polls tell how many cards are written and wanted. Their
// link leads a browser to a page with a progress bar, and to the files when the cards are issued.
// Before that nobody gets a file, and no download is in the audit log.
func TestTheProgressOfALargeTaskCanBeWatched(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	worker := takeSlot(t, s, m)
	cards := 2_345
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &cards}).JSON202.TaskId
	poll := func() servertest.Answer { return m.Do(http.MethodGet, m.Cards()+"/bulk/"+task, nil, nil) }
	told := func(answer servertest.Answer) string {
		return answer.Header.Get("Cards-Written") + " of " + answer.Header.Get("Cards-Wanted")
	}
	waiting := poll()
	if told(waiting) != "0 of 2345" {
		t.Errorf("before the task begins: %s", told(waiting))
	}
	reportProgress(t, s, worker, task, 500)
	check.Until(t, "the progress of the task", func() bool { return told(poll()) == "500 of 2345" })

	link, kind, _ := strings.Cut(strings.TrimPrefix(poll().Header.Get("Link"), "<"), ">")
	if !strings.Contains(kind, `type="text/html"`) {
		t.Errorf("Link of a running task: %s", poll().Header.Get("Link"))
	}
	page := browse(t, s, link)
	if body := string(page.Body); page.Status != http.StatusOK || !strings.Contains(body, `value="500" max="2345"`) || !strings.Contains(body, `http-equiv="refresh"`) || !strings.Contains(body, "Issued so far: 500 of 2,345") {
		t.Errorf("the page of a running task: %d %s", page.Status, body)
	}
	for _, format := range []string{"?format=csv", "?format=xlsx", ""} {
		if answer := get(t, s, link+format); answer.Status != http.StatusConflict || answer.Header.Get("Retry-After") == "" || !strings.Contains(string(answer.Body), "The cards are not issued yet") {
			t.Errorf("%q of a running task: %d %s", format, answer.Status, answer.Body)
		}
	}
	if n := count(t, s, "audit_log where operation = 'downloadGiftCards'"); n != 0 {
		t.Errorf("%d downloads are in the audit log", n)
	}

	check.Must(t, worker.Rollback(t.Context()))
	done := poll()
	check.Until(t, "the end of the task", func() bool { done = poll(); return strings.Contains(string(done.Body), `"completed"`) })
	if told(done) != "2345 of 2345" || !strings.Contains(done.Header.Get("Link"), `type="text/csv"`) {
		t.Errorf("of a completed task: %s, Link %s", told(done), done.Header.Get("Link"))
	}
	if page := browse(t, s, link); page.Status != http.StatusOK || !strings.Contains(string(page.Body), "Your gift cards are ready") {
		t.Errorf("the page of a completed task: %d %s", page.Status, page.Body)
	}
}

// TestAFailedTaskHasNoFiles, and its page says so.
func TestAFailedTaskHasNoFiles(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	worker := takeSlot(t, s, m)
	cards := 2001
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &cards}).JSON202.TaskId
	link, _, _ := strings.Cut(strings.TrimPrefix(m.Do(http.MethodGet, m.Cards()+"/bulk/"+task, nil, nil).Header.Get("Link"), "<"), ">")
	_, err := s.Store.Pool().Exec(t.Context(), "update bulk_tasks set status = 'failed', error = 'x', completed_at = now()")
	check.Must(t, err)
	check.Must(t, worker.Rollback(t.Context()))
	const sentence = "The task has failed and has no cards"
	if answer := get(t, s, link); answer.Status != http.StatusNotFound || !strings.Contains(string(answer.Body), sentence) {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if page := browse(t, s, link); page.Status != http.StatusNotFound || !strings.Contains(string(page.Body), sentence) || !strings.Contains(string(page.Body), "issue the cards again") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}
