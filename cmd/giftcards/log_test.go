package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
)

// hammer sends requests over several connections until the server ends. The returned function waits
// for this, and returns the ids of the answered requests.
func hammer(address string) func() []string {
	var (
		mu       sync.Mutex
		answered []string
		clients  sync.WaitGroup
	)
	for client := range 8 {
		clients.Go(func() {
			http := http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
			for i := 0; ; i++ {
				id := fmt.Sprintf("hammer-%d-%d", client, i)
				if !answers(&http, address, id) {
					return
				}
				mu.Lock()
				answered = append(answered, id)
				mu.Unlock()
			}
		})
	}
	return func() []string { clients.Wait(); return answered }
}

func answers(client *http.Client, address, id string) bool {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		return false
	}
	request.Header.Set("X-Request-Id", id)
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, response.Body)
	_ = response.Body.Close()
	return err == nil
}

// TestAStopLosesNoLogLine: every answered request has its line, and the lines about the stop follow.
func TestAStopLosesNoLogLine(t *testing.T) {
	t.Parallel()
	address := processtest.FreeAddress(t)
	server := processtest.Serve(t, processtest.StateDir(t), address, onDatabase(storetest.URL(t))...)
	ended := hammer(address)
	time.Sleep(300 * time.Millisecond) // more than one block of lines
	must(t, server.Stop(syscall.SIGTERM))
	answered, log := ended(), server.Output()
	if len(answered) < 10 {
		t.Fatalf("only %d requests were answered: %.2000s", len(answered), log)
	}
	missing := 0
	for _, id := range answered {
		if !strings.Contains(log, "client_request_id="+id+" ") {
			missing++
		}
	}
	if missing > 0 || !strings.Contains(log, "stopping after a signal") {
		t.Errorf("%d of %d answered requests have no line; the end of the log: %s", missing, len(answered), log[max(0, len(log)-500):])
	}
}

// TestARequestIsInTheLogSoon, even if no further request follows.
func TestARequestIsInTheLogSoon(t *testing.T) {
	t.Parallel()
	address := processtest.FreeAddress(t)
	server := processtest.Serve(t, processtest.StateDir(t), address, onDatabase(storetest.URL(t))...)
	if !answers(http.DefaultClient, address, "only-one") {
		t.Fatal("no answer")
	}
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(server.Output(), "client_request_id=only-one "); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 seconds the request is not in the log: %s", server.Output())
		}
	}
	must(t, server.Stop(syscall.SIGTERM))
}
