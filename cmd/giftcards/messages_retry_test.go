package main

import (
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/mail"
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

// desk is an operator's desk: a server with its own database, and commands on the same database.
type desk struct {
	*testing.T
	dir, database string
	client        client
}

func newDesk(t *testing.T, env ...string) desk {
	t.Helper()
	o := desk{T: t, dir: processtest.StateDir(t), database: storetest.URL(t)}
	address := processtest.FreeAddress(t)
	processtest.Serve(t, o.dir, address, onDatabase(o.database, env...)...)
	code, stdout, stderr := o.do("demo", "--listen="+address)
	if code != 0 {
		t.Fatal(stderr)
	}
	must(t, os.WriteFile(filepath.Join(o.dir, "demo.json"), []byte(stdout), 0o600))
	o.client = login(t, o.dir)
	return o
}

func (o desk) do(args ...string) (code int, stdout, stderr string) {
	return command(o.T, "", append(args, "--database-url="+o.database, "--state-dir="+o.dir)...)
}

// mail reads the card's mail from the outbox. It returns nil if there is none.
func (o desk) mail(card string) *mail.Message {
	file, err := os.Open(filepath.Join(o.dir, "outbox", card+".eml"))
	if err != nil {
		return nil
	}
	defer file.Close()
	m, err := mail.ReadMessage(file)
	must(o.T, err)
	return m
}

func (o desk) messages(status string) (rows []map[string]any) {
	o.Helper()
	code, stdout, stderr := o.do("messages", "list", "--status="+status)
	if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 {
		o.Fatalf("list %s: %d %s %s", status, code, stdout, stderr)
	}
	return rows
}

// TestAnOperatorSendsAMailToAMendedAddress: --to sends the mail with another Message-ID, and stores the
// address in the card.
func TestAnOperatorSendsAMailToAMendedAddress(t *testing.T) {
	t.Parallel()
	o := newDesk(t)
	card := o.client.issueTo(t, "ada@example.com")
	check.Until(t, "the mail", func() bool { return len(o.messages("written")) == 1 })
	first := o.mail(card)
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no address":    {[]string{"--to=ada", card}, "want a mail address, or a telephone number"},
		"a bad address": {[]string{"--to=ada@", card}, "want a mail address: "},
		"no card":       {[]string{"--to=ada@example.net"}, "one named card"},
		"two cards":     {[]string{"--to=ada@example.net", card, card}, "one named card"},
		"no such card":  {[]string{"--to=ada@example.net", "000000000000000000000001"}, "Gift card not found: 000000000000000000000001"},
		"written, too":  {[]string{"--to=ada@example.net", "--written", card}, "one named card"},
		"sent, written": {[]string{"--sent", "--written", card}, "--sent includes written messages"},
	} {
		if code, _, stderr := o.do(append([]string{"messages", "retry"}, c.args...)...); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
	if code, stdout, stderr := o.do("messages", "retry", "--to= Ada@EXAMPLE.net ", card); code != 1 {
		t.Errorf("an address that the API refuses: %d %s %s", code, stdout, stderr)
	}
	if code, stdout, stderr := o.do("messages", "retry", "--to=Ada@EXAMPLE.net", card); code != 0 || !strings.Contains(stdout, `"retried": 1`) {
		t.Fatalf("retry: %d %s %s", code, stdout, stderr)
	}
	check.Until(t, "the mail to the new address", func() bool { return o.mail(card).Header.Get("To") == "<Ada@example.net>" })
	if o.mail(card).Header.Get("Message-Id") == first.Header.Get("Message-Id") {
		t.Error("both mails have one Message-ID")
	}
	// A card without a telephone number gets a second message.
	if code, _, stderr := o.do("messages", "retry", "--to=+44 20 7946 0018", card); code != 0 {
		t.Fatalf("a number for a card without one: %s", stderr)
	}
	check.Until(t, "both messages", func() bool { return len(o.messages("written")) == 2 })
	db, err := pgx.Connect(t.Context(), o.database)
	must(t, err)
	defer db.Close(t.Context())
	var address, number string
	must(t, db.QueryRow(t.Context(), "select customer_email, customer_phone from gift_cards").Scan(&address, &number))
	if address != "Ada@example.net" || number != "+442079460018" {
		t.Errorf("the card's are %s and %s", address, number)
	}
	if _, stdout, _ := o.do("audit", "list"); strings.Count(stdout, `"messages retry --to"`) != 2 || strings.Count(stdout, card) != 3 { // issued once, and readdressed twice
		t.Errorf("the audit log says %s", stdout)
	}
}

// TestWrittenMessagesAreListedAndSentLater: --sent changes the Message-ID of a written mail. --written
// keeps it, because the mail was never sent.
func TestWrittenMessagesAreListedAndSentLater(t *testing.T) {
	t.Parallel()
	o := newDesk(t)
	card := o.client.issueTo(t, "ada@example.com")
	check.Until(t, "the mail", func() bool { return len(o.messages("written")) == 1 })
	for _, c := range []struct {
		args []string
		id   string
	}{{[]string{"--written"}, card}, {[]string{"--written", card}, card}, {[]string{"--written", "--all"}, card}, {[]string{"--sent", card}, card + ".1"}} {
		must(t, os.Remove(filepath.Join(o.dir, "outbox", card+".eml")))
		if code, stdout, stderr := o.do(append([]string{"messages", "retry"}, c.args...)...); code != 0 || !strings.Contains(stdout, `"retried": 1`) {
			t.Fatalf("retry %v: %d %s %s", c.args, code, stdout, stderr)
		}
		check.Until(t, fmt.Sprintf("the mail of %v", c.args), func() bool { return o.mail(card) != nil && len(o.messages("written")) == 1 })
		if id := o.mail(card).Header.Get("Message-Id"); id != "<"+c.id+"@localhost>" {
			t.Errorf("retry %v sends it as %s", c.args, id)
		}
	}
	if code, _, stderr := o.do("messages", "retry", card); code != 1 || !strings.Contains(stderr, "no message to retry") {
		t.Errorf("a plain retry includes written messages: %s", stderr)
	}
}

func TestAnOperatorSetsTheZoneOfAProgram(t *testing.T) {
	t.Parallel()
	o := newDesk(t)
	if code, stdout, stderr := o.do("program", "zone", o.client.ProgramID, "Asia/Kolkata"); code != 0 || !strings.Contains(stdout, `"timeZone": "Asia/Kolkata"`) {
		t.Fatalf("%d %s %s", code, stdout, stderr)
	}
	for _, zone := range []string{"Asia/Nowhere", "Local", "IST-5:30"} {
		if code, _, stderr := o.do("program", "zone", o.client.ProgramID, zone); code != 1 || !strings.Contains(stderr, "such as Europe/Paris") {
			t.Errorf("%s: %d %s", zone, code, stderr)
		}
	}
	if code, _, stderr := o.do("program", "zone", "000000000000000000000001", "UTC"); code != 1 || !strings.Contains(stderr, "Program not found: 000000000000000000000001") {
		t.Errorf("no such program: %d %s", code, stderr)
	}
	lastDay := fmt.Sprintf("%d-12-31", time.Now().Year()+1) // this day ends there at 18:30 UTC
	status, answer, err := o.client.do(t.Context(), http.MethodPost, "", "", `{"initialValue":"5","merchantId":"`+o.client.MerchantID+`","customerEmail":"ada@example.com","expiresAt":"`+lastDay+`T18:30:00Z"}`)
	must(t, err)
	var card struct{ ID string }
	if err := json.Unmarshal(answer, &card); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	check.Until(t, "the mail", func() bool { return o.mail(card.ID) != nil })
	text, err := os.ReadFile(filepath.Join(o.dir, "outbox", card.ID+".eml"))
	must(t, err)
	if !strings.Contains(string(text), "Valid until:    31 December "+lastDay[:4]) {
		t.Errorf("the mail says %s", text)
	}
	if _, stdout, _ := o.do("audit", "list"); !strings.Contains(stdout, `"program zone"`) {
		t.Errorf("the audit log says %s", stdout)
	}
}

// TestATestMessageShowsWhetherTheSettingsWork: the command prints the server's answer, and needs no
// database.
func TestATestMessageShowsWhetherTheSettingsWork(t *testing.T) {
	mails := smtptest.New(t, smtptest.Hooks{Recipient: func(to string) error {
		if to == "nobody@example.com" {
			return smtptest.Refuse(550, "no such user")
		}
		return nil
	}})
	t.Setenv("GIFTCARDS_SMTP_PASSWORD", smtptest.Password)
	t.Setenv("SSL_CERT_FILE", mails.CertFile)
	dir := t.TempDir()
	settings := []string{
		"--smtp-url=smtp://" + strings.ReplaceAll(smtptest.User, "@", "%40") + "@" + mails.Address, "--mail-from=cards@example.com",
		"--sms-url=outbox", "--state-dir=" + dir, "--smtp-helo=mail.example.com",
	}
	try := func(address string, more ...string) (int, printedTry, string) {
		code, stdout, stderr := command(t, "", append(append([]string{"messages", "test", address}, settings...), more...)...)
		var printed printedTry
		if stdout != "" {
			must(t, json.Unmarshal([]byte(stdout), &printed))
		}
		return code, printed, stderr
	}
	if code, got, stderr := try("ada@EXAMPLE.com"); code != 0 || got.Outcome != "sent" || got.Address != "ada@example.com" || !strings.Contains(got.Said, "OK") {
		t.Errorf("taken: %d %+v %s", code, got, stderr)
	}
	// Exactly one mail, which says that it is a test.
	sent := mails.Mails()
	if len(sent) != 1 || sent[0].Hello != "mail.example.com" || !strings.Contains(string(sent[0].Raw), "This message is a test of the settings") {
		t.Fatalf("mails %v", sent)
	}
	if subject, err := new(mime.WordDecoder).DecodeHeader(sent[0].Header.Get("Subject")); err != nil || !strings.Contains(subject, "Test") {
		t.Errorf("subject %q (%v)", subject, err)
	}
	if code, got, stderr := try("nobody@example.com"); code != 1 || got.Outcome != "refused" || got.Stage != "recipient" || got.Code != 550 || !strings.Contains(got.Said, "no such user") || !strings.Contains(stderr, "not accepted") {
		t.Errorf("refused: %d %+v %s", code, got, stderr)
	}
	if code, got, _ := try("ada@example.com", "--smtp-url=smtp://user@127.0.0.1:1"); code != 1 || got.Outcome != "deferred" || got.Stage != "connect" || !strings.Contains(got.Said, "connection refused") {
		t.Errorf("nobody there: %d %+v", code, got)
	}
	if code, got, stderr := try("+44 20 7946 0018"); code != 0 || got.Outcome != "written" || got.Channel != "sms" || got.Address != "+442079460018" || !strings.Contains(got.Said, filepath.Join(dir, "outbox")) {
		t.Errorf("a text message: %d %+v %s", code, got, stderr)
	}
	if code, _, stderr := try("nobody"); code != 1 || !strings.Contains(stderr, "telephone number") {
		t.Errorf("no address: %d %s", code, stderr)
	}
	if code, _, stderr := try("ada@example.com", "--mail-from=cards"); code != exitSettings || !strings.Contains(stderr, "--mail-from") {
		t.Errorf("settings that cannot work: %d %s", code, stderr)
	}
}
