package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// shop is a database with a merchant. No server runs on it.
type shop struct {
	t        *testing.T
	settings []string
	keyFile  string
	store    *store.Store
	jobs     *jobs.Jobs
	program  store.Program
	access   store.Access
	database *pgx.Conn
}

func newShop(t *testing.T) *shop {
	t.Helper()
	url := storetest.URL(t)
	keyFile := filepath.Join(t.TempDir(), "keys.json")
	keys, err := keyring.Create(keyFile)
	must(t, err)
	st, err := store.Open(t.Context(), url, store.Options{Keys: keys, MaxConns: 4})
	must(t, err)
	t.Cleanup(st.Close)
	database, err := pgx.Connect(t.Context(), url)
	must(t, err)
	t.Cleanup(func() { _ = database.Close(t.Context()) })
	work, err := jobs.New(st, jobs.Options{Lifetimes: storetest.Lifetimes, Logger: (&config{LogLevel: "error"}).newLog(t.Output()).Logger})
	must(t, err)
	s := &shop{t: t, keyFile: keyFile, settings: []string{"--database-url=" + url, "--state-dir=" + t.TempDir()}, store: st, jobs: work, database: database}
	s.program = storetest.Program(t, st)
	s.access = storetest.Access(t, st, s.program.ID)
	return s
}

func (s *shop) write(do func(*store.Tx) error) {
	s.t.Helper()
	_, err := store.Write(s.t.Context(), s.store, func(tx *store.Tx) (struct{}, error) { return struct{}{}, do(tx) })
	must(s.t, err)
}

// task adds a user's task of n cards with messages, and its job.
func (s *shop) task(access store.Access, cards int) (task store.Task) {
	s.t.Helper()
	value, err := money.Parse("5")
	must(s.t, err)
	address := "ada@example.com"
	recipients := make([]store.Recipient, cards)
	for i := range recipients {
		recipients[i].Email = &address
	}
	s.write(func(tx *store.Tx) (err error) {
		task, err = tx.AddTask(s.t.Context(), access, store.Terms{ProgramID: s.program.ID, InitialValue: value}, cards, recipients)
		if err != nil {
			return err
		}
		return s.jobs.EnqueueBulkIssue(s.t.Context(), tx, task)
	})
	return task
}

func (s *shop) issue(task store.Task) {
	s.t.Helper()
	s.write(func(tx *store.Tx) error { return tx.IssueTask(s.t.Context(), task.ProgramID, task.ID, func(int) {}) })
}

// do runs a command, which must succeed, and decodes its output.
func (s *shop) do(into any, args ...string) {
	s.t.Helper()
	code, stdout, stderr := command(s.t, "", append(args, s.settings...)...)
	if err := json.Unmarshal([]byte(stdout), into); err != nil || code != 0 {
		s.t.Fatalf("%v: %d %s %s", args, code, stdout, stderr)
	}
}

func (s *shop) count(from string) int {
	s.t.Helper()
	return storetest.Count(s.t, s.store, from)
}

// cancel runs tasks cancel and returns the outcome of each task.
func (s *shop) cancel(args ...string) map[string]string {
	s.t.Helper()
	var rows []struct{ TaskID, Outcome string }
	s.do(&rows, append([]string{"tasks", "cancel"}, args...)...)
	outcomes := map[string]string{}
	for _, row := range rows {
		outcomes[row.TaskID] = row.Outcome
	}
	return outcomes
}

// TestOperatorsListAndCancelTasks without a server. The output says which tasks were completed before.
func TestOperatorsListAndCancelTasks(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	colleague := storetest.Access(t, s.store, s.program.ID)
	done, first, second, other := s.task(s.access, 60), s.task(s.access, 60), s.task(s.access, 61), s.task(colleague, 62)
	s.issue(done)
	for _, c := range []struct {
		args []string
		want int
	}{
		{nil, 4},
		{[]string{"--status=pending"}, 3},
		{[]string{"--status=completed", "--user=" + s.access.User.Email}, 1},
		{[]string{"--user=" + colleague.User.Email}, 1},
		{[]string{"--merchant=" + s.program.MerchantID.String(), "--limit=2"}, 2},
		{[]string{"--merchant=000000000000000000000001"}, 0},
		{[]string{"--older-than=1h"}, 0},
	} {
		var rows []map[string]any
		if s.do(&rows, append([]string{"tasks", "list"}, c.args...)...); len(rows) != c.want {
			t.Errorf("list %v: %d tasks, want %d: %v", c.args, len(rows), c.want, rows)
		}
	}
	// Each cancellation leaves the tasks that the next one cancels.
	got := s.cancel(done.ID.String(), first.ID.String())
	if len(got) != 2 || got[done.ID.String()] != "completed" || got[first.ID.String()] != "cancelled" {
		t.Errorf("cancel by id: %v", got)
	}
	if got := s.cancel("--user=" + s.access.User.Email); len(got) != 1 || got[second.ID.String()] != "cancelled" {
		t.Errorf("cancel by user: %v", got)
	}
	if got := s.cancel("--merchant=" + s.program.MerchantID.String()); len(got) != 1 || got[other.ID.String()] != "cancelled" {
		t.Errorf("cancel by merchant: %v", got)
	}
	if n := s.count("audit_log where operation = 'tasks cancel' and octet_length(subject) = 16 and client like '%@%'"); n != 3 {
		t.Errorf("%d entries in the audit log, want 3", n)
	}
	if n := s.count("river_job where state = 'cancelled'"); n != 3 || s.count("task_recipients") != 0 || s.count("task_cancellations") != 0 {
		t.Errorf("%d cancelled jobs, %d rows of recipients", n, s.count("task_recipients"))
	}
}

// TestBadCancellationsAreRefused with one sentence, and cancel nothing.
func TestBadCancellationsAreRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task := s.task(s.access, 60)
	for name, c := range map[string]struct {
		args []string
		code int
		want string
	}{
		"nothing named":      {[]string{"tasks", "cancel"}, 1, "name tasks, or --user or --merchant"},
		"both named":         {[]string{"tasks", "cancel", task.ID.String(), "--user=a@example.com"}, 1, "name tasks, or --user or --merchant"},
		"no such task":       {[]string{"tasks", "cancel", task.ID.String(), uuid.Nil.String()}, 1, "Task not found: " + uuid.Nil.String()},
		"no such user":       {[]string{"tasks", "cancel", "--user=nobody@example.com"}, 1, "User not found: nobody@example.com"},
		"no id":              {[]string{"tasks", "cancel", "x"}, 2, "task-id"},
		"a state that isn't": {[]string{"tasks", "list", "--status=lost"}, 2, "--status"},
		"too few":            {[]string{"tasks", "list", "--limit=0"}, 1, "1 to 100000"},
		"in the future":      {[]string{"tasks", "list", "--older-than=-1h"}, 1, "24h"},
	} {
		code, _, stderr := command(t, "", append(c.args, s.settings...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
	if n := s.count("bulk_tasks where status = 'pending'"); n != 1 || s.count("task_cancellations") != 0 {
		t.Error("a refused command has cancelled the task")
	}
}

// TestOperatorsDropMessages, and the audit log shows it. TestAUsersMessagesAreDroppedHoweverTheCardWasIssued
// of package server shows which messages belong to a user.
func TestOperatorsDropMessages(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task, other := s.task(s.access, 60), s.task(s.access, 60)
	s.issue(task)
	s.issue(other)
	card := task.FirstCardID.String()
	var due *store.Due
	s.write(func(tx *store.Tx) (err error) {
		due, err = tx.ClaimMessage(t.Context(), store.Lane{Channel: store.ChannelEmail, Bulk: true}, s.program.ID)
		return err
	})
	// The cases build on each other: each drops some of the 120 messages.
	for _, c := range []struct {
		args    []string
		dropped int
		subject string
	}{
		{[]string{card}, 1, card},
		{[]string{"--task=" + task.ID.String()}, 59, strings.ReplaceAll(task.ID.String(), "-", "")},
		{[]string{"--user=" + s.access.User.Email, "--older-than=1h"}, 0, s.access.User.ID.String()},
		{[]string{"--user=" + s.access.User.Email}, 60, s.access.User.ID.String()},
		{[]string{"--merchant=" + s.program.MerchantID.String()}, 0, ""},
	} {
		var printed struct {
			Dropped   int
			BeingSent []id.ID
		}
		s.do(&printed, append([]string{"messages", "drop"}, c.args...)...)
		if printed.Dropped != c.dropped {
			t.Errorf("drop %v: %d, want %d", c.args, printed.Dropped, c.dropped)
		}
		if told := len(printed.BeingSent) == 1 && printed.BeingSent[0] == due.CardID; told {
			due.CardID = id.ID{} // listed only once
		}
		entry := fmt.Sprintf("audit_log where operation = 'messages drop' and cards = %d and merchant_id is not null = %t and coalesce(encode(subject, 'hex'), '') = '%s'",
			c.dropped, c.subject == "" || strings.HasPrefix(c.args[0], "--user"), c.subject)
		if s.count(entry) != 1 {
			t.Errorf("drop %v: no %s", c.args, entry)
		}
	}
	if !due.CardID.IsZero() {
		t.Error("nobody was told of the message that is being sent")
	}
	for _, args := range [][]string{{}, {card}, {"--older-than=1h"}, {"--user=nobody@example.com"}, {"--task=x"}, {"--user=" + s.access.User.Email, "--older-than=-1h"}} {
		if code, _, _ := command(t, "", append(append([]string{"messages", "drop"}, args...), s.settings...)...); code == 0 {
			t.Errorf("drop %v succeeds", args)
		}
	}
	var rows []struct{ Error string }
	s.do(&rows, "messages", "list", "--status=dropped", "--limit=1000")
	if len(rows) != 120 || !strings.HasPrefix(rows[0].Error, "dropped by an operator") {
		t.Errorf("%d messages are listed as dropped", len(rows))
	}
}

// TestACommandDoesNotWaitForeverForAFrozenWorker: it prints the outcome "stopping", and the request
// stays for the worker.
func TestACommandDoesNotWaitForeverForAFrozenWorker(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task := s.task(s.access, 60)
	frozen, err := s.database.Begin(t.Context())
	must(t, err)
	_, err = frozen.Exec(t.Context(), "select from bulk_tasks for update")
	must(t, err)
	session := &session{Context: t.Context()}
	s.write(func(tx *store.Tx) error {
		_, err := cancelTasks{Tasks: []uuid.UUID{task.ID}}.request(session, tx)
		return err
	})
	outcome, err := finishCancellation(session, s.store, task, 50*time.Millisecond)
	if err != nil || outcome != outcomeStopping {
		t.Errorf("%s, %v", outcome, err)
	}
	must(t, frozen.Rollback(t.Context()))
	if n := s.count("task_cancellations"); n != 1 {
		t.Errorf("%d requests are left for the worker", n)
	}
}
