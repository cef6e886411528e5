package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/keyring"
	"giftcards/store/storetest"
)

// TestNothingPlantedIsUsed: another user may have made the state directory before the first
// start, or may be able to write to it.
func TestNothingPlantedIsUsed(t *testing.T) {
	t.Parallel()
	database := "--database-url=" + storetest.URL(t)
	precious := filepath.Join(t.TempDir(), "precious")
	must(t, os.WriteFile(precious, []byte("x"), 0o600))
	// Every case plants one thing in a state directory and names the error of the command.
	for name, test := range map[string]struct {
		plant func(dir string) error
		want  string
		args  []string
	}{
		"a directory that all may write to": {
			func(dir string) error { return os.Chmod(dir, 0o777) },
			"can be changed by others than its owner (mode 0777): run chmod go-w", []string{"demo", "--database-url="},
		},
		"the same, where the database is elsewhere": {
			func(dir string) error { return os.Chmod(dir, 0o770) },
			"can be changed by others than its owner (mode 0770): run chmod go-w", []string{"serve", "--listen=" + processtest.FreeAddress(t), "--smtp-url=outbox", "--sms-url=outbox", database},
		},
		"a lock that leads elsewhere": {
			func(dir string) error { return os.Symlink(precious, filepath.Join(dir, "lock")) },
			"lock is a link, which is not followed", []string{"demo", "--database-url="},
		},
		"a log that leads elsewhere": {
			func(dir string) error { return os.Symlink(precious, filepath.Join(dir, "postgres.log")) },
			"postgres.log is a link, which is not followed", []string{"demo", "--database-url="},
		},
		"a demo that leads elsewhere": {
			func(dir string) error { return os.Symlink(precious, filepath.Join(dir, "demo.json.new")) },
			"demo.json.new is a link, which is not followed", []string{"demo", database},
		},
		"keys where others may write": {
			func(dir string) error {
				sticky := filepath.Join(dir, "tmp")
				if err := os.Mkdir(sticky, 0o700); err != nil {
					return err
				}
				_, err := keyring.Create(filepath.Join(sticky, "keys.json"))
				return errors.Join(err, os.Chmod(sticky, 0o777|os.ModeSticky), os.Symlink("tmp/keys.json", filepath.Join(dir, "keys.json")))
			},
			"tmp can be changed by others than its owner", []string{"serve", "--listen=" + processtest.FreeAddress(t), "--smtp-url=outbox", "--sms-url=outbox", database},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := processtest.StateDir(t)
			must(t, test.plant(dir))
			code, stdout, stderr := command(t, "", append(test.args, "--state-dir="+dir, "--admin-listen=off")...)
			if code != 1 || stdout != "" || !strings.Contains(stderr, test.want) {
				t.Errorf("%d %s %s, want %q", code, stdout, stderr, test.want)
			}
			if text, err := os.ReadFile(precious); err != nil || string(text) != "x" {
				t.Errorf("what the link led to has become %q, %v", text, err)
			}
		})
	}
}
