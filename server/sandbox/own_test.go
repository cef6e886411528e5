package sandbox_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestAnOperationOfTheSandboxItselfHasNoControls: each header is a 400 with a sentence, and
// nothing happens.
func TestAnOperationOfTheSandboxItselfHasNoControls(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"name": "w"}`)
	for header, want := range map[string]string{
		"Sandbox-Now: 2030-01-01T00:00:00Z": "Sandbox-Now has no meaning for an operation of the sandbox itself",
		"Sandbox-Fault: lost-answer":        "Sandbox-Fault has no meaning for an operation of the sandbox itself",
		"Sandbox-Fault: x":                  "Sandbox-Fault has no meaning for an operation of the sandbox itself",
		"Sandbox-Task: stuck":               "Sandbox-Task has no meaning for an operation of the sandbox itself",
		"Prefer: code=404":                  "Prefer: code has no meaning for an operation of the sandbox itself",
		"Prefer: code=x":                    "Prefer: code has no meaning for an operation of the sandbox itself",
	} {
		for _, request := range []string{
			"POST /sandbox/worlds", "GET /sandbox/worlds", "GET /sandbox/worlds/w", "DELETE /sandbox/worlds/w", "POST /sandbox/states", "GET /sandbox/states",
			"GET /sandbox/requests", "DELETE /sandbox/requests?world=w", "POST /sandbox/tasks/0b6f7a54-0000-4000-8000-000000000000/release",
		} {
			method, path, _ := strings.Cut(request, " ")
			if got := b.send(method, path, "", "", header); got.status != http.StatusBadRequest || got.detail() != want {
				t.Errorf("%s with %s: %d %s, want %q", request, header, got.status, got.body, want)
			}
		}
	}
	b.want(http.StatusOK, "GET", "/v2/token", w.Token, "")
	b.want(http.StatusOK, "GET", "/sandbox/worlds", "", "", "Prefer: return=minimal")
}

// TestANameThatNoWorldCanHaveIsNotFound: neither a character that the database refuses nor a long
// name causes an error of the server.
func TestANameThatNoWorldCanHaveIsNotFound(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, name := range []string{"%00", "%FF", "a%0Ab", "%C3%A9", "a%2Fb", "%2e%2e", strings.Repeat("x", 101), strings.Repeat("x", 10_000)} {
		for request, want := range map[string]int{
			"GET /sandbox/worlds/" + name: 404, "DELETE /sandbox/worlds/" + name: 404,
			"GET /sandbox/requests?world=" + name: 404, "DELETE /sandbox/requests?world=" + name: 404,
			"POST /sandbox/states?world=" + name: 400,
		} {
			method, path, _ := strings.Cut(request, " ")
			if got := b.send(method, path, "", ""); got.status != want {
				t.Errorf("%.100s: %d %s, want %d", request, got.status, got.body, want)
			}
		}
	}
}

// TestAUserOfAWorldHasANameThatCanBeStored: control characters become blanks, as in the names
// of merchants.
func TestAUserOfAWorldHasANameThatCanBeStored(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"merchant": "a\u0000b", "programs": ["c\u0000d"], "users": [{"name": "e\u0000f"}, {"name": "\u0000", "role": "cashier"}, {"name": null, "email": null}]}`)
	if w.Users[0].Name != "e f" || w.Users[1].Name != "Cashier" || w.Users[2].Name != "Issuer" || w.Programs[0].Name != "c d" {
		t.Errorf("got %+v", w)
	}
	for body, want := range map[string]string{
		`{"users": [{"name": "` + strings.Repeat("x", 256) + `"}]}`: "A name must have 1 to 255 characters",
		`{"users": [null]}`: "users must not have a JSON null",
		`null`:              "The body must be a JSON object",
		` null `:            "The body must be a JSON object",
	} {
		if got := b.send("POST", "/sandbox/worlds", "", body); got.status != http.StatusBadRequest || got.detail() != want {
			t.Errorf("%.60s: %d %s, want %q", body, got.status, got.body, want)
		}
	}
}

// TestOnlyOneOfConcurrentRequestsMakesOrDeletesAWorld: the others are told that the world exists,
// or that there is none.
func TestOnlyOneOfConcurrentRequestsMakesOrDeletesAWorld(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, c := range []struct {
		method, path, body string
		one, others        int
	}{
		{"POST", "/sandbox/worlds", `{"name": "one"}`, http.StatusCreated, http.StatusConflict},
		{"DELETE", "/sandbox/worlds/one", "", http.StatusNoContent, http.StatusNotFound},
	} {
		var mutex sync.Mutex
		counts := map[int]int{}
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				got := b.send(c.method, c.path, "", c.body)
				mutex.Lock()
				defer mutex.Unlock()
				counts[got.status]++
			})
		}
		all.Wait()
		if counts[c.one] != 1 || counts[c.others] != 7 {
			t.Errorf("%s: %v, want 1 of %d and 7 of %d", c.method, counts, c.one, c.others)
		}
	}
}

// endless is a body that never ends by itself.
type endless struct{ sent int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.sent >= 100<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = ' '
	}
	e.sent += int64(len(p))
	return len(p), nil
}

// TestAHugeBodyIsRefusedAndNotKept: 100 MB to an operation of the sandbox itself, with a length
// and without one, over HTTP/1.1 and HTTP/2.
func TestAHugeBodyIsRefusedAndNotKept(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, p := range protocols(t, b) {
		for _, path := range []string{"/sandbox/worlds", "/sandbox/states"} {
			for _, length := range []int64{100 << 20, -1} {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.url+path, &endless{})
				must(t, err)
				r.ContentLength = length
				response, err := p.client.Do(r)
				if err != nil {
					t.Errorf("%s %s with length %d: %v", p.name, path, length, err)
					continue
				}
				answer, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if want := `{"detail":"The body must have 65536 bytes at most"}` + "\n"; response.StatusCode != http.StatusRequestEntityTooLarge || string(answer) != want {
					t.Errorf("%s %s with length %d: %d %s, want %s", p.name, path, length, response.StatusCode, answer, want)
				}
			}
		}
	}
}

// TestAWorldIsDeletedWhileItIsUsed: no request to the world ends in an error of the server, and
// afterwards nobody can reach anything of it.
func TestAWorldIsDeletedWhileItIsUsed(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"name": "w"}`)
	deleted := make(chan struct{})
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			for ended := false; !ended; {
				select {
				case <-deleted:
					ended = true // one more round after the end
				default:
				}
				for _, got := range []answer{
					b.send("POST", w.cards(), w.Token, w.newCard()),
					b.send("GET", "/v2/giftcards/programs/cards", w.Token, ""),
					b.send("POST", "/sandbox/states", "", `{"state": "an active card", "params": {"world": "w"}}`),
				} {
					if got.status >= http.StatusInternalServerError {
						t.Errorf("%d %s", got.status, got.body)
					}
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond) // so that requests are under way
	b.want(http.StatusNoContent, "DELETE", "/sandbox/worlds/w", "", "")
	close(deleted)
	all.Wait()
	b.want(http.StatusUnauthorized, "GET", "/v2/token", w.Token, "")
	if log := b.Log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log has errors: %s", log)
	}
}
