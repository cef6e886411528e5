package jobs

import (
	"context"
	"sync"
	"testing"
)

// TestCardsIssuedAtOnceGoBeforeThoseOfTasks: tasks get no permit while a single card waits for one.
// Otherwise they get all permits.
func TestCardsIssuedAtOnceGoBeforeThoseOfTasks(t *testing.T) {
	t.Parallel()
	cards, bulk := make(chan struct{}, 1<<20), make(chan struct{}, 1<<20) // a buffer with room is a lane that waits for permits
	ctx, stop := context.WithCancel(t.Context())
	var pacing sync.WaitGroup
	pacing.Go(func() { pace(ctx, 200, cards, bulk, nil) })
	for range 200 {
		<-cards
	}
	stop()
	pacing.Wait()
	if n := len(bulk); n != 0 {
		t.Errorf("tasks got %d permits while cards asked for them", n)
	}

	ctx, stop = context.WithCancel(t.Context())
	pacing.Go(func() { pace(ctx, 200, make(chan struct{}), bulk, nil) })
	for range 200 {
		<-bulk
	}
	stop()
	pacing.Wait()
}

// TestReceiptsGoAfterAllCards: they get no permit while a card in any lane waits for one. Otherwise
// they get all permits.
func TestReceiptsGoAfterAllCards(t *testing.T) {
	t.Parallel()
	for _, lane := range []string{"cards", "tasks"} {
		waiting, idle, receipts := make(chan struct{}, 1<<20), make(chan struct{}), make(chan struct{}, 1<<20)
		cards, bulk := waiting, idle
		if lane == "tasks" {
			cards, bulk = idle, waiting
		}
		ctx, stop := context.WithCancel(t.Context())
		var pacing sync.WaitGroup
		pacing.Go(func() { pace(ctx, 200, cards, bulk, receipts) })
		for range 200 {
			<-waiting
		}
		stop()
		pacing.Wait()
		if n := len(receipts); n != 0 {
			t.Errorf("receipts got %d permits while %s asked for them", n, lane)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	receipts := make(chan struct{})
	var pacing sync.WaitGroup
	pacing.Go(func() { pace(ctx, 200, make(chan struct{}), make(chan struct{}), receipts) })
	for range 200 {
		<-receipts
	}
	stop()
	pacing.Wait()
}
