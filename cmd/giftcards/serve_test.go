package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/keyring"
	"giftcards/store/storetest/full"
)

// TestATaskSurvivesKill kills the server at random moments of tasks of 5,000 cards. Each task ends with
// exactly 5,000 cards, even if its request got no answer.
func TestATaskSurvivesKill(t *testing.T) {
	t.Parallel()
	full.Only()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address)
	c := login(t, dir)
	const body = `{"initialValue":"5","count":5000}`
	for round := range full.Size(3, 1) {
		key := fmt.Sprint("round-", round)
		killed := make(chan struct{})
		go func() {
			defer close(killed)
			time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
			server.Kill()
		}()
		_, _, _ = c.do(t.Context(), http.MethodPost, "/bulk", key, body) // the kill may interrupt it
		<-killed
		server.Start()
		// The same key finds the task if the first request was committed, and adds it
		// otherwise.
		status, answer, err := c.do(t.Context(), http.MethodPost, "/bulk", key, body)
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("round %d: %d %s %v", round, status, answer, err)
		}
		var accepted struct{ TaskID string }
		must(t, json.Unmarshal(answer, &accepted))
		var task struct {
			Status      string
			IssuedCount int
			Cards       []struct{ CardNumber string }
		}
		for deadline := time.Now().Add(time.Minute); task.Status != "completed"; time.Sleep(50 * time.Millisecond) {
			_, answer, err := c.do(t.Context(), http.MethodGet, "/bulk/"+accepted.TaskID, "", "")
			must(t, err)
			must(t, json.Unmarshal(answer, &task))
			if task.Status == "failed" || time.Now().After(deadline) {
				t.Fatalf("round %d: task %s", round, task.Status)
			}
		}
		numbers := map[string]bool{}
		for _, card := range task.Cards {
			numbers[card.CardNumber] = true
		}
		if task.IssuedCount != 5000 || len(numbers) != 5000 {
			t.Errorf("round %d: %d issued, %d numbers", round, task.IssuedCount, len(numbers))
		}
	}
	if err := server.Stop(syscall.SIGTERM); err != nil {
		t.Errorf("SIGTERM: %v\n%s", err, server.Output())
	}
}

// TestAFirstStartShowsWhatToDo. A second start finds the data of the first.
func TestAFirstStartShowsWhatToDo(t *testing.T) {
	t.Parallel()
	dir, address := processtest.StateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address, "GIFTCARDS_DEMO_PASSWORD=a known password")
	info, err := os.Stat(filepath.Join(dir, "demo.json"))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("demo.json has mode %o", info.Mode().Perm())
	}
	first := login(t, dir)
	if first.Password != "a known password" || first.BaseURL != "http://"+address {
		t.Errorf("demo.json holds %q for %s", first.Password, first.BaseURL)
	}
	if strings.Contains(server.Output(), first.Password) {
		t.Error("the password is printed")
	}
	paste(t, server.Output())
	if code, _, stderr := command(t, "", "health", "--listen="+address); code != 0 {
		t.Errorf("health of a ready server: %d %s", code, stderr)
	}
	if code, _, stderr := command(t, "", "health", "--listen="+processtest.FreeAddress(t)); code != 1 || !strings.Contains(stderr, "not ready") {
		t.Errorf("health of no server: %d %s", code, stderr)
	}

	// A second server, and a command beside the first.
	out, err := exec.Command(processtest.Program(t), "serve", "--listen="+processtest.FreeAddress(t), "--state-dir="+dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "in use by process") {
		t.Errorf("a second server on the directory: %v %s", err, out)
	}
	out, err = exec.Command(processtest.Program(t), "program", "list", "--state-dir="+dir).CombinedOutput()
	if err != nil || !strings.Contains(string(out), first.ProgramID) {
		t.Errorf("program list beside the server: %v %s", err, out)
	}
	if err := server.Stop(syscall.SIGINT); err != nil {
		t.Errorf("SIGINT: %v\n%s", err, server.Output())
	}
	server = processtest.Serve(t, dir, address)
	if second := login(t, dir); second.ProgramID != first.ProgramID || second.token == "" {
		t.Errorf("after a second start the demo is %+v", second.demo)
	}
	if err := server.Stop(syscall.SIGHUP); err != nil {
		t.Errorf("SIGHUP: %v", err)
	}
	// The greeting must not print commands that no longer work.
	for _, change := range []string{"password", "deactivate"} {
		if code, _, stderr := command(t, "another password\n", "user", change, demoUser, "--state-dir="+dir); code != 0 {
			t.Errorf("user %s: %s", change, stderr)
		}
		server = processtest.Serve(t, dir, address)
		if strings.Contains(server.Output(), "demo") {
			t.Errorf("a demo is shown after user %s:\n%s", change, server.Output())
		}
		must(t, server.Stop(syscall.SIGTERM))
	}
}

// TestCodesAreNotSealedWithOtherKeys: a server with a missing or wrong key file does not start, because
// it would seal codes that no other instance can open.
func TestCodesAreNotSealedWithOtherKeys(t *testing.T) {
	t.Parallel()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	file := filepath.Join(dir, "keys.json")
	right, err := os.ReadFile(file)
	must(t, err)
	path := processtest.Program(t)
	must(t, os.Remove(file))
	out, err := exec.CommandContext(t.Context(), path, "serve", "--listen="+address, "--state-dir="+dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "keys.json is missing") {
		t.Errorf("without its keys: %v %s", err, out)
	}
	_, err = keyring.Create(file)
	must(t, err)
	out, err = exec.CommandContext(t.Context(), path, "serve", "--listen="+address, "--state-dir="+dir).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "sealed with other keys") {
		t.Errorf("with other keys: %v %s", err, out)
	}
	must(t, os.WriteFile(file, right, 0o600))
	must(t, processtest.Serve(t, dir, address).Stop(syscall.SIGTERM))
}

// paste runs the two printed commands in a shell, as a newcomer does.
func paste(t *testing.T, output string) {
	t.Helper()
	var lines []string
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "TOKEN=") || strings.HasPrefix(line, "curl ") {
			lines = append(lines, line)
		}
	}
	out, err := exec.Command("sh", "-c", strings.Join(lines, "\n")).Output()
	var card struct{ CardNumber string }
	if err != nil || json.Unmarshal(out, &card) != nil || len(card.CardNumber) != 16 {
		t.Errorf("pasting\n%s\ngives %s (%v)", strings.Join(lines, ""), out, err)
	}
}
