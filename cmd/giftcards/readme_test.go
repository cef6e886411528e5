package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
	"giftcards/store/storetest/full"
)

// journey is the block of README.md that a newcomer pastes.
func journey(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../README.md")
	must(t, err)
	blocks := regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 1 {
		t.Fatalf("README.md has %d blocks for a shell, want 1", len(blocks))
	}
	return blocks[0][1]
}

// life returns the commands that docs/cards.md adds to the journey in the same shell.
func life(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/cards.md")
	must(t, err)
	var all strings.Builder
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		all.WriteString(block[1])
	}
	return all.String()
}

// shells returns those of bash, zsh and sh that are installed, by their names. bash and zsh are
// interactive, as in a terminal, and read no settings of a user.
func shells() map[string][]string {
	found := map[string][]string{}
	for _, command := range [][]string{{"bash", "--norc", "--noprofile", "-i"}, {"zsh", "-f", "-i"}, {"sh"}} {
		if _, err := exec.LookPath(command[0]); err == nil {
			found[command[0]] = command
		}
	}
	return found
}

// nobody is a user without files on this machine.
var nobody = &syscall.Credential{Uid: 65534, Gid: 65534}

// pasteInto pastes a text into a shell and returns the output. It fails unless the shell still runs
// afterwards.
func pasteInto(t *testing.T, shell []string, account *syscall.Credential, env []string, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, shell[0], shell[1:]...)
	cmd.Dir, cmd.Env = "/", append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account, Setsid: true} // so that an interactive shell does not take the terminal of the test
	cmd.Stdin = strings.NewReader(text + "\necho the shell is still there\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the shell is still there") {
		t.Errorf("%s: %v\n%s", shell[0], err, out)
	}
	return string(out)
}

// TestTheJourneyOfTheREADMEWorksAsItIsPasted, with a state directory that the variable names and with
// the default one. A test that runs as root takes another user for the default directory. Without
// -full, only sh tries the default directory.
func TestTheJourneyOfTheREADMEWorksAsItIsPasted(t *testing.T) {
	t.Parallel()
	text := journey(t)
	check := func(t *testing.T, shells map[string][]string, account *syscall.Credential, env []string) {
		t.Helper()
		for name, shell := range shells {
			out := pasteInto(t, shell, account, env, text)
			for want, times := range map[string]int{
				"HTTP/1.1 201 Created\r\n": 2, "HTTP/1.1 202 Accepted\r\n": 2, "HTTP/1.1 422 ": 1,
				"HTTP/1.1 200 OK\r\n": 4, "HTTP/1.1 400 ": 1, `"remainingBalance":"15.00"`: 2, `"transactionType":`: 3, `"balance":"17.50"`: 1,
				`"status":"completed"`: 1, "\ncardNumber,securityCode,": 1,
			} {
				if strings.Count(out, want) != times {
					t.Errorf("%s: not %d times %q in\n%s", name, times, want, out)
				}
			}
			if !strings.Contains(out, "Idempotent-Replayed: true") || strings.Contains(out, "not found") || strings.Contains(out, "sed:") {
				t.Errorf("%s: no replay, or faults, in\n%s", name, out)
			}
		}
	}
	t.Run("with GIFTCARDS_STATE_DIR", func(t *testing.T) {
		t.Parallel()
		dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
		processtest.Serve(t, dir, address)
		check(t, shells(), nil, []string{"HOME=" + dir, "GIFTCARDS_STATE_DIR=" + dir})
	})
	t.Run("without", func(t *testing.T) {
		t.Parallel()
		home := processtest.StateDir(t)
		var account *syscall.Credential // root's default state directory may be in use on this machine, so the test runs as another user
		if os.Geteuid() == 0 {
			account = nobody
			must(t, os.Chown(home, int(account.Uid), int(account.Gid)))
		}
		path := processtest.Program(t)
		address := processtest.FreeAddress(t)
		processtest.NewServer(t, address, func() *exec.Cmd {
			cmd := exec.Command(path, "serve", "--listen="+address, "--admin-listen=off")
			// Every user may run the programs of PostgreSQL that root has fetched.
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CACHE_HOME=/var/cache"}
			if account == nil {
				cmd.Env[2] = "XDG_CACHE_HOME=" + os.Getenv("XDG_CACHE_HOME")
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
			return cmd
		}).Start()
		tried := shells()
		if !full.Asked() {
			tried = map[string][]string{"sh": tried["sh"]}
		}
		check(t, tried, account, []string{"HOME=" + home})
	})
}

// TestTheLifeOfACardWorksAsItIsPasted after the journey. docs/cards.md shows the same answers.
func TestTheLifeOfACardWorksAsItIsPasted(t *testing.T) {
	t.Parallel()
	full.Only()
	dir := processtest.UsedStateDir(t)
	processtest.Serve(t, dir, processtest.FreeAddress(t))
	out := pasteInto(t, []string{"sh"}, nil, []string{"HOME=" + dir, "GIFTCARDS_STATE_DIR=" + dir}, journey(t)+"echo the life begins\n"+life(t))
	_, out, _ = strings.Cut(out, "the life begins\n")
	for _, want := range []string{
		`"balance":"37.50","initialValue":"25.00","status":"active"`, `"status":"suspended"`, `"suspendedReason":"reported lost"`,
		`{"detail":"Gift card is not active"}`, `"remainingBalance":"7.50"}`, `"newBalance":"35.00"}`, `{"detail":"Invalid security code"}`,
		`"totalConsolidatedAmount":"42.50"`, `{"detail":"Gift card has been voided"}`, `"amountRedeemed":"42.50","remainingBalance":"0.00"`,
		`"status":"depleted"`, `"totalSold":"50.00","totalRedeemed":"50.00","totalBalance":"0.00"`, `"isActive":false}`, `{"detail":"Gift card not found"}`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %s in\n%s", want, out)
		}
	}
}

// TestTheJourneyLooksWhereTheServerKeepsItsDemo, also if a variable names the state directory.
func TestTheJourneyLooksWhereTheServerKeepsItsDemo(t *testing.T) {
	t.Parallel()
	want, err := embedded.DefaultStateDir()
	must(t, err)
	first, _, _ := strings.Cut(journey(t), "demo()")
	for name, shell := range shells() {
		env := []string{"HOME=" + os.Getenv("HOME"), "XDG_STATE_HOME=" + os.Getenv("XDG_STATE_HOME")}
		if out := pasteInto(t, shell, nil, env, first+"echo [$STATE]\n"); !strings.Contains(out, "["+want+"]") {
			t.Errorf("%s: not %s: %s", name, want, out)
		}
		if out := pasteInto(t, shell, nil, append(env, "GIFTCARDS_STATE_DIR=/a/place"), first+"echo [$STATE]\n"); !strings.Contains(out, "[/a/place]") {
			t.Errorf("%s: %s", name, out)
		}
	}
}

// TestTheJourneyEndsWithoutAServer with a sentence, and leaves the shell alone.
func TestTheJourneyEndsWithoutAServer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, demo := range []string{"", `{"baseUrl": "http://` + processtest.FreeAddress(t) + `"}`} { // no demo, or the demo of a server that is stopped
		if demo != "" {
			must(t, os.WriteFile(filepath.Join(dir, "demo.json"), []byte(demo), 0o600))
		}
		for name, shell := range shells() {
			out := pasteInto(t, shell, nil, []string{"HOME=" + dir, "GIFTCARDS_STATE_DIR=" + dir}, journey(t))
			if !strings.Contains(out, "There is no server of yours with "+dir+"/demo.json: start one with make run.") || strings.Contains(out, "sed:") {
				t.Errorf("%s: %s", name, out)
			}
		}
	}
}

// TestTheJourneyEndsWhenItsTaskDoesNot, and when its task fails.
func TestTheJourneyEndsWhenItsTaskDoesNot(t *testing.T) {
	t.Parallel()
	full.Only()
	for _, status := range []string{"failed", "pending"} {
		dir := t.TempDir()
		for name, script := range map[string]string{
			// This server's tasks keep their status for ever. Each poll adds a line to the file looks.
			"curl": fmt.Sprintf(`#!/bin/sh
case "$*" in
*/v2/token*) echo '{"accessToken":"x"}' ;;
*5000*) printf 'HTTP/1.1 202 Accepted\r\nLocation: /task\r\n\r\n' ;;
*/task) echo look >>%s/looks; echo '{"status":"%s","csvDownloadUrl":null}' ;;
esac
`, dir, status),
			"sleep": "#!/bin/sh\n",
		} {
			must(t, os.WriteFile(filepath.Join(dir, name), []byte(script), 0o700))
		}
		must(t, os.WriteFile(filepath.Join(dir, "demo.json"), []byte("{\n  \"baseUrl\": \"http://x\"\n}\n"), 0o600))
		for name, shell := range shells() {
			must(t, os.RemoveAll(filepath.Join(dir, "looks")))
			out := pasteInto(t, shell, nil, []string{"PATH=" + dir + ":" + os.Getenv("PATH"), "HOME=" + dir, "GIFTCARDS_STATE_DIR=" + dir}, journey(t))
			looks, err := os.ReadFile(filepath.Join(dir, "looks"))
			must(t, err)
			want := map[string]int{"failed": 1, "pending": 121}[status]
			if got := strings.Count(string(looks), "\n"); got != want || !strings.Contains(out, `"status":"`+status+`"`) || !strings.Contains(out, "== A refusal") {
				t.Errorf("%s: %d looks at a %s task, want %d\n%s", name, got, status, want, out)
			}
		}
	}
}

// TestNoCommandInTheDocsHasACommentBehindIt, and no line is only a comment. An interactive zsh reads #
// as a word like any other, and executes the line.
func TestNoCommandInTheDocsHasACommentBehindIt(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	must(t, err)
	comment := regexp.MustCompile(`(^|\s)#\s`)
	fence := regexp.MustCompile("^```(\\w*)")
	for _, page := range append(pages, "../../README.md", "../../CONTRIBUTING.md") {
		text, err := os.ReadFile(page)
		must(t, err)
		language, inside := "", false
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			if match := fence.FindStringSubmatch(line); match != nil {
				language, inside = match[1], !inside
				continue
			}
			typed := inside && (language == "sh" || language == "bash") || !inside && strings.HasPrefix(line, "    ")
			if typed && comment.MatchString(line) {
				t.Errorf("%s:%d: %s", page, n, line)
			}
		}
	}
}
