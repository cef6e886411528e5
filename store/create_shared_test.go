package store_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"giftcards/store"
	"giftcards/store/storetest/check"
)

func TestALostConnectionFailsItsCreatesAndLeavesNothing(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	results := f.together(t, func() {
		// First end the running transactions, so that the waiting creates start theirs.
		busy := f.blocked(t)
		f.terminate(t, busy)
		var taken []int32
		check.Until(t, "all callers in the queue", func() bool {
			taken = slices.DeleteFunc(f.blocked(t), func(pid int32) bool { return slices.Contains(busy, pid) })
			return len(taken) > 0
		})
		f.terminate(t, taken)
	},
		func() created { return f.create(t.Context(), f.terms(t), f.key("a", "")) },
		func() created { return f.create(t.Context(), f.terms(t), f.key("b", "")) },
	)
	lost := 0
	for _, c := range results {
		if c.err != nil {
			lost++
			if refused, ok := errors.AsType[*store.Error](c.err); !ok || refused.Kind != store.Unavailable {
				t.Errorf("lost connection: %v", c.err)
			}
		}
	}
	if lost == 0 {
		t.Error("no create noticed that its connection was lost")
	}
	f.wantCardsAndKeys(t, 2-lost, 2-lost)
	must(t, f.create(t.Context(), f.terms(t), f.key("a", "")).err)
}

func (f fixture) terminate(t *testing.T, pids []int32) {
	t.Helper()
	_, err := f.Pool().Exec(t.Context(), "select pg_terminate_backend(pid) from unnest($1::int[]) pid", pids)
	must(t, err)
}

func TestACreateStopsWaitingWhenItsCallerGivesUp(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	f.together(t, func() {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if c := f.create(ctx, f.terms(t), nil); !errors.Is(c.err, context.Canceled) {
			t.Errorf("cancelled create: %v", c.err)
		}
	}, func() created { return f.create(t.Context(), f.terms(t), nil) })
}
