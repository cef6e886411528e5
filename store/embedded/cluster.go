//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"

	"giftcards/store/private"
)

const (
	superuser = "postgres"
	role      = "giftcards" // owns the database of the same name, as in production
)

// clusterMajor returns the major version that made data, 0 if there are no data.
func clusterMajor(data string) (int, error) {
	text, err := readOwned(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if !exists(data) {
			return 0, nil
		}
		return 0, fmt.Errorf("%s is not a PostgreSQL data directory: move it away or choose another state directory", data)
	}
	if err != nil {
		return 0, err
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("%s/PG_VERSION contains %q, which is not a known version: move the directory away or set DATABASE_URL", data, text)
	}
	return major, nil
}

// readOwned reads a small file in the data. It does not follow a link, because PostgreSQL's
// user owns the data and could make root read another file.
func readOwned(path string) ([]byte, error) {
	const most = 64 << 10
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

// exists reports whether path exists. A link counts even if its target is missing, because
// the target may be on a disk that is not mounted.
func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// makeCluster makes data. The directory appears complete and durable, or not at all, because
// an interrupted initdb leaves a cluster that starts but lacks its last steps.
func (s *Server) makeCluster(ctx context.Context, data string, p programs, runAs account) error {
	fresh, err := os.MkdirTemp(s.stateDir, "data.new-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh) // does nothing after the rename
	if err := runAs.chown(fresh); err != nil {
		return err
	}
	args := []string{"-D", fresh, "-U", superuser, "-A", "peer", "-E", "UTF8", "--data-checksums", "--no-sync"}
	// PostgreSQL's own locale, which 17 and later have, sorts the same on every system.
	locale := []string{"--locale=C.UTF-8"}
	if p.major >= 17 {
		locale = []string{"--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"}
	}
	err = s.initdb(ctx, p, runAs, append(args, locale...))
	// A minimal image has only the locale C.
	if err != nil && strings.Contains(err.Error(), "invalid locale name") {
		err = s.initdb(ctx, p, runAs, append(args, "--locale=C"))
	}
	if err != nil {
		return fmt.Errorf("make the database cluster in %s: %w", fresh, err)
	}
	// Nobody needs the data of a test after a crash.
	if s.ephemeral {
		return os.Rename(fresh, data)
	}
	if err := syncTree(fresh, s.flush); err != nil {
		return fmt.Errorf("make the database cluster in %s durable: %w", fresh, err)
	}
	if err := os.Rename(fresh, data); err != nil {
		return err
	}
	return private.SyncDir(s.stateDir)
}

func (s *Server) initdb(ctx context.Context, p programs, runAs account, args []string) error {
	begin, err := s.log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	// initdb's output goes to the log, and withLog adds it to an error.
	cmd := runAs.command(ctx, filepath.Join(p.dir, "initdb"), args...)
	cmd.Stdout, cmd.Stderr = s.log, s.log
	child, err := launch(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	if <-child.done; child.err != nil {
		return s.withLog(child.err, begin)
	}
	return nil
}

// writeAccess writes the files that let only our own user connect, over the socket, in
// either role. The files are outside of the data, so that PostgreSQL's user cannot change
// them or make root write through a link.
func (s *Server) writeAccess() error {
	me, err := currentUser()
	if err != nil {
		return err
	}
	// A quoted name may contain blanks.
	name := `"` + strings.ReplaceAll(me.Username, `"`, `""`) + `"`
	files := map[string]string{
		s.hbaFile():   "local\tall\tall\tpeer\tmap=giftcards\n",
		s.identFile(): fmt.Sprintf("giftcards %s %s\ngiftcards %s %s\n", name, superuser, name, role),
	}
	for path, text := range files {
		if err := private.WriteFile(path, []byte(text)); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil { // PostgreSQL's user must read it
			return err
		}
	}
	return nil
}

func (s *Server) hbaFile() string   { return filepath.Join(s.stateDir, "pg_hba.conf") }
func (s *Server) identFile() string { return filepath.Join(s.stateDir, "pg_ident.conf") }

// ensureDatabase makes the role and the database if they are missing. It checks each one
// alone, because an earlier start may have been killed between the two.
func (s *Server) ensureDatabase(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, unsynced(s.address(superuser, "postgres"))) // PostgreSQL syncs a new database in any case
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var hasRole, hasDatabase bool
	err = conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1),
		EXISTS (SELECT FROM pg_database WHERE datname = $1)`, role).Scan(&hasRole, &hasDatabase)
	if err != nil {
		return err
	}
	if !hasRole {
		create := "CREATE ROLE " + role + " LOGIN"
		// Tests make a database each, and a role to serve.
		if s.ephemeral {
			create += " CREATEDB CREATEROLE"
		}
		if _, err := conn.Exec(ctx, create); err != nil {
			return err
		}
	}
	if !hasDatabase {
		if _, err := conn.Exec(ctx, "CREATE DATABASE "+role+" OWNER "+role); err != nil {
			return err
		}
	}
	return nil
}
