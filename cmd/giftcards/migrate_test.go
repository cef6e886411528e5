package main

import (
	"net/http"
	"strings"
	"syscall"
	"testing"

	"giftcards/store/storetest"
)

// TestServingNeedsNoOwner: the owner migrates and grants, a lesser role serves.
func TestServingNeedsNoOwner(t *testing.T) {
	t.Parallel()
	dir, address, owner := stateDir(t), freePort(t), storetest.URL(t)
	serving := storetest.Serving(owner)
	if code, _, stderr := command(t, "", "migrate", "up", "--serve-role="+storetest.ServingRole, "--database-url="+owner, "--state-dir="+dir); code != 0 {
		t.Fatalf("migrate up: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "", "migrate", "up", "--serve-role=nobody_at_all", "--database-url="+owner, "--state-dir="+dir); code != 1 || !strings.Contains(stderr, "make it first") {
		t.Errorf("a role that is not there: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "", "demo", "--database-url="+serving, "--state-dir="+dir, "--listen="+address); code != 0 {
		t.Fatalf("demo: %d %s", code, stderr)
	}
	server := start(t, dir, address, "DATABASE_URL="+serving, "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox")
	c := login(t, dir)
	if status, answer, err := c.do(t.Context(), http.MethodPost, "", "", `{"initialValue":"5","merchantId":"`+c.MerchantID+`"}`); err != nil || status != http.StatusCreated {
		t.Errorf("create: %d %s %v", status, answer, err)
	}
	if err := server.stop(syscall.SIGTERM); err != nil || strings.Contains(server.output.String(), "permission denied") {
		t.Errorf("SIGTERM: %v\n%s", err, server.output.String())
	}
}
