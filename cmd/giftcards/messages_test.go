package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// TestANewcomerFindsTheMessage in the directory that the greeting names.
func TestANewcomerFindsTheMessage(t *testing.T) {
	t.Parallel()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address)
	outbox := filepath.Join(dir, "outbox")
	if !strings.Contains(server.Output(), "written to "+outbox+"\n") {
		t.Errorf("the greeting does not name the outbox:\n%s", server.Output())
	}
	card := login(t, dir).issueTo(t, "ada@example.com")
	check.Until(t, "the mail", func() bool {
		text, err := os.ReadFile(filepath.Join(outbox, card+".eml"))
		return err == nil && strings.Contains(string(text), "To: <ada@example.com>")
	})
}

// TestAKillBetweenSendingAndRecordingRepeatsTheMailOnce: the server is killed after the mail server has
// the mail, and before it reads the answer. The repeated mail has the same Message-ID and code.
func TestAKillBetweenSendingAndRecordingRepeatsTheMailOnce(t *testing.T) {
	t.Parallel()
	taken, dead := make(chan struct{}, 10), make(chan struct{})
	mails := smtptest.New(t, smtptest.Hooks{Data: func(smtptest.Mail) error {
		taken <- struct{}{}
		<-dead
		return nil
	}})
	dir, address, database := processtest.StateDir(t), processtest.FreeAddress(t), storetest.URL(t)
	env := []string{
		"DATABASE_URL=" + database, "SSL_CERT_FILE=" + mails.CertFile, "GIFTCARDS_MAIL_FROM=cards@example.com",
		"GIFTCARDS_SMTP_URL=smtp://" + strings.ReplaceAll(smtptest.User, "@", "%40") + "@" + mails.Address, "GIFTCARDS_SMTP_PASSWORD=" + smtptest.Password, "GIFTCARDS_SMS_URL=outbox",
	}
	server := processtest.Serve(t, dir, address, env...)
	code, stdout, stderr := command(t, "", "demo", "--database-url="+database, "--state-dir="+dir, "--listen="+address)
	if code != 0 {
		t.Fatal(stderr)
	}
	must(t, os.WriteFile(filepath.Join(dir, "demo.json"), []byte(stdout), 0o600))
	card := login(t, dir).issueTo(t, "ada@example.com")
	// The mail server has the mail and answers only after the kill.
	select {
	case <-taken:
	case <-time.After(time.Minute):
		t.Fatal("the mail server got no mail within a minute")
	}
	server.Kill()
	close(dead)

	processtest.Serve(t, dir, address, env...)
	db, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer db.Close(t.Context())
	count := func(where string) (n int) {
		must(t, db.QueryRow(t.Context(), "select count(*) from messages where "+where).Scan(&n))
		return n
	}
	if n := count("status = 'scheduled' and unconfirmed = 1 and next_attempt_at > now()"); n != 1 {
		t.Fatal("the lease of the dead is not kept")
	}
	_, err = db.Exec(t.Context(), "update messages set next_attempt_at = now()") // the end of the lease
	must(t, err)
	check.Until(t, "the repeated mail", func() bool { return count("status = 'sent'") == 1 })
	got := mails.Mails()
	if len(got) != 2 || got[0].ID != got[1].ID || got[0].ID != "<"+card+"@example.com>" {
		t.Fatalf("%d mails: %v", len(got), got)
	}
	codeOf := func(m smtptest.Mail) string {
		_, after, _ := strings.Cut(string(m.Raw), "Security code:")
		return strings.Fields(after)[0]
	}
	if codeOf(got[0]) != codeOf(got[1]) || len(codeOf(got[0])) != 6 {
		t.Errorf("codes %q and %q", codeOf(got[0]), codeOf(got[1]))
	}
}

func TestOperatorsListAndRetryMessages(t *testing.T) {
	t.Parallel()
	database := storetest.URL(t)
	settings := []string{"--database-url=" + database, "--state-dir=" + t.TempDir()}
	do := func(args ...string) (int, string, string) { return command(t, "", append(args, settings...)...) }
	if code, stdout, stderr := do("messages", "list"); code != 0 || strings.TrimSpace(stdout) != "[]" {
		t.Fatalf("no messages: %d %s %s", code, stdout, stderr)
	}
	db, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer db.Close(t.Context())
	// Three failed and two dropped messages, without cards.
	_, err = db.Exec(t.Context(), `
		insert into messages (program_id, card_id, channel, address, bulk, send_at, status, attempts, next_attempt_at, last_error, created_at)
		select decode(lpad('', 24, '0'), 'hex'), decode(lpad(to_hex(n), 24, '0'), 'hex'), 'email', 'a@example.com', false, now(), case when n < 4 then 'failed' else 'dropped' end, 3, now(), 'recipient: 550', now()
		from generate_series(1, 5) n`)
	must(t, err)
	list := func(status string) (rows []map[string]any) {
		code, stdout, stderr := do("messages", "list", "--status="+status)
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 {
			t.Fatalf("list %s: %d %s %s", status, code, stdout, stderr)
		}
		return rows
	}
	if rows := list("failed"); len(rows) != 3 || rows[0]["error"] != "recipient: 550" || rows[0]["address"] != "a@example.com" || rows[0]["kind"] != "card" || rows[0]["sequence"] != 0.0 || rows[0]["nextAttemptAt"] != nil {
		t.Errorf("failed: %v", rows)
	}
	if rows := list("dropped"); len(rows) != 2 {
		t.Errorf("dropped: %v", rows)
	}
	for _, args := range [][]string{{}, {"--all", "000000000000000000000001"}, {"xyz"}, {"--all", "--sent"}, {"000000000000000000000001", "000000000000000000000005"}} {
		if code, _, _ := do(append([]string{"messages", "retry"}, args...)...); code == 0 {
			t.Errorf("retry %v succeeds", args)
		}
	}
	for _, c := range []struct {
		what, want string
	}{{"000000000000000000000001", `"retried": 1`}, {"--all", `"retried": 2`}} {
		if code, stdout, stderr := do("messages", "retry", c.what); code != 0 || !strings.Contains(stdout, c.want) {
			t.Errorf("retry %s: %d %s %s", c.what, code, stdout, stderr)
		}
	}
	if rows := list("scheduled"); len(rows) != 3 || rows[0]["attempts"] != 0.0 {
		t.Errorf("after the retries: %v", rows)
	}
	if code, _, _ := do("messages", "list", "--status=lost"); code != 2 {
		t.Error("an unknown state is listed")
	}
}
