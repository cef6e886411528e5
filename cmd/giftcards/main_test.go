package main

import (
	"bytes"
	"context"
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

// command runs the program in this process.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code = run(ctx, args, strings.NewReader(stdin), &out, &errors)
	return code, out.String(), errors.String()
}

func TestAllBadSettingsAreNamedInOneMessage(t *testing.T) {
	t.Parallel()
	code, _, stderr := command(t, "", "serve", "--listen=nowhere", "--bulk-threshold=many", "--bulk-maximum=0", "--link-lifetime=soon",
		"--card-prefix=x", "--log-level=loud", "--log-format=xml", "--base-url=ftp://x", "--bulk-body-limit=0", "--token-lifetime=1s", "--drain=1h", "--database-url=postgres://localhost/x?default_query_exec_mode=exec", "--key-lifetime=1h", "--task-lifetime=2h", "--message-lifetime=1h", "--audit-lifetime=719h",
		"--smtp-url=http://user@mail.example.com", "--mail-from=nobody", "--mail-per-second=0", "--database-connections=3", "--database-statements=none", "--small-tasks=0", "--large-tasks=0", "--merchant-tasks=0", "--merchant-backlog=-1", "--large-bodies=2", "--body-budget=few", "--max-connections=0", "--sms-url=http://sms.example.com", "--sms-per-second=many", "--template-dir=/nowhere")
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, flag := range []string{"listen", "bulk-threshold", "bulk-maximum", "link-lifetime", "card-prefix", "log-level", "log-format", "base-url", "bulk-body-limit", "token-lifetime", "drain", "database-url", "task-lifetime", "message-lifetime", "audit-lifetime",
		"database-connections", "database-statements", "smtp-url", "mail-from", "mail-per-second", "sms-url", "sms-account", "sms-from", "sms-token-file", "sms-per-second", "template-dir",
		"small-tasks", "large-tasks", "merchant-tasks", "merchant-backlog", "large-bodies", "body-budget", "max-connections"} {
		if !strings.Contains(stderr, "--"+flag+": ") {
			t.Errorf("--%s is not named in\n%s", flag, stderr)
		}
	}
}

// TestTheSettingThatIsGoneNamesTheNewOne, as a flag and as a variable.
func TestTheSettingThatIsGoneNamesTheNewOne(t *testing.T) {
	for name, args := range map[string][]string{"flag": {"version", "--large-bodies=2"}, "variable": {"version"}} {
		if name == "variable" {
			t.Setenv("GIFTCARDS_LARGE_BODIES", "2")
		}
		if code, _, stderr := command(t, "", args...); code != 2 || !strings.Contains(stderr, "--large-bodies: is gone: set --body-budget") {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
}

// TestTheBodyBudgetFitsTheLargestBody: the default follows --bulk-body-limit.
func TestTheBodyBudgetFitsTheLargestBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"a larger limit alone": {[]string{"--bulk-body-limit=1024"}, ""},
		"the least":            {[]string{"--body-budget=112"}, ""},
		"too small":            {[]string{"--body-budget=111"}, "--body-budget: want 112 to "},
		"a smaller limit":      {[]string{"--bulk-body-limit=8", "--body-budget=56"}, ""},
	} {
		code, _, stderr := command(t, "", append([]string{"version"}, c.args...)...)
		if (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
	}
}

// TestLifetimesFitEachOther: while a task can be polled, its key must be there.
func TestLifetimesFitEachOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"defaults":              {nil, ""},
		"short keys":            {[]string{"--key-lifetime=1h"}, ""},
		"too short keys":        {[]string{"--key-lifetime=59m"}, "--key-lifetime: "},
		"tasks as long":         {[]string{"--key-lifetime=2h", "--task-lifetime=2h"}, ""},
		"tasks that are longer": {[]string{"--task-lifetime=720h0m1s"}, "--task-lifetime: "},
		"too short tasks":       {[]string{"--task-lifetime=59m"}, "--task-lifetime: "},
	} {
		code, _, stderr := command(t, "", append([]string{"version"}, c.args...)...)
		if (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
	}
}

// TestABacklogHasRoomForTheLargestTask: a larger one would be refused for ever.
func TestABacklogHasRoomForTheLargestTask(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"as large":     {[]string{"--merchant-backlog=100000"}, ""},
		"smaller":      {[]string{"--merchant-backlog=99999"}, "--merchant-backlog: want --bulk-maximum (100000)"},
		"a large task": {[]string{"--bulk-maximum=1000001"}, "--merchant-backlog: want --bulk-maximum (1000001)"},
	} {
		code, _, stderr := command(t, "", append([]string{"version"}, c.args...)...)
		if (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
	}
}

func TestBadVariablesAreNamedToo(t *testing.T) {
	t.Setenv("GIFTCARDS_BULK_MAXIMUM", "many")
	t.Setenv("GIFTCARDS_TOKEN_LIFETIME", "long")
	code, _, stderr := command(t, "", "version")
	if code != 2 || !strings.Contains(stderr, "--bulk-maximum") || !strings.Contains(stderr, "--token-lifetime") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := command(t, "", "version", "--bulk-maximum=5", "--token-lifetime=1h"); code != 0 {
		t.Errorf("flags do not override bad variables: %d %s", code, stderr)
	}
}

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
	s := &session{Context: t.Context(), stderr: &stderr, connectPause: time.Millisecond}
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

// TestAnOperatorMakesAMerchantWithEverythingItNeeds on a database that is not ours;
// what is wrong is refused with a reason.
func TestAnOperatorMakesAMerchantWithEverythingItNeeds(t *testing.T) {
	t.Parallel()
	settings := []string{"--database-url=" + storetest.URL(t), "--state-dir=" + t.TempDir()}
	do := func(stdin string, args ...string) (int, map[string]any, string) {
		code, stdout, stderr := command(t, stdin, append(args, settings...)...)
		var printed map[string]any
		_ = json.Unmarshal([]byte(stdout), &printed)
		return code, printed, stderr
	}
	code, merchant, stderr := do("", "merchant", "create", "Bookshop")
	if code != 0 || merchant["name"] != "Bookshop" {
		t.Fatalf("merchant create: %d %v %s", code, merchant, stderr)
	}
	id := fmt.Sprint(merchant["id"])
	if code, program, stderr := do("", "program", "create", "--merchant", id, "Gift cards"); code != 0 || program["merchantId"] != id {
		t.Errorf("program create: %d %v %s", code, program, stderr)
	}
	if code, user, stderr := do("a long password\n", "user", "create", "--merchant", id, "--name=Ada", "Ada@example.com"); code != 0 || user["email"] != "ada@example.com" || user["active"] != true {
		t.Errorf("user create: %d %v %s", code, user, stderr)
	}
	for name, c := range map[string]struct {
		stdin string
		args  []string
		want  string
	}{
		"a taken address":     {"a long password\n", []string{"user", "create", "--merchant", id, "ada@example.com"}, "exists"},
		"no address":          {"a long password\n", []string{"user", "create", "--merchant", id, "ada"}, "not an e-mail address"},
		"a short password":    {"short\n", []string{"user", "create", "--merchant", id, "b@example.com"}, "12 to 1024"},
		"no password":         {"", []string{"user", "create", "--merchant", id, "b@example.com"}, "standard input"},
		"no name":             {"", []string{"merchant", "create", " "}, "1 to 255"},
		"an unknown merchant": {"a long password\n", []string{"user", "create", "--merchant", "000000000000000000000001", "b@example.com"}, "Merchant not found: 000000000000000000000001"},
		"program of nobody":   {"", []string{"program", "create", "--merchant", "000000000000000000000001", "X"}, "Merchant not found: 000000000000000000000001"},
		"nobody's role":       {"", []string{"user", "role", "nobody@example.com", "reader"}, "User not found: nobody@example.com"},
		"nobody to keep out":  {"", []string{"user", "deactivate", "nobody@example.com"}, "User not found: nobody@example.com"},
		"nobody to let in":    {"", []string{"user", "activate", "nobody@example.com"}, "User not found: nobody@example.com"},
		"too few entries":     {"", []string{"audit", "list", "--limit=0"}, "1 to 100000"},
		"entries to come":     {"", []string{"audit", "list", "--since=-1h"}, "24h"},
		"an unknown user":     {"a long password\n", []string{"user", "password", "nobody@example.com"}, "User not found: nobody@example.com"},
	} {
		if code, _, stderr := do(c.stdin, c.args...); code != 1 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %s", name, code, stderr)
		}
	}
	if code, user, stderr := do("another password\n", "user", "password", "ADA@example.com"); code != 0 || user["email"] != "ada@example.com" {
		t.Errorf("user password: %d %v %s", code, user, stderr)
	}
	for _, c := range []struct {
		args []string
		name string
		want any
	}{
		{[]string{"user", "role", "ada@example.com", "reader"}, "role", "reader"},
		{[]string{"user", "deactivate", "Ada@example.com"}, "active", false},
		{[]string{"user", "activate", "ada@example.com"}, "active", true},
	} {
		if code, user, stderr := do("", c.args...); code != 0 || user[c.name] != c.want {
			t.Errorf("%v: %d %v %s", c.args, code, user, stderr)
		}
	}
	checkAudit(t, settings, id)
	for _, kind := range []string{"merchant", "program", "user"} {
		code, stdout, stderr := command(t, "", append([]string{kind, "list"}, settings...)...)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(stdout), &rows); err != nil || code != 0 || len(rows) != 1 {
			t.Errorf("%s list: %d %s %s", kind, code, stdout, stderr)
		}
		if strings.Contains(stdout, "argon2") {
			t.Errorf("%s list prints a password hash", kind)
		}
	}
	if code, demo, stderr := do("", "demo"); code != 0 || demo["programId"] == nil || demo["password"] == "" {
		t.Errorf("demo: %d %v %s", code, demo, stderr)
	}
	if code, status, stderr := do("", "migrate", "status"); code != 0 || status["schema"] != status["schemaWanted"] {
		t.Errorf("migrate status: %d %v %s", code, status, stderr)
	}
	if code, _, stderr := do("", "migrate", "up"); code != 0 {
		t.Errorf("migrate up: %d %s", code, stderr)
	}
}

// checkAudit looks for the commands before it in the log of the merchant.
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
	want := []string{"user activate", "user deactivate", "user role", "user password", "user create", "program create", "merchant create"}
	if !slices.Equal(got, want) {
		t.Errorf("the log says %q, want %q", got, want)
	}
	if _, stdout, _ := command(t, "", append([]string{"audit", "list", "--user=000000000000000000000001"}, settings...)...); strings.TrimSpace(stdout) != "[]" {
		t.Errorf("of nobody the log says %s", stdout)
	}
}

// TestTheDemoStaysTheSame: what an operator changed is not changed back, until
// they ask for it.
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
		if code, stdout, stderr := command(t, "", append([]string{"demo"}, settings...)...); code != 1 || stdout != "" || !strings.Contains(stderr, "delete the file") {
			t.Errorf("of a demo with another password: %d %s %s", code, stdout, stderr)
		}
	}
	first := show()
	if again := show(); again != first {
		t.Errorf("the demo was %s and is %s", first, again)
	}
	changePassword()
	if err := os.Remove(filepath.Join(dir, "demo.json")); err != nil {
		t.Fatal(err)
	}
	if anew := show(); anew == first || show() != anew {
		t.Errorf("without demo.json the demo is %s", anew)
	}
	changePassword()
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

// TestACommandMakesNoDatabaseInAWrongPlace: it works on one that a server made.
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
