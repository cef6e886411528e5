package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store/storetest"
)

func TestUnknownFlagsAndCommandsExitWith2(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{}, {"nothing"}, {"serve", "--nothing"}, {"user", "create", "--merchant=xyz", "a@example.com"}, {"user", "role", "a@example.com", "owner"}} {
		if code, _, stderr := command(t, "", args...); code != 2 || stderr == "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	t.Parallel()
	code, stdout, _ := command(t, "", "--help")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, variable := range []string{"GIFTCARDS_LISTEN", "DATABASE_URL", "GIFTCARDS_STATE_DIR", "GIFTCARDS_BULK_THRESHOLD", "GIFTCARDS_LOG_FORMAT"} {
		if !strings.Contains(stdout, "$"+variable) {
			t.Errorf("%s is not in the help", variable)
		}
	}
}

func TestADatabaseThatIsAwayIsWaitedForWithinLimits(t *testing.T) {
	t.Parallel()
	var stderr bytes.Buffer
	s := &session{Context: t.Context(), config: &config{}, stderr: &stderr, connectPause: time.Millisecond}
	err := s.migrate("postgres://shop:secret-word@127.0.0.1:1/x")
	if err == nil || !strings.Contains(err.Error(), "gave up") || strings.Count(stderr.String(), "trying again") != connectAttempts-1 {
		t.Errorf("error %v after\n%s", err, stderr.String())
	}
	for _, said := range append(strings.Split(strings.TrimSpace(stderr.String()), "\n"), fmt.Sprint(err)) {
		if !strings.Contains(said, "127.0.0.1:1") || !strings.Contains(said, "connection refused") || strings.Contains(said, "secret-word") {
			t.Errorf("host, port and reason, but no password, are wanted in %q", said)
		}
	}
}

// bookshop is a merchant in a database of the operator. No server runs on it.
type bookshop struct {
	settings []string
	merchant string // id
}

const nobodysID = "000000000000000000000001"

// newBookshop makes a merchant with a program and the user ada@example.com by the
// operator's commands.
func newBookshop(t *testing.T) bookshop {
	t.Helper()
	s := bookshop{settings: []string{"--database-url=" + storetest.URL(t), "--state-dir=" + t.TempDir()}}
	code, merchant, stderr := s.do(t, "", "merchant", "create", "Bookshop")
	if code != 0 || merchant["name"] != "Bookshop" {
		t.Fatalf("merchant create: %d %v %s", code, merchant, stderr)
	}
	s.merchant = fmt.Sprint(merchant["id"])
	if code, program, stderr := s.do(t, "", "program", "create", "--merchant", s.merchant, "Gift cards"); code != 0 || program["merchantId"] != s.merchant {
		t.Fatalf("program create: %d %v %s", code, program, stderr)
	}
	code, user, stderr := s.do(t, "a long password\n", "user", "create", "--merchant", s.merchant, "--name=Ada", "Ada@example.com")
	if code != 0 || user["email"] != "ada@example.com" || user["active"] != true {
		t.Fatalf("user create: %d %v %s", code, user, stderr)
	}
	return s
}

// do runs a command on the bookshop's database, and decodes its output if that is an object.
func (s bookshop) do(t *testing.T, stdin string, args ...string) (code int, printed map[string]any, stderr string) {
	t.Helper()
	code, stdout, stderr := command(t, stdin, append(args, s.settings...)...)
	_ = json.Unmarshal([]byte(stdout), &printed)
	return code, printed, stderr
}

// TestAnOperatorChangesAUser: each change prints the user and is in the audit log.
func TestAnOperatorChangesAUser(t *testing.T) {
	t.Parallel()
	s := newBookshop(t)
	for _, c := range []struct {
		args         []string
		stdin, field string
		want         any
	}{
		{args: []string{"user", "password", "ADA@example.com"}, stdin: "another password\n", field: "email", want: "ada@example.com"},
		{args: []string{"user", "role", "ada@example.com", "cashier"}, field: "role", want: "cashier"},
		{args: []string{"user", "role", "ada@example.com", "reader"}, field: "role", want: "reader"},
		{args: []string{"user", "deactivate", "Ada@example.com"}, field: "active", want: false},
		{args: []string{"user", "activate", "ada@example.com"}, field: "active", want: true},
	} {
		if code, user, stderr := s.do(t, c.stdin, c.args...); code != 0 || user[c.field] != c.want {
			t.Errorf("%v: %d %v %s", c.args, code, user, stderr)
		}
	}
	checkAudit(t, s.settings, s.merchant)
}

// TestAnOperatorsMistakesAreRefusedWithAReason: wrong input, and names that do not exist.
func TestAnOperatorsMistakesAreRefusedWithAReason(t *testing.T) {
	t.Parallel()
	s := newBookshop(t)
	const password = "a long password\n"
	createUser := func(merchant, email string) []string {
		return []string{"user", "create", "--merchant", merchant, email}
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"a taken address":     {stdin: password, args: createUser(s.merchant, "ada@example.com"), want: "exists"},
		"no address":          {stdin: password, args: createUser(s.merchant, "ada"), want: "not an e-mail address"},
		"a short password":    {stdin: "short\n", args: createUser(s.merchant, "b@example.com"), want: "12 to 1024"},
		"no password":         {stdin: "", args: createUser(s.merchant, "b@example.com"), want: "standard input"},
		"no name":             {args: []string{"merchant", "create", " "}, want: "1 to 255"},
		"an unknown merchant": {stdin: password, args: createUser(nobodysID, "b@example.com"), want: "Merchant not found: " + nobodysID},
		"program of nobody":   {args: []string{"program", "create", "--merchant", nobodysID, "X"}, want: "Merchant not found: " + nobodysID},
		"nobody's role":       {args: []string{"user", "role", "nobody@example.com", "reader"}, want: "User not found: nobody@example.com"},
		"nobody to keep out":  {args: []string{"user", "deactivate", "nobody@example.com"}, want: "User not found: nobody@example.com"},
		"nobody to let in":    {args: []string{"user", "activate", "nobody@example.com"}, want: "User not found: nobody@example.com"},
		"nobody's password":   {stdin: password, args: []string{"user", "password", "nobody@example.com"}, want: "User not found: nobody@example.com"},
		"too few entries":     {args: []string{"audit", "list", "--limit=0"}, want: "1 to 100000"},
		"entries to come":     {args: []string{"audit", "list", "--since=-1h"}, want: "24h"},
	} {
		if code, _, stderr := s.do(t, c.stdin, c.args...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s, want %q", name, code, stderr, c.want)
		}
	}
}

// TestListsShowTheRowsAndNoPassword: each list has the one row of the bookshop.
func TestListsShowTheRowsAndNoPassword(t *testing.T) {
	t.Parallel()
	s := newBookshop(t)
	for _, kind := range []string{"merchant", "program", "user"} {
		code, stdout, stderr := command(t, "", append([]string{kind, "list"}, s.settings...)...)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 || len(rows) != 1 {
			t.Errorf("%s list: %d %s %s", kind, code, stdout, stderr)
		}
		if strings.Contains(stdout, "argon2") {
			t.Errorf("%s list prints a password hash", kind)
		}
	}
}

// TestTheDemoAndMigrationsWorkBesideAMerchant on a database that is not private.
func TestTheDemoAndMigrationsWorkBesideAMerchant(t *testing.T) {
	t.Parallel()
	s := newBookshop(t)
	if code, demo, stderr := s.do(t, "", "demo"); code != 0 || demo["programId"] == nil || demo["password"] == "" {
		t.Errorf("demo: %d %v %s", code, demo, stderr)
	}
	if code, status, stderr := s.do(t, "", "migrate", "status"); code != 0 || status["schema"] != status["schemaWanted"] {
		t.Errorf("migrate status: %d %v %s", code, status, stderr)
	}
	if code, _, stderr := s.do(t, "", "migrate", "up"); code != 0 {
		t.Errorf("migrate up: %d %s", code, stderr)
	}
}

// checkAudit fails unless the merchant's audit log has the commands of newBookshop and of
// TestAnOperatorChangesAUser.
func checkAudit(t *testing.T, settings []string, merchant string) {
	t.Helper()
	code, stdout, stderr := command(t, "", append([]string{"audit", "list", "--merchant", merchant, "--since=1h"}, settings...)...)
	var entries []struct{ Operation, Client, MerchantID, Subject string }
	if err := json.Unmarshal([]byte(stdout), &entries); err != nil || code != 0 {
		t.Fatalf("audit list: %d %s %s", code, stdout, stderr)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Operation)
		if e.Client == "" || e.MerchantID != merchant || len(e.Subject) != 24 {
			t.Errorf("entry %+v", e)
		}
	}
	want := []string{"user activate", "user deactivate", "user role", "user role", "user password", "user create", "program create", "merchant create"}
	if !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
	if _, stdout, _ := command(t, "", append([]string{"audit", "list", "--user=" + nobodysID}, settings...)...); strings.TrimSpace(stdout) != "[]" {
		t.Errorf("the log of a user that does not exist: %s", stdout)
	}
}

// TestTheDemoStaysTheSame: the program does not undo an operator's change of the demo user
// until the operator asks for it.
func TestTheDemoStaysTheSame(t *testing.T) {
	dir := t.TempDir()
	settings := []string{"--database-url=" + storetest.URL(t), "--state-dir=" + dir}
	show := func() string {
		t.Helper()
		code, stdout, stderr := command(t, "", append([]string{"demo"}, settings...)...)
		if code != 0 {
			t.Fatal(stderr)
		}
		return stdout
	}
	changePassword := func() {
		t.Helper()
		if code, _, stderr := command(t, "another password\n", append([]string{"user", "password", demoUser}, settings...)...); code != 0 {
			t.Fatal(stderr)
		}
		if code, stdout, stderr := command(t, "", append([]string{"demo"}, settings...)...); code != 1 || stdout != "" || !strings.Contains(stderr, "set GIFTCARDS_DEMO_PASSWORD") {
			t.Errorf("of a demo with another password: %d %s %s", code, stdout, stderr)
		}
	}
	first := show()
	if again := show(); again != first {
		t.Errorf("the demo was %s and is %s", first, again)
	}
	changePassword()
	// A chosen password is the operator's wish, so it replaces the changed password.
	t.Setenv(demoVariable, "a chosen password")
	if chosen := show(); !strings.Contains(chosen, "a chosen password") {
		t.Errorf("with a chosen password the demo is %s", chosen)
	}
	t.Setenv(demoVariable, "")
	if kept := show(); !strings.Contains(kept, "a chosen password") {
		t.Errorf("after a chosen password the demo is %s", kept)
	}
	if code, _, stderr := command(t, "", append([]string{"user", "deactivate", demoUser}, settings...)...); code != 0 {
		t.Fatal(stderr)
	}
	if code, stdout, stderr := command(t, "", append([]string{"demo"}, settings...)...); code != 1 || stdout != "" || !strings.Contains(stderr, "user activate "+demoUser) {
		t.Errorf("of a deactivated demo: %d %s %s", code, stdout, stderr)
	}
}

// TestACommandMakesNoDatabaseInAWrongPlace, because only a server makes a database.
func TestACommandMakesNoDatabaseInAWrongPlace(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "wrong")
	code, stdout, stderr := command(t, "", "merchant", "create", "Bookshop", "--database-url=", "--state-dir="+dir)
	if _, err := os.Stat(dir); code != 1 || stdout != "" || !strings.Contains(stderr, "there is no database in "+dir) || err == nil {
		t.Errorf("%d %s %s (%v)", code, stdout, stderr, err)
	}
}

func TestABadDemoPasswordIsRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Setenv(demoVariable, "short")
	dir := filepath.Join(t.TempDir(), "state")
	code, stdout, stderr := command(t, "", "serve", "--state-dir="+dir)
	if _, err := os.Stat(dir); code != 2 || !strings.Contains(stderr, demoVariable) || stdout != "" || err == nil {
		t.Errorf("%d %s %s (%v)", code, stdout, stderr, err)
	}
}

func TestDemoPasswordsMustBeEasyToPaste(t *testing.T) {
	t.Parallel()
	for secret, fit := range map[string]bool{
		"": true, "correct horse battery": true, "short": false, "a quote \" in it all": false, "a \\ in it, too": false, "caf\u00e9 caf\u00e9 caf\u00e9": false,
	} {
		if fault := demoPasswordFault(secret); (fault == "") != fit {
			t.Errorf("%q: %q", secret, fault)
		}
	}
}
