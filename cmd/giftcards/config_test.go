package main

import (
	"strings"
	"testing"
)

func TestAllBadSettingsAreNamedInOneMessage(t *testing.T) {
	t.Parallel()
	bad := []struct {
		flag, value string
		named       []string // flags that the message names; nil means the flag itself
	}{
		{flag: "listen", value: "nowhere"},
		{flag: "bulk-threshold", value: "many"},
		{flag: "bulk-maximum", value: "0"},
		{flag: "bulk-body-limit", value: "0"},
		{flag: "card-prefix", value: "x"},
		{flag: "log-level", value: "loud"},
		{flag: "log-format", value: "xml"},
		{flag: "base-url", value: "ftp://x"},
		{flag: "drain", value: "1h"},
		{flag: "database-url", value: "postgres://localhost/x?default_query_exec_mode=exec"},
		{flag: "link-lifetime", value: "soon"},
		{flag: "token-lifetime", value: "1s"},
		{flag: "idempotency-lifetime", value: "1h", named: []string{"task-lifetime"}}, // fit alone, but shorter than a task's
		{flag: "task-lifetime", value: "2h"},
		{flag: "message-lifetime", value: "1h"},
		{flag: "audit-lifetime", value: "719h"},
		{flag: "smtp-url", value: "http://user@mail.example.com"},
		{flag: "mail-from", value: "nobody"},
		{flag: "mail-per-second", value: "0"},
		{flag: "sms-url", value: "http://sms.example.com", named: []string{"sms-url", "sms-account", "sms-from", "sms-token-file"}},
		{flag: "sms-per-second", value: "many"},
		{flag: "template-dir", value: "/nowhere"},
		{flag: "language-dir", value: "/nowhere"},
		{flag: "small-tasks", value: "0"},
		{flag: "large-tasks", value: "0"},
		{flag: "merchant-tasks", value: "0"},
		{flag: "merchant-backlog", value: "-1"},
		{flag: "large-bodies", value: "2"},
		{flag: "body-budget", value: "few"},
		{flag: "memory-limit", value: "1"},
		{flag: "max-connections", value: "0"},
	}
	// All settings are wrong in one call, because the operator must see all faults at once.
	args := []string{"serve"}
	for _, b := range bad {
		args = append(args, "--"+b.flag+"="+b.value)
	}
	code, _, stderr := command(t, "", args...)
	if code != 2 {
		t.Errorf("exit code %d, want 2", code)
	}
	for _, b := range bad {
		named := b.named
		if named == nil {
			named = []string{b.flag}
		}
		for _, flag := range named {
			if !strings.Contains(stderr, "--"+flag+": ") {
				t.Errorf("--%s=%s: --%s is not named in\n%s", b.flag, b.value, flag, stderr)
			}
		}
	}
}

// successors are errors about settings that were removed. They name the settings that replace them.
var successors = []string{
	"--large-bodies: was removed: set --body-budget", "--key-lifetime: was renamed: set --idempotency-lifetime",
}

func TestFlagsThatAreGoneNameTheirSuccessors(t *testing.T) {
	t.Parallel()
	code, _, stderr := command(t, "", "version", "--large-bodies=2", "--key-lifetime=2h")
	for _, want := range successors {
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%d %s, want %q", code, stderr, want)
		}
	}
}

func TestVariablesThatAreGoneNameTheirSuccessors(t *testing.T) {
	t.Setenv("GIFTCARDS_LARGE_BODIES", "2")
	t.Setenv("GIFTCARDS_KEY_LIFETIME", "2h")
	code, _, stderr := command(t, "", "version")
	for _, want := range successors {
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%d %s, want %q", code, stderr, want)
		}
	}
}

// TestTheBodyBudgetFitsTheLargestBody. Its default follows --bulk-body-limit.
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

// TestLifetimesFitEachOther: a task's idempotency key must be kept as long as the task.
func TestLifetimesFitEachOther(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"defaults":              {nil, ""},
		"short keys":            {[]string{"--idempotency-lifetime=1h"}, ""},
		"too short keys":        {[]string{"--idempotency-lifetime=59m"}, "--idempotency-lifetime: "},
		"tasks as long":         {[]string{"--idempotency-lifetime=2h", "--task-lifetime=2h"}, ""},
		"tasks that are longer": {[]string{"--task-lifetime=720h0m1s"}, "--task-lifetime: "},
		"too short tasks":       {[]string{"--task-lifetime=59m"}, "--task-lifetime: "},
	} {
		code, _, stderr := command(t, "", append([]string{"version"}, c.args...)...)
		if (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
	}
}

// TestABacklogHasRoomForTheLargestTask, because the largest task would otherwise always be refused.
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
