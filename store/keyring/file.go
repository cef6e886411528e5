package keyring

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"giftcards/store/private"
)

// Create writes a new key file that only its owner may read, and opens it. It fails with an
// fs.ErrExist if path exists.
func Create(path string) (*Ring, error) {
	if err := create(path); err != nil {
		return nil, fmt.Errorf("create key file: %w", err)
	}
	return Open(path)
}

func create(path string) error {
	path, err := private.Follow(path)
	if err != nil {
		return err
	}
	fresh, err := rotated(nil)
	if err != nil {
		return err
	}
	// The file is complete before it gets its name.
	complete, err := writeComplete(path, fresh)
	if err != nil {
		return err
	}
	// Unlike a rename, a link never replaces an existing file.
	if err := errors.Join(os.Link(complete, path), os.Remove(complete)); err != nil {
		return err
	}
	return private.SyncDir(filepath.Dir(path))
}

// Rotate adds a key to each keyset of the file and makes it the primary one. The older keys
// stay, because they still open the codes, links and tokens made with them. Rotations at the
// same time wait for each other.
func Rotate(path string) error {
	if err := replace(path, rotated); err != nil {
		return fmt.Errorf("rotate keys: %w", err)
	}
	return nil
}

// replace replaces the file atomically by the keysets that change returns. Changes at the
// same time wait for each other.
func replace(path string, change func(map[string]*keyset.Handle) (map[string]*keyset.Handle, error)) error {
	path, err := private.Follow(path) // replaces the target of a link and not the link
	if err != nil {
		return err
	}
	file, err := lock(path)
	if err != nil {
		return err
	}
	defer file.Close()
	// The file is read under the lock, so that no concurrent change is lost.
	current, err := load(path, nil)
	if err != nil {
		return err
	}
	changed, err := change(current.handles)
	if err != nil {
		return err
	}
	complete, err := writeComplete(path, changed)
	if err != nil {
		return err
	}
	if err := os.Rename(complete, path); err != nil {
		return errors.Join(err, os.Remove(complete))
	}
	return private.SyncDir(filepath.Dir(path))
}

// lock opens the file at path and locks it, so that other changes wait until it is closed.
func lock(path string) (*os.File, error) {
	for {
		file, err := private.OpenSecret(path, os.O_RDWR)
		if err != nil {
			return nil, err
		}
		lockErr := syscall.Flock(int(file.Fd()), syscall.LOCK_EX)
		mine, mineErr := file.Stat()
		there, thereErr := os.Lstat(path)
		if err := errors.Join(lockErr, mineErr, thereErr); err != nil {
			return nil, errors.Join(err, file.Close())
		}
		// The lock only counts if path still names the locked file.
		if os.SameFile(mine, there) {
			return file, nil
		}
		_ = file.Close() // the previous holder of the lock has replaced the file
	}
}

// load reads the keys in the file at path. It returns nil if the file is still the known
// version.
func load(path string, known fs.FileInfo) (*keys, error) {
	path, err := private.Follow(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	// Opening comes before Stat, because it makes a network file system ask its server.
	file, err := private.OpenSecret(path, os.O_RDONLY)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	defer file.Close()
	version, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if known != nil && os.SameFile(version, known) && version.ModTime().Equal(known.ModTime()) && version.Size() == known.Size() {
		return nil, nil
	}
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	handles, err := decode(data)
	if err != nil {
		return nil, malformed(path)
	}
	loaded, err := newKeys(handles, version)
	if err != nil {
		return nil, malformed(path)
	}
	return loaded, nil
}

// malformed leaves out the reason, because it might quote a key.
func malformed(path string) error {
	return fmt.Errorf("key file %s is damaged or not a key file: restore its backup, because new keys cannot open codes that the old ones sealed", path)
}

// writeComplete writes a key file beside path and returns its name. The caller then moves it
// to path in one step, so that no reader sees a part of it.
func writeComplete(path string, handles map[string]*keyset.Handle) (string, error) {
	encoded := map[string]json.RawMessage{}
	for name, handle := range handles {
		var text bytes.Buffer
		if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(&text)); err != nil {
			return "", err
		}
		encoded[name] = text.Bytes()
	}
	data, err := json.MarshalIndent(encoded, "", "  ")
	if err != nil {
		return "", err
	}
	// The same directory makes the rename atomic.
	file, err := os.CreateTemp(filepath.Dir(path), ".keys-*") // mode 0600
	if err != nil {
		return "", err
	}
	_, writeErr := file.Write(append(data, '\n'))
	if err := errors.Join(writeErr, file.Sync(), file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return file.Name(), nil
}
