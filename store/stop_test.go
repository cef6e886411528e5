package store_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// TestATaskLooksBeforeEachChunkWhetherItMustStop, so that even a task of several minutes stops
// within a second.
func TestATaskLooksBeforeEachChunkWhetherItMustStop(t *testing.T) {
	t.Parallel()
	for name, stop := range map[string]func(*store.Tx, store.Task, store.User) error{
		"cancelled": func(tx *store.Tx, task store.Task, _ store.User) error {
			_, err := tx.RequestCancellations(t.Context(), []uuid.UUID{task.ID}, id.ID{}, id.ID{})
			return err
		},
		"the user is out": func(tx *store.Tx, _ store.Task, user store.User) error {
			_, err := tx.SetActive(t.Context(), user.Email, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := setup(t)
			access := storetest.Access(t, f.Store, f.program)
			task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
				return tx.AddTask(t.Context(), access, f.terms(t), 30_000, nil)
			})
			var told []int
			err := store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
				return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(n int) {
					told = append(told, n)
					commit(t, f.Store, func(other *store.Tx) error { return stop(other, task, access.User) })
				})
			})
			if _, stopped := errors.AsType[*store.TaskStoppedError](err); !stopped || len(told) != 1 {
				t.Errorf("%v, after chunks that ended at %v", err, told)
			}
			if n := f.count(t, "gift_cards"); n != 0 {
				t.Errorf("%d cards", n)
			}
		})
	}
}

// TestAChangeOfAUserWaitsForATaskThatIsAboutToCommit, so that no card is issued for a user after
// the user was deactivated.
func TestAChangeOfAUserWaitsForATaskThatIsAboutToCommit(t *testing.T) {
	t.Parallel()
	f := setup(t)
	access := storetest.Access(t, f.Store, f.program)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), access, f.terms(t), 10, nil)
	})
	deactivate := func(tx *store.Tx) error {
		if _, err := tx.Unwrap().Exec(t.Context(), "set local lock_timeout = '100ms'"); err != nil {
			return err
		}
		_, err := tx.SetActive(t.Context(), access.User.Email, false)
		return err
	}
	var meanwhile error
	commit(t, f.Store, func(tx *store.Tx) error {
		err := tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
		meanwhile = store.Do(t.Context(), f.Store, deactivate)
		return err
	})
	if busy, ok := errors.AsType[*pgconn.PgError](meanwhile); !ok || busy.Code != "55P03" {
		t.Errorf("before the commit: %v", meanwhile)
	}
	commit(t, f.Store, deactivate)
}

// TestABacklogStaysBoundedWhenManyAddAtOnce: the bound is that of a merchant, over all of the
// merchant's programs.
func TestABacklogStaysBoundedWhenManyAddAtOnce(t *testing.T) {
	t.Parallel()
	f := setup(t)
	const adders, cards, most = 4, 60, 130
	second := write(t, f.Store, func(tx *store.Tx) (store.Program, error) {
		var merchant id.ID
		err := tx.Unwrap().QueryRow(t.Context(), "select merchant_id from programs where id = $1", f.program).Scan(&merchant)
		if err != nil {
			return store.Program{}, err
		}
		return tx.AddProgram(t.Context(), merchant, "Second")
	})
	// Every transaction has added its task before the first one counts.
	var all sync.WaitGroup
	all.Add(adders)
	together := func() { all.Done(); all.Wait() }
	add := func(program id.ID, limit int, added func()) error {
		terms := f.terms(t)
		terms.ProgramID = program
		_, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (store.Task, error) {
			task, err := tx.AddTask(t.Context(), store.Access{}, terms, cards, nil)
			if err != nil {
				return store.Task{}, err
			}
			added()
			return task, tx.LimitBacklog(t.Context(), program, limit)
		})
		return err
	}
	results := make([]error, adders)
	var adding sync.WaitGroup
	for i := range results {
		adding.Go(func() { results[i] = add([]id.ID{f.program, second.ID}[i%2], most, together) })
	}
	adding.Wait()
	added := 0
	for _, err := range results {
		switch {
		case err == nil:
			added++
		case !errors.Is(err, store.ErrBacklogFull):
			t.Error(err)
		}
	}
	if added != most/cards {
		t.Errorf("%d tasks of %d cards were added, want %d", added, cards, most/cards)
	}
	must(t, add(f.program, (added+1)*cards, func() {}))
	other := storetest.Program(t, f.Store)
	must(t, add(other.ID, cards, func() {}))
}
