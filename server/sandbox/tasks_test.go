package sandbox_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/sandbox"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// bulkTask sends a bulk request that becomes a task, and returns the path of its poll.
func bulkTask(b *box, m *servertest.Merchant, count int, headers ...string) string {
	b.t.Helper()
	bulk := "/v2/giftcards/programs/" + m.ProgramID + "/cards/bulk"
	got := b.send(http.MethodPost, bulk, m.Token, fmt.Sprintf(`{"initialValue": 5, "count": %d}`, count), headers...)
	if got.status != http.StatusAccepted {
		b.t.Fatalf("bulk with %v: %d %s", headers, got.status, got.body)
	}
	return bulk + "/" + got.field(b.t, "taskId")
}

// polled is the answer to a poll.
type polled struct {
	Status                   string
	IssuedCount, FailedCount *int
	CompletedAt              *time.Time
	Error                    *string
}

func poll(b *box, m *servertest.Merchant, path string) (p polled, header http.Header) {
	b.t.Helper()
	got := b.send(http.MethodGet, path, m.Token, "")
	must(b.t, json.Unmarshal(got.body, &p))
	return p, got.header
}

func completed(t *testing.T, b *box, m *servertest.Merchant, path string) {
	t.Helper()
	check.Until(t, "the end of "+path, func() bool {
		p, _ := poll(b, m, path)
		return p.Status == "completed"
	})
}

// TestAChosenFailureIsThatOfARealTask, also for a few cards that would be issued at once.
func TestAChosenFailureIsThatOfARealTask(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	for _, count := range []int{1, 60, 3000} {
		path := bulkTask(b, m, count, "Sandbox-Task: failed", fmt.Sprintf("Idempotency-Key: %d", count))
		var p polled
		check.Until(t, "the failure of the task", func() bool {
			p, _ = poll(b, m, path)
			return p.Status == "failed"
		})
		if p.FailedCount == nil || *p.FailedCount != count || p.IssuedCount != nil || p.CompletedAt == nil || p.Error == nil ||
			*p.Error != "The cards could not be issued because of a fault of the server; none was issued." {
			t.Errorf("the failed task of %d is %+v", count, p)
		}
		// The retry of the request finds the same task, and makes no other one.
		if again := bulkTask(b, m, count, fmt.Sprintf("Idempotency-Key: %d", count)); again != path {
			t.Errorf("the retry leads to %s, the first request to %s", again, path)
		}
	}
	if n := storetest.Count(t, b.Store, "gift_cards") + storetest.Count(t, b.Store, "river_job") + storetest.Count(t, b.Store, "task_recipients"); n != 0 {
		t.Errorf("%d cards, jobs and recipients are left", n)
	}
	if n := storetest.Count(t, b.Store, "issued_totals where cards <> 0"); n != 0 {
		t.Errorf("%d totals count cards of failed tasks", n)
	}
}

// TestAStuckTaskStaysInProgressUntilItIsReleased, on every instance, and delays no other task.
func TestAStuckTaskStaysInProgressUntilItIsReleased(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	small, large := bulkTask(b, m, 1, "Sandbox-Task: stuck"), bulkTask(b, m, 3000, "Sandbox-Task: stuck")
	// Another instance starts, and both look for abandoned tasks.
	other := servertest.NewOn(t, b.DatabaseURL, b.KeyFile, func(o *server.Options) { o.Sandbox = true })
	for range 4 { // more than there are workers
		completed(t, b, m, bulkTask(b, m, 2100))
		completed(t, b, m, bulkTask(b, m, 60))
	}
	sweeps := time.Now().Add(5 * time.Second) // both instances sweep every 2 seconds
	check.Until(t, "two sweeps", func() bool { return time.Now().After(sweeps) })
	for _, path := range []string{small, large} {
		if p, header := poll(b, m, path); p.Status != "processing" || header.Get("Retry-After") != "2" {
			t.Errorf("the stuck task is %+v with %v", p, header)
		}
	}
	if n := storetest.Count(t, b.Store, "gift_cards"); n != 4*2160 {
		t.Errorf("%d cards, want those of the other tasks only", n)
	}
	// The other instance releases them.
	handler, err := sandbox.New(sandbox.Options{
		Next: other.Handler, Store: other.Store, Jobs: other.Jobs, Keys: other.Keys, Logger: b.options.Logger, BaseURL: b.URL,
		Validator: other.Handler.Validator(), Languages: other.Handler.Languages,
	})
	must(t, err)
	for path, count := range map[string]int{small: 1, large: 3000} {
		id := path[len(path)-36:]
		got := ask(t, handler, http.MethodPost, "/sandbox/tasks/"+id+"/release")
		if got.Code != http.StatusOK || got.Body.String() != fmt.Sprintf(`{"status":"processing","taskId":%q}`+"\n", id) {
			t.Errorf("release: %d %s", got.Code, got.Body)
		}
		completed(t, b, m, path)
		if p, _ := poll(b, m, path); p.IssuedCount == nil || *p.IssuedCount != count {
			t.Errorf("the task that was let go is %+v, want %d cards", p, count)
		}
		if again := ask(t, handler, http.MethodPost, "/sandbox/tasks/"+id+"/release"); again.Code != http.StatusConflict || again.Body.String() != `{"detail":"Task is not stuck"}`+"\n" {
			t.Errorf("release again: %d %s", again.Code, again.Body)
		}
	}
}

// TestASlowTaskIsInProgressForItsTime, and is completed then.
func TestASlowTaskIsInProgressForItsTime(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	for _, count := range []int{2, 2100} {
		start := time.Now()
		path := bulkTask(b, m, count, "Sandbox-Task: slow=700ms")
		p, _ := poll(b, m, path)
		if time.Since(start) < 700*time.Millisecond && p.Status != "processing" {
			t.Errorf("the slow task is %+v after %s", p, time.Since(start))
		}
		completed(t, b, m, path)
		if passed := time.Since(start); passed < 700*time.Millisecond {
			t.Errorf("the slow task was completed after %s", passed)
		}
		if p, _ := poll(b, m, path); *p.IssuedCount != count {
			t.Errorf("the slow task has %d cards, want %d", *p.IssuedCount, count)
		}
	}
}

// TestABadControlOfATaskIsRefused in one sentence, without effect.
func TestABadControlOfATaskIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	const values = "Sandbox-Task must be failed, stuck or slow=DURATION (1ms to 60s, such as slow=10s)"
	for _, c := range []struct {
		path    string
		headers []string
		want    string
	}{
		{cards + "/bulk", []string{"Sandbox-Task: "}, values},
		{cards + "/bulk", []string{"Sandbox-Task: broken"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: failed=1"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: slow"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: slow=2"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: slow=61s"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: slow=0s"}, values},
		{cards + "/bulk", []string{"Sandbox-Task: failed", "Sandbox-Task: stuck"}, "Sandbox-Task must be sent once"},
		{cards + "/bulk", []string{"Sandbox-Task: failed", "Prefer: code=201"}, "Sandbox-Task has no meaning with Prefer: code=201, which makes no task"},
		{cards + "/bulk", []string{"Sandbox-Task: failed", "Prefer: code=429"}, "Sandbox-Task has no meaning with Prefer, because a chosen answer has no effect"},
		{cards, []string{"Sandbox-Task: failed"}, "Sandbox-Task is only for a bulk request"},
	} {
		got := b.send(http.MethodPost, c.path, m.Token, `{"initialValue": 5, "count": 2}`, c.headers...)
		if got.status != http.StatusBadRequest || got.detail() != c.want {
			t.Errorf("%v: %d %s, want %s", c.headers, got.status, got.body, c.want)
		}
	}
	if n := storetest.Count(t, b.Store, "bulk_tasks") + storetest.Count(t, b.Store, "gift_cards"); n != 0 {
		t.Errorf("%d tasks and cards", n)
	}
	finished := bulkTask(b, m, 60)
	completed(t, b, m, finished)
	failed := bulkTask(b, m, 60, "Sandbox-Task: failed")
	for id, want := range map[string]struct {
		status int
		detail string
	}{
		"x":                                    {400, "taskId must be a UUID in lower case, as in the answer to the bulk request"},
		"0B6F7A54-0000-4000-8000-000000000000": {400, "taskId must be a UUID in lower case, as in the answer to the bulk request"},
		"0b6f7a54-0000-4000-8000-000000000000": {404, "Task not found"},
		finished[len(finished)-36:]:            {409, "Task is not stuck"},
		failed[len(failed)-36:]:                {409, "Task is not stuck"},
	} {
		if got := b.send(http.MethodPost, "/sandbox/tasks/"+id+"/release", "", ""); got.status != want.status || got.detail() != want.detail {
			t.Errorf("release of %s: %d %s, want %d %s", id, got.status, got.body, want.status, want.detail)
		}
	}
}
