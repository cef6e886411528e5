package groupcommit_test

import (
	"context"
	"errors"
	"testing"

	"giftcards/store/groupcommit"
)

type valueKey struct{}

// TestAloneSharesWithNobodyAndWaitsForNobody: it gets the values of its context, and goes on when
// that context ends.
func TestAloneSharesWithNobodyAndWaitsForNobody(t *testing.T) {
	t.Parallel()
	held, release := make(chan struct{}, groupcommit.MaxRunning), make(chan struct{})
	group := groupcommit.New(groupcommit.Options[string, int]{
		Run: func(ctx context.Context, in []string) ([]int, error) {
			switch value, _ := ctx.Value(valueKey{}).(string); {
			case value == "":
				held <- struct{}{}
				<-release
			case value != "mine" || len(in) != 1 || ctx.Err() != nil:
				return nil, errors.New("not alone")
			}
			return make([]int, len(in)), nil
		},
		RolledBack: func(error) bool { return false },
	})
	done := make(chan error, groupcommit.MaxRunning)
	for range groupcommit.MaxRunning {
		go func() {
			_, err := group.Do(t.Context(), "shared")
			done <- err
		}()
	}
	for range groupcommit.MaxRunning { // all places are taken
		<-held
	}
	ctx, cancel := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "mine"))
	cancel()
	if _, err := group.Alone(ctx, "alone"); err != nil {
		t.Error(err)
	}
	close(release)
	for range groupcommit.MaxRunning {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
