package jobs_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/money"
)

// TestSealsAreSavedWhenAServerStops, so that no seal is missing in the count after a deployment.
func TestSealsAreSavedWhenAServerStops(t *testing.T) {
	t.Parallel()
	f := setup(t)
	work := f.prepare(t)
	must(t, work.Start(t.Context()))
	value, err := money.Parse("1")
	must(t, err)
	_, err = store.Write(t.Context(), f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), store.Terms{ProgramID: f.program.ID, InitialValue: value}, make([]store.Recipient, 5))
	})
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, work.Stop(ctx))
	if got := sealed(t, f); got != 5 {
		t.Errorf("%d seals are saved, want 5", got)
	}
}

func sealed(t *testing.T, f fixture) int64 {
	t.Helper()
	uses, err := store.Read(t.Context(), f.Store, func(tx *store.Tx) (map[uint32]int64, error) { return tx.KeyUses(t.Context()) })
	must(t, err)
	return uses[f.CodeKey()]
}

func TestAKeyThatSealedTooMuchIsWarnedOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		sealed int64
		warns  bool
	}{{store.CodeKeyLimit - 1, false}, {store.CodeKeyLimit, true}} {
		f := setup(t)
		_, err := f.Pool().Exec(t.Context(), "insert into key_uses (key_id, sealed) values ($1, $2)", int64(f.CodeKey()), test.sealed)
		must(t, err)
		var log strings.Builder // read only after the jobs have ended
		work := f.prepare(t, func(o *jobs.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		must(t, work.Start(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		must(t, work.Stop(ctx))
		cancel()
		if warned := strings.Contains(log.String(), "giftcards keys rotate"); warned != test.warns {
			t.Errorf("after %d seals the log says %q", test.sealed, &log)
		}
	}
}
