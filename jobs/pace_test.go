package jobs

import (
	"context"
	"sync"
	"testing"
)

// TestCardsIssuedAtOnceGoBeforeThoseOfTasks: tasks get no permit while cards wait for one,
// and all permits otherwise.
func TestCardsIssuedAtOnceGoBeforeThoseOfTasks(t *testing.T) {
	t.Parallel()
	cards, bulk := make(chan struct{}, 1<<20), make(chan struct{}, 1<<20) // a buffer with room is a lane that waits for permits
	ctx, stop := context.WithCancel(t.Context())
	var pacing sync.WaitGroup
	pacing.Go(func() { pace(ctx, 200, cards, bulk) })
	for range 200 {
		<-cards
	}
	stop()
	pacing.Wait()
	if n := len(bulk); n != 0 {
		t.Errorf("tasks got %d permits while cards asked for them", n)
	}

	ctx, stop = context.WithCancel(t.Context())
	pacing.Go(func() { pace(ctx, 200, make(chan struct{}), bulk) })
	for range 200 {
		<-bulk
	}
	stop()
	pacing.Wait()
}
