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

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/jwt"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"giftcards/store/private"
)

// The names of the keysets in a key file: for security codes, bearer tokens and download
// links.
const (
	CodesKeyset  = "codes"
	TokensKeyset = "tokens"
	LinksKeyset  = "links"
)

// Keysets are the names of all keysets.
var Keysets = []string{CodesKeyset, LinksKeyset, TokensKeyset}

// templates describe the keys of each keyset.
var templates = map[string]func() *tinkpb.KeyTemplate{
	CodesKeyset:  aead.AES256GCMKeyTemplate,
	TokensKeyset: jwt.HS256Template,
	LinksKeyset:  mac.HMACSHA256Tag128KeyTemplate,
}

// Create writes a new key file, which only its owner may read and write, and opens it. It
// fails with an fs.ErrExist if a file exists at path.
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
	complete, err := writeComplete(path, fresh)
	if err != nil {
		return err
	}
	// A link, because unlike a rename it never replaces an existing file.
	if err := errors.Join(os.Link(complete, path), os.Remove(complete)); err != nil {
		return err
	}
	return syncDirectory(path)
}

// Rotate adds a key to each keyset of the file, and makes it the newest, which is used from
// now on. The older keys stay for everything that was made with them. Concurrent rotations
// wait for each other.
func Rotate(path string) error {
	if err := replace(path, rotated); err != nil {
		return fmt.Errorf("rotate keys: %w", err)
	}
	return nil
}

// replace replaces the file, in one step, with the keysets that change returns. Concurrent
// changes wait for each other.
func replace(path string, change func(map[string]*keyset.Handle) (map[string]*keyset.Handle, error)) error {
	path, err := private.Follow(path) // replace the file that a link leads to, not the link
	if err != nil {
		return err
	}
	file, err := lock(path)
	if err != nil {
		return err
	}
	defer file.Close()
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
	return syncDirectory(path)
}

// lock opens the file at path. Other changes wait until it is closed.
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
		if os.SameFile(mine, there) {
			return file, nil
		}
		_ = file.Close() // the change that we waited for has replaced it
	}
}

// load reads the keys in the file at path. It returns nil if the file has not changed since
// the known version.
func load(path string, known fs.FileInfo) (*keys, error) {
	path, err := private.Follow(path)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	file, err := private.OpenSecret(path, os.O_RDONLY) // before Stat, so that a network file system asks its server
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

// malformed omits the reason, because it might quote a key.
func malformed(path string) error {
	return fmt.Errorf("key file %s is damaged or not a key file: put its backup in place, since new keys cannot open what the old ones sealed", path)
}

func decode(data []byte) (map[string]*keyset.Handle, error) {
	var encoded map[string]json.RawMessage
	if err := json.Unmarshal(data, &encoded); err != nil {
		return nil, err
	}
	if len(encoded) != len(templates) {
		return nil, errors.New("other keysets than there should be")
	}
	handles := map[string]*keyset.Handle{}
	for name := range templates {
		handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(encoded[name])))
		if err != nil {
			return nil, err
		}
		handles[name] = handle
	}
	return handles, nil
}

// rotated returns the keysets, or new ones for nil, with a new primary key in each.
func rotated(handles map[string]*keyset.Handle) (map[string]*keyset.Handle, error) {
	return eachKeyset(func(name string) (*keyset.Handle, error) { return withNewPrimary(handles[name], templates[name]()) })
}

func eachKeyset(build func(name string) (*keyset.Handle, error)) (map[string]*keyset.Handle, error) {
	handles := map[string]*keyset.Handle{}
	for name := range templates {
		handle, err := build(name)
		if err != nil {
			return nil, err
		}
		handles[name] = handle
	}
	return handles, nil
}

// writeComplete writes a complete key file beside path, and returns its name. The caller
// moves it to path in one step, so that nobody reads half a file.
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

// withNewPrimary returns handle, or an empty keyset for nil, with a new primary key.
func withNewPrimary(handle *keyset.Handle, template *tinkpb.KeyTemplate) (*keyset.Handle, error) {
	manager := keyset.NewManager()
	if handle != nil {
		manager = keyset.NewManagerFromHandle(handle)
	}
	id, err := manager.Add(template)
	if err != nil {
		return nil, err
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, err
	}
	return manager.Handle()
}

// syncDirectory makes the name of the file at path survive a power cut.
func syncDirectory(path string) error {
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync()
}
