package main

import (
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
)

// TestServingNeedsNoOwner: the owner migrates and grants, and a role with fewer rights
// serves.
func TestServingNeedsNoOwner(t *testing.T) {
	t.Parallel()
	dir, address, owner := processtest.StateDir(t), processtest.FreeAddress(t), storetest.URL(t)
	serving := storetest.Serving(owner)
	if code, _, stderr := command(t, "", "migrate", "up", "--serve-role="+storetest.ServingRole, "--database-url="+owner, "--state-dir="+dir); code != 0 {
		t.Fatalf("migrate up: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "", "migrate", "up", "--serve-role=nobody_at_all", "--database-url="+owner, "--state-dir="+dir); code != 1 || !strings.Contains(stderr, "make it first") {
		t.Errorf("a role that is not there: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "", "demo", "--database-url="+owner, "--state-dir="+dir, "--listen="+address); code != 0 {
		t.Fatalf("demo: %d %s", code, stderr)
	}
	server := processtest.Serve(t, dir, address, onDatabase(serving)...)
	c := login(t, dir)
	if status, answer, err := c.do(t.Context(), http.MethodPost, "", "", `{"initialValue":"5","merchantId":"`+c.MerchantID+`"}`); err != nil || status != http.StatusCreated {
		t.Errorf("create: %d %s %v", status, answer, err)
	}
	if err := server.Stop(syscall.SIGTERM); err != nil || strings.Contains(server.Output(), "permission denied") {
		t.Errorf("SIGTERM: %v\n%s", err, server.Output())
	}
}

// TestCommandsOfTheOwnerSaySoToAnotherRole tries every command that only the owner may run as the
// serving role. The error is one sentence.
func TestCommandsOfTheOwnerSaySoToAnotherRole(t *testing.T) {
	t.Parallel()
	dir, owner := t.TempDir(), storetest.URL(t)
	if code, _, stderr := command(t, "", "demo", "--database-url="+owner, "--state-dir="+dir); code != 0 {
		t.Fatalf("demo: %d %s", code, stderr)
	}
	made, err := readDemo(filepath.Join(dir, "demo.json"))
	must(t, err)
	sentence := regexp.MustCompile(`^giftcards: the role in DATABASE_URL may not do this \(permission denied for [^\n]+\): use the owner of the tables\n$`)
	for _, args := range [][]string{
		{"merchant", "create", "Bookshop"},
		{"program", "create", "--merchant=" + made.MerchantID, "More gift cards"},
		{"user", "create", "--merchant=" + made.MerchantID, "ada@example.com"},
		{"user", "password", demoUser}, {"user", "role", demoUser, "reader"}, {"user", "deactivate", demoUser}, {"user", "activate", demoUser},
		{"demo", "--database-url=" + storetest.Serving(storetest.URL(t)), "--state-dir=" + t.TempDir()}, // where there is none yet
		{"migrate", "up", "--serve-role=" + storetest.ServingRole},
	} {
		code, stdout, stderr := command(t, "a long password\n", append([]string{"--database-url=" + storetest.Serving(owner), "--state-dir=" + dir}, args...)...)
		if code != 1 || stdout != "" || !sentence.MatchString(stderr) {
			t.Errorf("%v: %d %s%s", args, code, stdout, stderr)
		}
	}
	for _, args := range [][]string{{"user", "list"}, {"audit", "list"}, {"messages", "list"}, {"messages", "retry", "--all"}, {"migrate", "status"}, {"migrate", "up"}} {
		if code, _, stderr := command(t, "", append([]string{"--database-url=" + storetest.Serving(owner), "--state-dir=" + dir}, args...)...); code != 0 {
			t.Errorf("%v, which serving may: %d %s", args, code, stderr)
		}
	}
}
