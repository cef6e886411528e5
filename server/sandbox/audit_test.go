package sandbox_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// audited returns the entries of the audit log about a merchant, the oldest first.
func (b *box) audited(merchant string) []store.AuditEntry {
	b.t.Helper()
	parsed, err := id.Parse(merchant)
	must(b.t, err)
	entries, err := store.Read(b.t.Context(), b.Store, func(tx *store.Tx) ([]store.AuditEntry, error) {
		return tx.AuditEntries(b.t.Context(), parsed, id.ID{}, time.Time{}, 100)
	})
	must(b.t, err)
	slices.Reverse(entries)
	return entries
}

// TestTheAuditLogRecordsWorldsAndStates: an entry has the operation, the merchant, the subject,
// the address and the ids of the request. The requests that make a state have entries of their
// own, and the entry of a deleted world outlives it.
func TestTheAuditLogRecordsWorldsAndStates(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	made := b.want(http.StatusCreated, "POST", "/sandbox/worlds", "", `{"name": "w"}`, "X-Request-Id: the-request")
	w := decoded[world](t, made)
	card, user, task := b.state("w", "an active card", ""), b.state("w", "a user", ""), b.state("w", "a task in progress", "")
	b.state("w", "an empty program", "")
	b.want(http.StatusOK, "POST", "/sandbox/states?world=w", "", `{"state": "a task in progress", "action": "teardown"}`)
	var got []string
	entries := b.audited(w.MerchantID)
	for _, e := range entries {
		subject := fmt.Sprintf("%x", e.Subject)
		for name, hex := range map[string]string{
			"the merchant": w.MerchantID, "the card": card.text("cardId"), "the user": user.text("userId"), "the task": task.text("taskId"),
		} {
			if subject == strings.ReplaceAll(hex, "-", "") {
				subject = name
			}
		}
		got = append(got, e.Operation+" "+subject)
	}
	want := []string{
		"createWorld the merchant", "createGiftCard the card", "activateGiftCard the card", "makeState the card", "makeState the user",
		"bulkIssueGiftCards the task", "makeState the task", "makeState the merchant", "endState the merchant",
	}
	if !slices.Equal(got, want) {
		t.Fatalf("the log says\n%q, want\n%q", got, want)
	}
	if e := entries[0]; e.Client != "127.0.0.1" || e.RequestID == nil || e.ClientRequestID == nil || *e.ClientRequestID != "the-request" ||
		made.header.Get("X-Request-Id") != "the-request" || !e.UserID.IsZero() || e.ProgramID.String() != w.ProgramID {
		t.Errorf("the entry of the world is %+v, and its answer has %v", e, made.header)
	}
	deleted := b.want(http.StatusNoContent, "DELETE", "/sandbox/worlds/w", "", "")
	b.want(http.StatusNotFound, "DELETE", "/sandbox/worlds/w", "", "")
	last := b.audited(w.MerchantID)
	if len(last) != 1 || last[0].Operation != "deleteWorld" || fmt.Sprintf("%x", last[0].Subject) != w.MerchantID || *last[0].RequestID != deleted.header.Get("X-Request-Id") {
		t.Errorf("of the deleted world the log has %+v", last)
	}
}

func TestARefusedWorldOrStateIsNotAudited(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	w := b.world(`{"name": "w"}`)
	b.want(http.StatusConflict, "POST", "/sandbox/worlds", "", `{"name": "w"}`)
	b.want(http.StatusBadRequest, "POST", "/sandbox/states?world=w", "", `{"state": "an active card with 0"}`)
	b.want(http.StatusOK, "POST", "/sandbox/states?world=w", "", `{"state": "an active card", "action": "teardown"}`) // there is nothing to end
	b.want(http.StatusOK, "GET", "/sandbox/worlds/w", "", "")
	if entries := b.audited(w.MerchantID); len(entries) != 1 || entries[0].Operation != "createWorld" {
		t.Errorf("the log has %+v", entries)
	}
}

// TestARequestToTheSandboxItselfIsLogged with its route, and without the values in its path.
func TestARequestToTheSandboxItselfIsLogged(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	b.world(`{"name": "secret-name"}`)
	got := b.want(http.StatusOK, "GET", "/sandbox/worlds/secret-name", "", "")
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, got.header.Get(name), want)
		}
	}
	line := `"request_id":"` + got.header.Get("X-Request-Id") + `","method":"GET","route":"/sandbox/worlds/:name","status":200`
	if log := b.Log.String(); !strings.Contains(log, line) || strings.Contains(log, "secret-name") {
		t.Errorf("the log has no %s, or a name:\n%s", line, log)
	}
}
