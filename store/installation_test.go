package store_test

import (
	"errors"
	"sync"
	"testing"

	"giftcards/store"
	"giftcards/store/storetest"
)

// TestTheFirstStartDecidesWhetherADatabaseIsASandbox, also if many servers start at the same moment.
func TestTheFirstStartDecidesWhetherADatabaseIsASandbox(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	var mutex sync.Mutex
	marked := map[bool]int{} // how many starts were accepted, as a sandbox and as none
	var group sync.WaitGroup
	for i := range 12 {
		group.Go(func() {
			sandbox := i%2 == 0
			err := store.Install(t.Context(), url, sandbox)
			refusal := store.ErrNotSandbox
			if !sandbox {
				refusal = store.ErrSandbox
			}
			switch {
			case err == nil:
				mutex.Lock()
				marked[sandbox]++
				mutex.Unlock()
			case !errors.Is(err, refusal):
				t.Errorf("start as a sandbox %t: %v", sandbox, err)
			}
		})
	}
	group.Wait()
	if len(marked) != 1 || marked[true]+marked[false] != 6 {
		t.Fatalf("accepted as a sandbox: %d, as none: %d, want 6 of one kind", marked[true], marked[false])
	}
	// A role that serves finds the mark of the owner.
	for sandbox := range marked {
		if err := store.Install(t.Context(), storetest.Serving(url), sandbox); err != nil {
			t.Errorf("as the serving role: %v", err)
		}
		if err := store.Install(t.Context(), storetest.Serving(url), !sandbox); err == nil {
			t.Error("the serving role may start the other kind")
		}
	}
}
