package keyring_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"giftcards/store/keyring"
)

func TestKeyFileIsForItsOwnerOnlyAndAlone(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	for range 2 {
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Fatalf("mode %v, %v", info.Mode(), err)
		}
		if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
			t.Fatalf("beside the key file: %v, %v", entries, err)
		}
		rotate(t, path)
	}
}

func TestKeyFileOpenToOthersIsRefused(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o660, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, openErr := keyring.Open(path)
		_, orCreateErr := keyring.OpenOrCreate(path)
		for _, err := range []error{openErr, orCreateErr, keyring.Rotate(path)} {
			if err == nil || !strings.Contains(err.Error(), "chmod 600") || !strings.Contains(err.Error(), path) {
				t.Errorf("mode %o: %v", mode, err)
			}
		}
	}
	for _, mode := range []fs.FileMode{0o600, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		open(t, path)
	}
}

func TestMissingKeyFileIsNotExist(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	if _, err := keyring.Open(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Open: %v", err)
	}
	if err := keyring.Rotate(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rotate: %v", err)
	}
	if _, err := keyring.OpenOrCreate(filepath.Join(path, "no", "directory")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("OpenOrCreate: %v", err)
	}
}

func TestCreateNeverReplacesAnything(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	sealed := seal(t, ring, "012345")
	if _, err := keyring.Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create: %v", err)
	}
	if code, err := open(t, path).Unseal(sealed, cardID); err != nil || code != "012345" {
		t.Errorf("afterwards %q, %v", code, err)
	}
	dangling := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Fatal(err)
	}
	if _, err := keyring.OpenOrCreate(dangling); err == nil {
		t.Error("a link to nowhere was replaced")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestBrokenKeyFileIsRefusedAndLeftAsItIs(t *testing.T) {
	t.Parallel()
	_, good := create(t)
	data, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(data)
	// A refused file may be the only copy of the keys, so nothing may change it.
	for name, content := range map[string]string{
		"empty":             "",
		"a new line":        "\n",
		"null":              "null",
		"no keysets":        "{}",
		"a list":            "[]",
		"cut":               whole[:len(whole)/2],
		"doubled":           whole + whole,
		"a keyset missing":  strings.Replace(whole, `"links"`, `"links2"`, 1),
		"one too many":      strings.Replace(whole, `{`, `{"more":{},`, 1),
		"an empty keyset":   `{"codes":{},"tokens":{},"links":{}}`,
		"null keysets":      `{"codes":null,"tokens":null,"links":null}`,
		"keysets exchanged": strings.NewReplacer(`"links"`, `"codes"`, `"codes"`, `"links"`).Replace(whole),
		"tokens as codes":   strings.NewReplacer(`"tokens"`, `"codes"`, `"codes"`, `"tokens"`).Replace(whole),
		"another primary":   strings.ReplaceAll(whole, `"primaryKeyId": `, `"primaryKeyId": 1`),
		"a disabled key":    strings.ReplaceAll(whole, "ENABLED", "DISABLED"),
		"an unknown kind":   strings.ReplaceAll(whole, "google.crypto.tink", "google.crypto.sink"),
		"binary":            "\x00\x01\x02",
	} {
		if content == whole {
			t.Fatalf("%s: nothing is broken", name)
		}
		path := filepath.Join(t.TempDir(), "keys.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, openErr := keyring.Open(path)
		_, orCreateErr := keyring.OpenOrCreate(path)
		for _, err := range []error{openErr, orCreateErr, keyring.Rotate(path)} {
			if err == nil || !strings.Contains(err.Error(), path+" is damaged or not a key file") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != content {
			t.Errorf("%s: the file has become %q, %v", name, after, err)
		}
	}
	if _, err := keyring.OpenOrCreate(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
}

func TestInstancesStartingAtOnceShareOneNewFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	rings := make([]*keyring.Ring, 8)
	var group sync.WaitGroup
	for i := range rings {
		group.Go(func() {
			ring, err := keyring.OpenOrCreate(path)
			if err != nil {
				t.Error(err)
			}
			rings[i] = ring
		})
	}
	group.Wait()
	link := rings[0].SignLink([]byte("x"))
	for _, ring := range rings {
		if _, err := ring.VerifyLink(link); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyFileThatOthersCouldReplaceIsRefused(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	refused := func(path, want string) {
		t.Helper()
		_, openErr := keyring.Open(path)
		_, createErr := keyring.Create(path)
		// All three must refuse, because each of them would trust the directory.
		for _, err := range []error{openErr, createErr, keyring.Rotate(path)} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %q", path, err, want)
			}
		}
	}
	dir := filepath.Dir(path)
	for _, mode := range []fs.FileMode{0o770, 0o777, 0o707, 0o777 | fs.ModeSticky} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		refused(path, "directory "+dir+" can be changed by others")
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 { // nobody else can give files away
		if err := os.Chown(dir, 12345, -1); err != nil {
			t.Fatal(err)
		}
		refused(path, "directory "+dir+" belongs to user id 12345")
		if err := errors.Join(os.Chown(dir, 0, -1), os.Chown(path, 12345, -1)); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Open(path); err == nil || !strings.Contains(err.Error(), path+" belongs to user id 12345") {
			t.Errorf("another user's file: %v", err)
		}
		if err := os.Chown(path, 0, -1); err != nil {
			t.Fatal(err)
		}
	}
	open(t, path)
}

func TestKeyFileMayBeALinkOnlyWhereNobodyElseCouldHaveMadeIt(t *testing.T) {
	t.Parallel()
	_, path := create(t)
	dir := t.TempDir()
	link := filepath.Join(dir, "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]string{
		0o755: "", 0o777 | fs.ModeSticky: "", // as Kubernetes mounts secrets
		0o777: "directory " + dir + " can be changed by others",
	} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		_, err := keyring.Open(link)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("a link in a directory of mode %v: %v", mode, err)
		}
	}
	if os.Geteuid() == 0 {
		if err := errors.Join(os.Chmod(dir, 0o755), os.Lchown(link, 12345, -1)); err != nil {
			t.Fatal(err)
		}
		if _, err := keyring.Open(link); err == nil || !strings.Contains(err.Error(), "link "+link+" belongs to user id 12345") {
			t.Errorf("another user's link: %v", err)
		}
	}
}

func TestRotateFollowsALink(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	rotate(t, link)
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("the link has become %v, %v", info, err)
	}
	if _, err := ring.VerifyLink(open(t, path).SignLink([]byte("x"))); err != nil {
		t.Error(err)
	}
}
