package store_test

import (
	"testing"
	"time"

	"giftcards/store"
)

// TestALimitBeginsAnewAtMidnightInUTC, whatever time zone the database has.
func TestALimitBeginsAnewAtMidnightInUTC(t *testing.T) {
	t.Parallel()
	f, _ := instances(t)
	f.limit(t, f.program, 1, "")
	for _, step := range []struct {
		move   time.Duration
		issued bool
	}{
		{0, true},                                // at noon
		{12*time.Hour - time.Microsecond, false}, // the last moment of the day
		{time.Microsecond, true},                 // midnight
		{24*time.Hour - time.Microsecond, false}, // the last moment of the next day
		{time.Microsecond, true},                 // midnight
	} {
		f.clock.Move(step.move)
		if err := f.create(t.Context(), f.terms(t), nil).err; (err == nil) != step.issued {
			t.Errorf("at %s: %v", f.Clock(), err)
		}
	}
}

// TestAFailedTaskGivesItsCardsBackOnTheDayItWasAdded, to the program and to the user, and only
// once. A completed task gives nothing back.
func TestAFailedTaskGivesItsCardsBackOnTheDayItWasAdded(t *testing.T) {
	t.Parallel()
	f, _ := instances(t)
	user := f.access.User.ID
	add := func(value string, cards int) store.Task {
		task, err := f.addTask(t.Context(), f.worth(t, value), cards)
		must(t, err)
		return task
	}
	fail := func(task store.Task) {
		commit(t, f.Store, func(tx *store.Tx) error {
			_, err := tx.FailTask(t.Context(), task.ProgramID, task.ID, "No.")
			return err
		})
	}
	want := func(when string, program, ofUser string) {
		t.Helper()
		if f.total(t, f.program) != program || f.total(t, user) != ofUser {
			t.Errorf("%s: program %s, user %s, want %s and %s", when, f.total(t, f.program), f.total(t, user), program, ofUser)
		}
	}
	uncounted := add("1", 70)
	f.limit(t, f.program, 1000, "")
	programOnly := add("2.5", 10)
	f.limit(t, user, 1000, "")
	both, completed := add("0.015", 100), add("1", 5)
	commit(t, f.Store, func(tx *store.Tx) error {
		return tx.IssueTask(t.Context(), completed.ProgramID, completed.ID, func(int) {})
	})
	want("before", "115 31.500", "105 6.500")

	f.clock.Move(24 * time.Hour)
	today := add("3", 2)
	for range 2 { // the second time changes nothing
		for _, task := range []store.Task{uncounted, programOnly, both, completed} {
			fail(task)
		}
	}
	want("on the next day", "2 6", "2 6")
	f.clock.Move(-24 * time.Hour)
	want("on the day of the tasks", "5 5.000", "5 5.000")
	fail(today)
	f.clock.Move(24 * time.Hour)
	want("after today's task failed, too", "0 0", "0 0")
}

// TestTotalsAreKeptForEightDays, because a task may fail as late as that.
func TestTotalsAreKeptForEightDays(t *testing.T) {
	t.Parallel()
	f, _ := instances(t)
	f.limit(t, f.program, 1, "")
	must(t, f.create(t.Context(), f.terms(t), nil).err)
	f.clock.Move(8 * 24 * time.Hour)
	f.sweep(t, 10)
	if n := f.count(t, "issued_totals"); n != 1 {
		t.Errorf("after 8 days there are %d totals", n)
	}
	f.clock.Move(24 * time.Hour)
	f.sweep(t, 10)
	if n := f.count(t, "issued_totals"); n != 0 {
		t.Errorf("after 9 days there are %d totals", n)
	}
}
