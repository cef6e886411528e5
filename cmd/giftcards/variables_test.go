package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"giftcards/jobs"
	"giftcards/store"
	"giftcards/store/storetest"
)

// TestVariablesThatAreNoSettingsAreRefused. The error names the setting that was probably meant.
func TestVariablesThatAreNoSettingsAreRefused(t *testing.T) {
	t.Parallel()
	var p program
	parser, err := kong.New(&p)
	must(t, err)
	for variable, want := range map[string]string{
		"GIFTCARDS_BULK_TRESHOLD=5":           "there is no such setting, did you mean GIFTCARDS_BULK_THRESHOLD?",
		"GIFTCARDS_TRUSTED_PROXIES=10.0.0.1":  "there is no such setting, did you mean GIFTCARDS_TRUSTED_PROXY?",
		"GIFTCARDS_SERVEROLE=x":               "there is no such setting, did you mean GIFTCARDS_SERVE_ROLE?",
		"GIFTCARDS_SMTP_PASSWROD=x":           "there is no such setting, did you mean GIFTCARDS_SMTP_PASSWORD?",
		"GIFTCARDS_QUITE_ANOTHER_THING=":      "there is no such setting",
		"GIFTCARDS_UR=x":                      "there is no such setting",
		"GIFTCARDS_BULK_THRESHOLD=5":          "",
		"GIFTCARDS_SERVE_ROLE=x":              "",
		"GIFTCARDS_TEST_DATABASE_URL=x":       "",
		"GIFTCARDS_DEMO_PASSWORD=x":           "",
		"GIFTCARDS_UPGRADE_FROM=x":            "",
		"GIFTCARDS_SERVICE_HOST=10.0.0.1":     "",
		"GIFTCARDS_SERVICE_PORT_HTTP=80":      "",
		"GIFTCARDS_PORT=tcp://10.0.0.1:80":    "",
		"GIFTCARDS_PORT_80_TCP_ADDR=10.0.0.1": "",
		"GIFTCARDS_ADMIN_SERVICE_HOST=x":      "",
		"GIFTCARD_LISTEN=x":                   "",
		"MY_GIFTCARDS_LISTEN=x":               "",
		"giftcards_listen=x":                  "",
	} {
		f := faults{}
		checkVariables(parser.Model.Node, []string{"PATH=/bin", variable}, f)
		name, _, _ := strings.Cut(variable, "=")
		if f[name] != want || len(f) > 1 {
			t.Errorf("%s: %q, want %q", variable, f, want)
		}
	}
}

func TestAMistypedVariableIsReportedWithTheOtherFaults(t *testing.T) {
	t.Setenv("GIFTCARDS_BULK_TRESHOLD", "5")
	code, _, stderr := command(t, "", "version", "--bulk-maximum=0")
	if code != 2 || !strings.Contains(stderr, "  GIFTCARDS_BULK_TRESHOLD: there is no such setting, did you mean GIFTCARDS_BULK_THRESHOLD?") || !strings.Contains(stderr, "--bulk-maximum: ") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

func TestBaseURLsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for address, fit := range map[string]bool{
		"https://example.com": true, "https://example.com/": true, "https://example.com/cards": true, "http://example.com:8080/a/b-c/": true,
		"example.com": false, "ftp://example.com": false, "https://": false, "https://example.com?x=1": false, "https://example.com/?": false,
		"https://example.com/#x": false, "https://user@example.com": false, "https://example.com//cards": false,
		"https://example.com/a%2Fb": false, "https://example.com/a b": false, "https://example.com/../x": false,
		"https://example.com/v2": false, "https://example.com/docs/x": false, "https://example.com/v2-cards": true,
	} {
		if err := checkBaseURL(address); (err == nil) != fit {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestHelpOfACommandHasItsOwnFlagsAndTheSettingsItUses, and no others.
func TestHelpOfACommandHasItsOwnFlagsAndTheSettingsItUses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args         []string
		with, absent []string
	}{
		"serve":         {[]string{"serve"}, []string{"--listen", "--bulk-maximum", "--database-url"}, nil},
		"user create":   {[]string{"user", "create"}, []string{"--merchant", "--role", "--database-url", "--state-dir"}, []string{"--listen", "--bulk-maximum", "--smtp-url", "--keys-file"}},
		"user":          {[]string{"user"}, []string{"--state-dir"}, []string{"--listen"}},
		"migrate up":    {[]string{"migrate", "up"}, []string{"--serve-role", "--database-url"}, []string{"--listen", "--token-rate"}},
		"keys retire":   {[]string{"keys", "retire"}, []string{"--keys-file", "--token-lifetime"}, []string{"--listen"}},
		"health":        {[]string{"health"}, []string{"--listen", "--tls-cert"}, []string{"--database-url"}},
		"version":       {[]string{"version"}, nil, []string{"--listen", "--database-url"}},
		"no command":    {nil, []string{"--listen", "--database-url", "--version"}, nil},
		"demo":          {[]string{"demo"}, []string{"--base-url", "--database-url"}, []string{"--bulk-maximum"}},
		"messages list": {[]string{"messages", "list"}, []string{"--status", "--database-url"}, []string{"--smtp-url"}},
		"messages test": {[]string{"messages", "test"}, []string{"--smtp-url", "--dkim-key-file", "--sms-url", "--template-dir"}, []string{"--database-url", "--listen"}},
		"cards print":   {[]string{"cards", "print"}, []string{"--keys-file", "--language-dir", "--database-url"}, []string{"--smtp-url", "--listen"}},
		"licences":      {[]string{"licences"}, nil, []string{"--database-url", "--state-dir"}},
	} {
		code, stdout, stderr := command(t, "", append(c.args, "--help")...)
		if code != 0 {
			t.Errorf("%s: exit code %d %s", name, code, stderr)
		}
		for _, flag := range c.with {
			if !strings.Contains(stdout, flag) {
				t.Errorf("%s: no %s in\n%s", name, flag, stdout)
			}
		}
		for _, flag := range c.absent {
			if strings.Contains(stdout, flag) {
				t.Errorf("%s: %s in\n%s", name, flag, stdout)
			}
		}
	}
}

func TestTheVersionIsAFlagToo(t *testing.T) {
	t.Parallel()
	_, want, _ := command(t, "", "version")
	if code, stdout, stderr := command(t, "", "--version"); code != 0 || stdout != want || want == "" {
		t.Errorf("exit code %d, %q %q, want %q", code, stdout, stderr, want)
	}
}

// TestADemoThatCannotBeKeptMakesNothing, because nobody would know its password.
func TestADemoThatCannotBeKeptMakesNothing(t *testing.T) {
	t.Parallel()
	url, dir := storetest.URL(t), t.TempDir()
	blocked := filepath.Join(dir, "state")
	must(t, os.WriteFile(blocked, nil, 0o600)) // a file in the place of the directory
	if code, _, _ := command(t, "", "demo", "--database-url="+url, "--state-dir="+blocked); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	st, err := store.Open(t.Context(), url, store.Options{})
	must(t, err)
	defer st.Close()
	merchants, err := store.Read(t.Context(), st, func(tx *store.Tx) ([]store.Merchant, error) { return tx.Merchants(t.Context()) })
	must(t, err)
	if len(merchants) != 0 {
		t.Errorf("it made %v", merchants)
	}
	// A missing directory is made.
	code, stdout, stderr := command(t, "", "demo", "--database-url="+url, "--state-dir="+filepath.Join(dir, "new", "state"))
	if code != 0 || !strings.Contains(stdout, `"username": "demo@example.com"`) {
		t.Errorf("exit code %d %s", code, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "new", "state", "*"+demoUnfinished)); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// TestListsCanBeLimitedToAMerchant: --merchant selects rows, and an unknown merchant is an error.
func TestListsCanBeLimitedToAMerchant(t *testing.T) {
	t.Parallel()
	on := []string{"--database-url=" + storetest.URL(t), "--state-dir=" + t.TempDir()}
	made := func(stdin string, args ...string) (id string) {
		t.Helper()
		code, stdout, stderr := command(t, stdin, append(args, on...)...)
		var printed struct{ ID string }
		if err := json.Unmarshal([]byte(stdout), &printed); code != 0 || err != nil {
			t.Fatalf("%v: %d %s %v", args, code, stderr, err)
		}
		return printed.ID
	}
	merchants := []string{made("", "merchant", "create", "A"), made("", "merchant", "create", "B")}
	for n, merchant := range merchants {
		made("", "program", "create", "Cards", "--merchant="+merchant)
		made("a long password\n", "user", "create", fmt.Sprintf("%d@example.com", n), "--merchant="+merchant)
	}
	for _, what := range []string{"program", "user"} {
		for _, merchant := range merchants {
			_, stdout, _ := command(t, "", append([]string{what, "list", "--merchant=" + merchant}, on...)...)
			var listed []struct{ MerchantID string }
			must(t, json.Unmarshal([]byte(stdout), &listed))
			if len(listed) != 1 || listed[0].MerchantID != merchant {
				t.Errorf("%ss of %s: %s", what, merchant, stdout)
			}
		}
	}
	// The zero id is a valid argument, but must not select everything.
	for _, nobody := range []string{strings.Repeat("0", 24), strings.Repeat("a", 24)} {
		for _, args := range [][]string{{"program", "list"}, {"user", "list"}, {"program", "create", "Cards"}, {"user", "create", "c@example.com"}} {
			code, _, stderr := command(t, "a long password\n", append(append(args, "--merchant="+nobody), on...)...)
			if code != exitFailed || stderr != "giftcards: Merchant not found: "+nobody+"\n" {
				t.Errorf("%v of %s: %d %q", args, nobody, code, stderr)
			}
		}
		code, stdout, stderr := command(t, "", append([]string{"audit", "list", "--merchant=" + nobody}, on...)...)
		if code != 0 || strings.TrimSpace(stdout) != "[]" {
			t.Errorf("audit of %s: %d %s %s", nobody, code, stdout, stderr)
		}
	}
}

// TestTheHelpHasTheNumbersOfThePackages, although each is written in a tag once more.
func TestTheHelpHasTheNumbersOfThePackages(t *testing.T) {
	t.Parallel()
	code, help, stderr := command(t, "", "serve", "--help")
	help = strings.Join(strings.Fields(help), " ")
	for _, want := range []string{
		fmt.Sprintf("--small-tasks=%d ", jobs.DefaultSmallWorkers),
		fmt.Sprintf("Tasks of up to %d cards", store.SmallTask),
		fmt.Sprintf("--large-tasks=%d ", jobs.DefaultLargeWorkers),
		fmt.Sprintf("--merchant-tasks=%d ", jobs.DefaultMerchantTasks),
		fmt.Sprintf("--bulk-body-limit plus %d ", leastBodyBudget(0)),
		fmt.Sprintf("%d to %d ($GIFTCARDS_MEMORY_LIMIT)", leastMemory>>20, mostMemory>>20),
		"(" + defaultAdminListen + ", or no admin address",
	} {
		if code != 0 || !strings.Contains(help, want) {
			t.Errorf("%d, the help has no %q %s", code, want, stderr)
		}
	}
}
