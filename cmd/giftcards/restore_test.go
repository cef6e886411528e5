//go:build restore

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
	"giftcards/store/storetest/check"
)

// postgres runs a client program of PostgreSQL. Such a program does not understand pgx's own
// parameters in an address.
func postgres(t *testing.T, program, database string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is not in the PATH: it comes with PostgreSQL's client programs (postgresql-client on Debian), not with the PostgreSQL that giftcards fetches", program)
	}
	u, err := url.Parse(database)
	must(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(os.Environ(), "PGHOST="+u.Query().Get("host"), "PGPORT="+u.Query().Get("port"), "PGUSER="+u.User.Username(), "PGDATABASE="+strings.TrimPrefix(u.Path, "/"))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", program, err, complaints.String())
	}
	return out
}

func privateURL(t *testing.T) string {
	t.Helper()
	server, err := embedded.Start(t.Context(), embedded.Options{Ephemeral: true})
	must(t, err)
	t.Cleanup(func() { _ = server.Stop(context.WithoutCancel(t.Context())) })
	return server.URL()
}

// TestABackupBringsEverythingBack on an empty server with the same key file: the cards are the same,
// codes open, tasks can be polled, idempotency keys replay, and the server issues new cards.
func TestABackupBringsEverythingBack(t *testing.T) {
	t.Parallel()
	first, second := privateURL(t), privateURL(t)
	dir, restored, address := processtest.StateDir(t), processtest.StateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address, onDatabase(first)...)
	if code, _, stderr := command(t, "", "demo", "--database-url="+first, "--state-dir="+dir, "--listen="+address); code != 0 {
		t.Fatal(stderr)
	}
	c := login(t, dir)
	const body = `{"initialValue":"5","count":3}`
	status, issued, err := c.do(t.Context(), http.MethodPost, "/bulk", "the-key", body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("bulk: %d %s %v", status, issued, err)
	}
	csv := download(t, issued)
	card := c.issueTo(t, "ada@example.com")
	check.Until(t, "the mail", func() bool { return exists(filepath.Join(dir, "outbox", card+".eml")) })

	const redeemed = `{"amount":"2"}`
	for _, step := range []struct{ path, body string }{{"/activate", `{}`}, {"/redeem", redeemed}} {
		if status, answer, err := c.do(t.Context(), http.MethodPost, "/"+card+step.path, "the-key", step.body); err != nil || status != http.StatusOK {
			t.Fatalf("%s: %d %s %v", step.path, status, answer, err)
		}
	}

	// A backup needs no pause of the server.
	dump := filepath.Join(dir, "giftcards.dump") // while the server runs
	postgres(t, "pg_dump", first, "--format=custom", "--file="+dump)
	status, _, err = c.do(t.Context(), http.MethodPost, "/bulk", "after the backup", body)
	if err != nil || status != http.StatusCreated {
		t.Fatalf("bulk: %d %v", status, err)
	}
	must(t, server.Stop(syscall.SIGTERM))
	postgres(t, "pg_restore", second, "--dbname=giftcards", "--no-owner", "--exit-on-error", "--single-transaction", dump)

	path := processtest.Program(t)
	cmd := exec.CommandContext(t.Context(), path, "serve", "--listen="+address, "--state-dir="+restored)
	cmd.Env = append(os.Environ(), onDatabase(second)...)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "keys.json is missing") {
		t.Errorf("without its keys: %v %s", err, out)
	}
	keys, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(restored, "keys.json"), keys, 0o600))
	server = processtest.Serve(t, restored, address, onDatabase(second)...)
	status, again, err := c.do(t.Context(), http.MethodPost, "/bulk", "the-key", body) // with a token from before the restore
	if err != nil || status != http.StatusCreated || !bytes.Equal(download(t, again), csv) {
		t.Errorf("after the restore: %d %s %v", status, again, err)
	}
	if n := countCards(t, second, ""); n != 4 {
		t.Errorf("%d cards, want the 4 that existed before the backup", n)
	}
	status, replayed, err := c.do(t.Context(), http.MethodPost, "/"+card+"/redeem", "the-key", redeemed)
	if err != nil || status != http.StatusOK || !strings.Contains(string(replayed), `"remainingBalance":"3.00"`) {
		t.Errorf("the redemption again: %d %s %v", status, replayed, err)
	}
	checkLedger(t, second, restored)
	checkCopySendsWhenTold(t, c, server, second, restored)
	if status, answer, err := c.do(t.Context(), http.MethodPost, "/bulk", "after the restore", body); err != nil || status != http.StatusCreated {
		t.Errorf("bulk: %d %s %v", status, answer, err)
	}
	must(t, server.Stop(syscall.SIGTERM))
}

// download returns the CSV with the codes for the answer to a bulk request.
func download(t *testing.T, issued []byte) []byte {
	t.Helper()
	var answer struct{ CsvDownloadURL string }
	must(t, json.Unmarshal(issued, &answer))
	response, err := http.Get(answer.CsvDownloadURL)
	must(t, err)
	defer response.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusOK {
		t.Fatalf("CSV: %d %s", response.StatusCode, text.String())
	}
	return text.Bytes()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkLedger fails unless the only balance is the one from before the backup, and follows from its entries.
func checkLedger(t *testing.T, database, dir string) {
	t.Helper()
	code, stdout, stderr := command(t, "", "ledger", "verify", "--database-url="+database, "--state-dir="+dir)
	var ledger printedLedger
	if err := json.Unmarshal([]byte(stdout), &ledger); err != nil || code != 0 || ledger.Cards != 1 || ledger.Entries != 2 || ledger.Balance.String() != "3.00" {
		t.Errorf("ledger verify: %d %s%s", code, stdout, stderr)
	}
}

// checkCopySendsWhenTold issues a card on the restored copy. Its mail waits until an
// operator lets the copy send.
func checkCopySendsWhenTold(t *testing.T, c client, server *processtest.Server, database, dir string) {
	t.Helper()
	card := c.issueTo(t, "ada@example.com")
	check.Until(t, "word that nothing is sent", func() bool { return strings.Contains(server.Output(), "this database is a copy") })
	if path := filepath.Join(dir, "outbox"); exists(path) {
		t.Errorf("the copy wrote to %s", path)
	}
	if code, _, stderr := command(t, "", "messages", "resume", "--database-url="+database, "--state-dir="+dir); code != 0 {
		t.Fatal(stderr)
	}
	check.Until(t, "the mail after messages resume", func() bool { return exists(filepath.Join(dir, "outbox", card+".eml")) })
}
