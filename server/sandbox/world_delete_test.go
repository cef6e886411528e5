package sandbox_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// tables returns how many rows of each table contain one of the ids of a world. It leaves out
// reseals, whose one row says how far the sealing of codes under a new key has come, and the
// entry of the audit log that says that the world was deleted.
func (b *box) tables(of world) map[string]int {
	b.t.Helper()
	ids := []string{of.MerchantID, of.Neighbour.MerchantID, of.Neighbour.ProgramID}
	for _, program := range of.Programs {
		ids = append(ids, program.ID)
	}
	for _, user := range of.Users {
		ids = append(ids, user.ID)
	}
	rows, err := b.Store.Pool().Query(b.t.Context(), "select relname::text from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r'")
	must(b.t, err)
	var names []string
	for rows.Next() {
		var name string
		must(b.t, rows.Scan(&name))
		names = append(names, name)
	}
	must(b.t, rows.Err())
	found := map[string]int{}
	for _, name := range names {
		if name == "reseals" {
			continue
		}
		from := fmt.Sprintf("%s t where t::text ~ '%s'", name, strings.Join(ids, "|"))
		if name == "audit_log" {
			from += " and operation <> 'deleteWorld'"
		}
		if count := storetest.Count(b.t, b.Store, from); count > 0 {
			found[name] = count
		}
	}
	return found
}

// TestADeletedWorldLeavesNothing makes every state in a world, deletes the world, and looks for
// its ids in every table.
func TestADeletedWorldLeavesNothing(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w, other := b.world(`{"name": "w"}`), b.world(`{"name": "other"}`)
	for _, in := range []world{w, other} {
		for _, st := range b.states() {
			b.state(in.Name, st.example(), "")
		}
		b.state(in.Name, "a pending card", `{"email": "ada@example.com", "phone": "+493012345678"}`)
		if got := b.login(in.Users[0].Email, in.Users[0].Password); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		b.want(http.StatusAccepted, "POST", in.cards()+"/bulk", in.Token, `{"initialValue": 1, "recipients": [{"customerEmail": "a@example.com"}]}`, "Sandbox-Task: stuck")
	}
	w = decoded[world](t, b.want(http.StatusOK, "GET", "/sandbox/worlds/w", "", "")) // with the users of the states
	filled := b.tables(w)
	for _, table := range []string{
		"audit_log", "bulk_tasks", "card_totals", "gift_cards", "idempotency_keys", "issued_totals", "issuing_limits", "known_logins",
		"ledger_entries", "merchants", "messages", "programs", "river_job", "task_recipients", "users", "worlds",
	} {
		if filled[table] == 0 {
			t.Errorf("the world has nothing in %s, so that this test would not see what is left", table)
		}
	}
	before := b.tables(other)
	b.want(http.StatusNoContent, "DELETE", "/sandbox/worlds/w", "", "")
	if left := b.tables(w); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if after := b.tables(other); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the other world had %v, and has %v", before, after)
	}
	b.want(http.StatusUnauthorized, "GET", "/v2/token", w.Token, "")
	b.want(http.StatusNotFound, "GET", "/sandbox/worlds/w", "", "")
	b.want(http.StatusOK, "GET", "/v2/token", other.Token, "")
	if log := b.Log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log has errors: %s", log)
	}
}

// TestAWorldIsDeletedWhileItsTasksRun deletes worlds whose tasks are being issued.
func TestAWorldIsDeletedWhileItsTasksRun(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	var deleted []world
	for n := range 4 {
		w := b.world(fmt.Sprintf(`{"name": "w%d"}`, n))
		for range 3 {
			b.want(http.StatusAccepted, "POST", w.cards()+"/bulk", w.Token, `{"initialValue": 1, "count": 3000}`)
		}
		deleted = append(deleted, w)
	}
	var all sync.WaitGroup
	for _, w := range deleted {
		all.Go(func() {
			if got := b.send("DELETE", "/sandbox/worlds/"+w.Name, "", ""); got.status != http.StatusNoContent {
				t.Errorf("%s: %d %s", w.Name, got.status, got.body)
			}
		})
	}
	all.Wait()
	// A running job ends by itself, and its row says so.
	check.Until(t, "jobs that have ended", func() bool {
		return storetest.Count(t, b.Store, "river_job where state in ('running', 'available', 'retryable', 'scheduled')") == 0
	})
	for _, w := range deleted {
		left := b.tables(w)
		delete(left, "river_job")
		if len(left) > 0 {
			t.Errorf("left of %s: %v", w.Name, left)
		}
	}
	if log := b.Log.String(); strings.Contains(log, `"level":"ERROR"`) {
		t.Errorf("the log has errors: %s", log)
	}
}
