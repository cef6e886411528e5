package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"giftcards/store"
	"giftcards/store/embedded"
	"giftcards/store/keyring"
	"giftcards/store/private"
)

// database is the PostgreSQL of --database-url, or else a private one.
type database struct {
	url     string
	private *embedded.Server // nil unless this process started it
}

// stopTimeout is the time that PostgreSQL gets to shut down before it is killed.
const stopTimeout = 40 * time.Second

func (d database) close(ctx context.Context) error {
	if d.private == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	return d.private.Stop(ctx)
}

// setupURL is the address to migrate a database at. On a private database, the commits of migrations
// do not wait for the disk. The server's first commit makes them durable.
func (d database) setupURL() string {
	if d.private == nil {
		return d.url
	}
	return d.private.SetupURL()
}

// lost returns a channel that is closed when the private PostgreSQL has ended. It is nil
// without a private one.
func (d database) lost() <-chan struct{} {
	if d.private == nil {
		return nil
	}
	return d.private.Done()
}

// openDatabase starts the private PostgreSQL unless the settings name another.
func (s *session) openDatabase(log *slog.Logger) (database, error) {
	if s.config.DatabaseURL != "" {
		return database{url: s.config.DatabaseURL}, nil
	}
	private, err := embedded.Start(s, embedded.Options{
		StateDir: s.config.StateDir, BinDir: s.config.PostgresBin, MirrorURL: s.config.MavenMirror, Logger: log,
	})
	if err != nil {
		return database{}, err
	}
	return database{url: private.URL(), private: private}, nil
}

const (
	connectAttempts = 15
	connectPause    = 2 * time.Second
)

// migrate brings the database to this program's schema, and marks it as a sandbox or as a real server's.
// It retries if the database is unreachable, because both may have been started at the same
// time.
func (s *session) migrate(url string) error {
	for attempt := 1; ; attempt++ {
		err := store.Install(s, url, s.config.Sandbox)
		// Any other error would repeat itself.
		if err == nil || !store.IsUnavailable(err) {
			return err
		}
		if attempt == connectAttempts {
			return fmt.Errorf("the database is unreachable, gave up after %d attempts: %s", attempt, oneLine(err))
		}
		fmt.Fprintf(s.stderr, "giftcards: the database is unreachable, trying again in %s (%d of %d): %s\n", s.connectPause, attempt, connectAttempts, oneLine(err))
		select {
		// A signal must end the wait at once.
		case <-s.Done():
			return errors.New("interrupted")
		case <-time.After(s.connectPause):
		}
	}
}

// oneLine joins the lines of an error. pgx writes a line for each address that it tried.
// None contains a password.
func oneLine(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i := range lines {
		lines[i] = strings.TrimSpace(lines[i])
	}
	if len(lines) == 1 {
		return lines[0]
	}
	return lines[0] + " " + strings.Join(lines[1:], "; ")
}

// withDatabase runs do with the database's address, and stops a private database that it
// had to start.
func (s *session) withDatabase(do func(url string) error) (err error) {
	d, err := s.openDatabaseOrShare()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close(s)) }()
	return do(d.url)
}

// withStore runs do with a store over the database. The database must exist and have a schema that
// this program can use: a command must not migrate it while servers of another version run.
func (s *session) withStore(do func(*store.Store) error) error {
	// The store gets no keys: most commands neither seal nor open a code.
	return s.withStoreOf(store.Options{}, do)
}

// withStoreOf is withStore with options.
func (s *session) withStoreOf(options store.Options, do func(*store.Store) error) error {
	// withDatabase would make an empty database, and the directory may be a mistyped one.
	if s.config.DatabaseURL == "" && !embedded.Exists(s.config.StateDir) {
		return fmt.Errorf("there is no database in %s: name another directory with --state-dir, or start the server, which makes one", s.config.StateDir)
	}
	return s.withDatabase(func(url string) error {
		versions, err := store.MigrationVersions(s, url)
		if err != nil {
			return err
		}
		if !versions.Usable() {
			return errors.New("this program cannot use the database's schema, which giftcards migrate status shows: run giftcards migrate up, or a newer program")
		}
		opened, err := store.Open(s, url, options)
		if err != nil {
			return err
		}
		defer opened.Close()
		return do(opened)
	})
}

// openDatabaseOrShare is openDatabase for commands that may run beside a server. They then
// use the private PostgreSQL that the server has started.
func (s *session) openDatabaseOrShare() (database, error) {
	d, err := s.openDatabase(slog.New(slog.DiscardHandler))
	// The lock's holder may also be a server that is still starting or stopping.
	if errors.Is(err, embedded.ErrLocked) {
		url, running := embedded.Running(s.config.StateDir)
		if running {
			return database{url: url}, nil
		}
	}
	return d, err
}

// keys opens the server's secret keys. It makes new ones only for a database that no
// server has used. If a server has used it, the keys are lost or elsewhere, and new keys could
// not open its security codes.
func (s *session) keys(url string) (*keyring.Ring, error) {
	if _, err := private.Dir(s.config.StateDir); err != nil {
		return nil, err
	}
	// Any error except a missing file must stop the server, because the file may contain
	// the only keys.
	ring, err := keyring.Open(s.config.KeysFile)
	if !errors.Is(err, fs.ErrNotExist) {
		return ring, err
	}
	opened, err := store.Open(s, url, store.Options{})
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	// The first server writes the key check.
	used, err := opened.HasKeyCheck(s)
	if err != nil {
		return nil, err
	}
	if used {
		return nil, fmt.Errorf("%s is missing: without its keys the security codes in the database cannot be opened (set --keys-file to its place)", s.config.KeysFile)
	}
	return keyring.OpenOrCreate(s.config.KeysFile)
}
