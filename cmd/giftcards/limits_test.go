package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"giftcards/store/storetest"
)

// TestAnOperatorLimitsAProgramAndAUser: the lists show a limit, and --none removes it. A
// wrong limit is refused with a reason and changes nothing.
func TestAnOperatorLimitsAProgramAndAUser(t *testing.T) {
	t.Parallel()
	settings := []string{"--database-url=" + storetest.URL(t), "--state-dir=" + t.TempDir()}
	run := func(stdin string, args ...string) (int, string, string) {
		return command(t, stdin, append(args, settings...)...)
	}
	printed := func(stdin string, args ...string) (one map[string]any) {
		code, stdout, stderr := run(stdin, args...)
		if err := json.Unmarshal([]byte(stdout), &one); err != nil || code != 0 {
			t.Fatalf("%v: %d %s %s", args, code, stdout, stderr)
		}
		return one
	}
	merchant := fmt.Sprint(printed("", "merchant", "create", "Bookshop")["id"])
	// Programs and users have the same command. Only their names and errors differ.
	for kind, made := range map[string]map[string]any{
		"program": printed("", "program", "create", "--merchant", merchant, "Gift cards"),
		"user":    printed("a long password\n", "user", "create", "--merchant", merchant, "ada@example.com"),
	} {
		name, unknown, notFound := fmt.Sprint(made["id"]), "000000000000000000000001", "Program not found: 000000000000000000000001"
		if kind == "user" {
			name, unknown, notFound = "Ada@example.com", "nobody@example.com", "User not found: nobody@example.com"
		}
		want := func(when string, got map[string]any, cards, value any) {
			t.Helper()
			if got["cardsPerDay"] != cards || got["valuePerDay"] != value || got["id"] != made["id"] {
				t.Errorf("%s %s: %v, want %v cards and a value of %v", kind, when, got, cards, value)
			}
		}
		want("without limits", made, nil, nil)
		want("with both", printed("", kind, "limits", name, "--cards-per-day=100", "--value-per-day=2500.5"), 100.0, "2500.50")
		want("with one changed", printed("", kind, "limits", name, "--cards-per-day=0"), 0.0, "2500.50")
		for fault, c := range map[string]struct {
			args []string
			code int
			want string
		}{
			"nothing named":      {nil, 1, "want --cards-per-day, --value-per-day or --none"},
			"none and one":       {[]string{"--none", "--cards-per-day=1"}, 1, "--none: cannot be combined"},
			"negative cards":     {[]string{"--cards-per-day=-1"}, 1, "--cards-per-day: want 0 or more"},
			"cards as text":      {[]string{"--cards-per-day=many"}, 2, "--cards-per-day"},
			"half a card":        {[]string{"--cards-per-day=1.5"}, 2, "--cards-per-day"},
			"a negative value":   {[]string{"--value-per-day=-0.01"}, 1, "--value-per-day: want an amount"},
			"a value as text":    {[]string{"--value-per-day=much"}, 1, "--value-per-day: want an amount"},
			"no value":           {[]string{"--value-per-day="}, 1, "--value-per-day: want an amount"},
			"too many decimals":  {[]string{"--value-per-day=5.001"}, 1, "at most 2 decimals"},
			"a value far beyond": {[]string{"--value-per-day=1e900"}, 1, "--value-per-day: want an amount"},
		} {
			if code, stdout, stderr := run("", append([]string{kind, "limits", name}, c.args...)...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
				t.Errorf("%s, %s: %d %s %s", kind, fault, code, stdout, stderr)
			}
		}
		if code, _, stderr := run("", kind, "limits", unknown, "--none"); code != 1 || !strings.Contains(stderr, notFound) {
			t.Errorf("unknown %s: %d %s", kind, code, stderr)
		}
		var listed []map[string]any
		if _, stdout, stderr := run("", kind, "list"); json.Unmarshal([]byte(stdout), &listed) != nil || len(listed) != 1 {
			t.Fatalf("%s list: %s %s", kind, stdout, stderr)
		}
		want("as listed", listed[0], 0.0, "2500.50")
		want("without them again", printed("", kind, "limits", name, "--none"), nil, nil)
	}
	wantLimitsAudited(t, settings, merchant)
}

// wantLimitsAudited checks that the audit log has each change and no refused one.
func wantLimitsAudited(t *testing.T, settings []string, merchant string) {
	t.Helper()
	_, stdout, stderr := command(t, "", append([]string{"audit", "list", "--merchant", merchant}, settings...)...)
	for _, operation := range []string{"program limits", "user limits"} {
		if n := strings.Count(stdout, `"operation": "`+operation+`"`); n != 3 {
			t.Errorf("the log has %d entries %q, want 3\n%s%s", n, operation, stdout, stderr)
		}
	}
}
