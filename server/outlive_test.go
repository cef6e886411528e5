package server_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// guest is a user of the owner's merchant, with a token. Another instance deactivates the user.
type guest struct {
	w             *world
	other         *servertest.Server
	email, bearer string
}

// guest makes a guest, and sends a create that puts the guest's access into the cache.
func (w *world) guest(other *servertest.Server, create operation) guest {
	w.t.Helper()
	g := guest{w: w, other: other, email: uuid.NewString() + "@example.com"}
	merchant, err := id.Parse(w.owner.ID)
	must(w.t, err)
	added := storetest.AsOwner(w.t, w.s.Store, func(tx *store.Tx) (store.User, error) {
		return tx.AddUser(w.t.Context(), store.User{MerchantID: merchant, Email: g.email, PasswordHash: "no password", Role: store.RoleIssuer})
	})
	g.bearer = "Bearer " + mint(w.t, w.s, added.ID.String(), w.owner.ID)
	if answer := w.try(create, w.owned, g.bearer, nil); answer.Status != http.StatusCreated {
		w.t.Fatalf("a create before: %d %s", answer.Status, answer.Body)
	}
	return g
}

func (g guest) deactivate() {
	g.w.t.Helper()
	change(g.w.t, g.other, func(tx *store.Tx) (store.User, error) { return tx.SetActive(g.w.t.Context(), g.email, false) })
}

// effects counts the rows that operations write.
func (w *world) effects() (n struct{ cards, changed, entries, tasks, keys, messages, tokens int }) {
	w.t.Helper()
	must(w.t, w.s.Store.Pool().QueryRow(w.t.Context(), `select (select count(*) from gift_cards),
		(select count(*) from gift_cards where updated_at is not null), (select count(*) from ledger_entries), (select count(*) from bulk_tasks),
		(select count(*) from idempotency_keys), (select count(*) from messages), (select count(*) from revoked_tokens)`).
		Scan(&n.cards, &n.changed, &n.entries, &n.tasks, &n.keys, &n.messages, &n.tokens))
	return n
}

const createName = "POST " + programPath + "/cards"

// privateOperations returns the operations of the complete document that need a token, and the
// create among them.
func privateOperations(t *testing.T) (private []operation, create operation) {
	t.Helper()
	for _, o := range operations(t) {
		if o.name == createName {
			create = o
		}
		if !o.public {
			private = append(private, o)
		}
	}
	return private, create
}

// TestNoOperationOutlivesItsAccess: after another instance deactivates a user, every operation
// refuses the user, has no effect and replays no answer, even if the access is in the
// cache. See access.go.
func TestNoOperationOutlivesItsAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := servertest.NewOn(t, w.s.DatabaseURL, w.s.KeyFile)
	private, create := privateOperations(t)
	for _, o := range private {
		g := w.guest(other, create)
		key := http.Header{"Idempotency-Key": {uuid.NewString()}}
		x := w.ready(o, w.owner)
		if o.keyed {
			if answer := w.try(o, x, g.bearer, key); answer.Status != attempts[o.name].granted {
				t.Fatalf("%s before: %d %s", o.name, answer.Status, answer.Body)
			}
		}
		g.deactivate()
		before := w.effects()
		w.isOut(o.name, w.try(o, x, g.bearer, nil))
		w.isOut(o.name+" under a key used before", w.try(o, x, g.bearer, key))
		if after := w.effects(); after != before {
			t.Errorf("%s: %+v before, %+v after", o.name, before, after)
		}
	}
}

// TestNoBodyOutlivesItsAccess: a request has no effect, neither at once nor by a task, if its
// user is deactivated before the last byte of the body arrives.
func TestNoBodyOutlivesItsAccess(t *testing.T) {
	t.Parallel()
	for name, threshold := range map[string]int{"at once": 50, "by a task": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *server.Options) { o.BulkThreshold = threshold })
			other := servertest.NewOn(t, w.s.DatabaseURL, w.s.KeyFile)
			private, create := privateOperations(t)
			for _, o := range private {
				if attempts[o.name].body == nil {
					continue
				}
				for _, key := range []string{"", uuid.NewString()} {
					g := w.guest(other, create)
					path, body := w.request(o, w.ready(o, w.owner))
					before := w.effects()
					w.isOut(o.name, g.slowly(o.method, path, body, key))
					if after := w.effects(); after != before {
						t.Errorf("%s: %+v before, %+v after", o.name, before, after)
					}
				}
			}
		})
	}
}

// slowly sends a request, and deactivates its user before the last byte of the body. It uses no
// connection, so the last byte comes only when the server reads it.
func (g guest) slowly(method, path, body, key string) servertest.Answer {
	g.w.t.Helper()
	last := len(body) - 1
	sent := io.MultiReader(strings.NewReader(body[:last]), readerFunc(func(p []byte) (int, error) {
		g.deactivate()
		return copy(p, body[last:]), io.EOF
	}))
	r := httptest.NewRequestWithContext(context.WithoutCancel(g.w.t.Context()), method, path, sent)
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", g.bearer)
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	answer := httptest.NewRecorder()
	g.w.s.Handler.ServeHTTP(answer, r)
	return servertest.Answer{Status: answer.Code, Header: answer.Header(), Body: answer.Body.Bytes()}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// isOut fails the test unless the answer is that to a bad token.
func (w *world) isOut(what string, a servertest.Answer) {
	w.t.Helper()
	const want = `{"detail":"Could not validate credentials"}`
	if a.Status != http.StatusUnauthorized || strings.TrimSpace(string(a.Body)) != want || a.Header.Get("WWW-Authenticate") != "Bearer" {
		w.t.Errorf("%s: %d %s, want 401 %s", what, a.Status, a.Body, want)
	}
}

// TestNoListOutlivesItsAccess, although a list of one program starts from the cache, and although the
// server knows that some lists are empty before it asks the database for cards.
func TestNoListOutlivesItsAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := servertest.NewOn(t, w.s.DatabaseURL, w.s.KeyFile)
	_, create := privateOperations(t)
	ofProgram := allCards + "?programId=" + w.owned.program
	for name, path := range map[string]string{
		"all programs":               allCards,
		"one program":                ofProgram,
		"a page":                     ofProgram + "&page=2",
		"another merchant's cards":   ofProgram + "&merchant_id=" + w.foreign.merchant,
		"a text":                     ofProgram + "&q=Hopper",
		"a short text":               ofProgram + "&q=o",
		"a text that no card has":    ofProgram + "&q=" + strings.Repeat("o", 1001),
		"a number":                   ofProgram + "&q=1234",
		"the program of the path":    searchPath(w.owned.program),
		"nothing of that one":        searchPath(w.owned.program) + "?merchant_id=" + w.foreign.merchant,
		"two programs, the last one": allCards + "?programId=" + w.foreign.program + "&programId=" + w.owned.program,
	} {
		g := w.guest(other, create)
		if answer := w.send(http.MethodGet, path, "", g.bearer, nil); answer.Status != http.StatusOK {
			t.Errorf("%s, before: %d %s", name, answer.Status, answer.Body)
		}
		g.deactivate()
		w.isOut(name, w.send(http.MethodGet, path, "", g.bearer, nil))
	}
}
