//go:build unix

package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

func TestNewDirectoriesAreForUsAlone(t *testing.T) {
	t.Parallel()
	want := fs.FileMode(0o700)
	if os.Geteuid() == 0 {
		want = 0o711 // PostgreSQL's user passes through
	}
	dir := filepath.Join(t.TempDir(), "above", "state")
	for range 2 {
		got, err := Dir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(got); err != nil || info.Mode().Perm() != want {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, want)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	canonical, err := filepath.EvalSymlinks(dir)
	must(t, err)
	if got, err := Dir(link); err != nil || got != canonical {
		t.Errorf("by a link: %s, %v; want %s", got, err, canonical)
	}
}

func TestDirectoriesThatOthersCanChangeAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, mode := range []fs.FileMode{0o720, 0o702, 0o770, 0o775, 0o777, 0o777 | fs.ModeSticky} {
		must(t, os.Chmod(dir, mode))
		_, err := Dir(dir)
		wantError(t, err, dir+" can be changed by others than its owner (mode 0"+octal(mode)+"): run chmod go-w")
	}
	must(t, os.Chmod(dir, 0o755))
	_, err := Dir(dir)
	must(t, err)
	file := filepath.Join(dir, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	_, err = Dir(file)
	wantError(t, err, "is not a directory")
}

func octal(mode fs.FileMode) string {
	digits := []byte("000")
	for i := range digits {
		digits[i] += byte(mode.Perm() >> (6 - 3*i) & 7)
	}
	return string(digits)
}

// ownedBy is the information about a file of another user, because only root could make such a file.
type ownedBy struct {
	fs.FileInfo
	uid uint32
}

func (o ownedBy) Sys() any { return &syscall.Stat_t{Uid: o.uid} }

func TestOnlyOurFilesAndRootsAreTrusted(t *testing.T) {
	t.Parallel()
	us := os.Geteuid()
	must(t, checkOwner("it", ownedBy{uid: uint32(us)}))
	must(t, checkOwner("it", ownedBy{uid: 0}))
	wantError(t, checkOwner("directory /x", ownedBy{uid: uint32(us + 1)}), "directory /x belongs to user id ")
	if us != 0 {
		return
	}
	// As root, with a directory and a file that are really another's.
	dir := t.TempDir()
	file := filepath.Join(dir, "lock")
	must(t, os.WriteFile(file, []byte("x"), 0o600))
	must(t, os.Chown(file, 12345, 12345))
	_, err := Open(file, os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	wantError(t, err, file+" belongs to user id 12345 and not to root")
	if text, err := os.ReadFile(file); err != nil || string(text) != "x" {
		t.Errorf("it has become %q, %v", text, err)
	}
	must(t, os.Chown(dir, 12345, 12345))
	_, err = Dir(dir)
	wantError(t, err, "directory "+dir+" belongs to user id 12345 and not to root")
}

func TestNoLinkIsFollowed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	precious, link := filepath.Join(dir, "precious"), filepath.Join(dir, "lock")
	must(t, os.WriteFile(precious, []byte("x"), 0o600))
	must(t, os.Symlink(precious, link))
	for name, do := range map[string]func() error{
		"Open":       func() error { _, err := Open(link, os.O_RDWR|os.O_CREATE|os.O_TRUNC); return err },
		"OpenSecret": func() error { _, err := OpenSecret(link, os.O_RDONLY); return err },
		"ReadFile":   func() error { _, err := ReadFile(link); return err },
		"WriteFile":  func() error { return WriteFile(link, []byte("y")) },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), link+" is a link, which is not followed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, os.Remove(link))
	must(t, os.Symlink(filepath.Join(dir, "new"), link)) // to a file that is not there
	wantError(t, WriteFile(link, []byte("y")), "is a link")
	if text, err := os.ReadFile(precious); err != nil || string(text) != "x" {
		t.Errorf("it has become %q, %v", text, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file was made where the link leads: %v", err)
	}
}

func TestPipesAndFilesThatOthersCanChangeAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, file := filepath.Join(dir, "pipe"), filepath.Join(dir, "file")
	must(t, syscall.Mkfifo(pipe, 0o600))
	refused := make(chan error, 1)
	go func() { _, err := Open(pipe, os.O_RDONLY); refused <- err }()
	select {
	case err := <-refused:
		wantError(t, err, "is not a regular file")
	case <-time.After(10 * time.Second):
		t.Fatal("opening a pipe waits for its other end")
	}
	must(t, WriteFile(file, []byte("long")))
	must(t, WriteFile(file, []byte("x")))
	if text, err := ReadFile(file); err != nil || string(text) != "x" {
		t.Errorf("%q, %v", text, err)
	}
	for _, mode := range []fs.FileMode{0o620, 0o602, 0o666} {
		must(t, os.Chmod(file, mode))
		_, err := Open(file, os.O_RDONLY)
		wantError(t, err, "can be changed by others than its owner (mode 0"+octal(mode)+")")
	}
	must(t, os.Chmod(file, 0o640))
	_, err := OpenSecret(file, os.O_RDONLY)
	wantError(t, err, "is open to others than its owner (mode 0640): run chmod 600")
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, want one with %q", err, part)
	}
}
