//go:build unix

package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that PostgreSQL runs as. It is our own user, except for root: then it
// is another one, because PostgreSQL refuses to run as root.
type account struct {
	name       string
	credential *syscall.Credential // nil for our own user
}

// chooseAccount returns the owner of the data if there are any. Without data it returns our
// own user, or for root a user of its own (see ownAccount).
func (s *Server) chooseAccount(ctx context.Context, data string) (account, error) {
	uid, gid, err := ownerOf(data)
	exists := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return account{}, err
	}
	// Only root can start PostgreSQL as another user.
	if me := os.Geteuid(); me != 0 {
		if exists && uid != uint32(me) {
			return account{}, fmt.Errorf("%s belongs to user id %d and not to this user (%d): run as that user, choose another state directory or set DATABASE_URL", data, uid, me)
		}
		u, err := currentUser()
		if err != nil {
			return account{}, err
		}
		return account{name: u.Username}, nil
	}
	if exists {
		return accountOf(data, uid, gid)
	}
	return s.ownAccount(ctx)
}

// The users that PostgreSQL runs as for root. The user postgres is not among them, because
// our superuser and that of the machine's own server could then read each other's files.
const (
	ownUser    = "giftcards"
	sharedUser = "nobody"
)

// ownAccount returns the user giftcards for root, and makes it if there is none. If that
// fails, it returns nobody and logs a warning, because other processes of nobody can read
// the data.
func (s *Server) ownAccount(ctx context.Context) (account, error) {
	if u, err := user.Lookup(ownUser); err == nil {
		return accountFor(u)
	}
	var makeErr error
	if !s.ephemeral { // a test must not leave a user behind
		u, err := s.makeUser(ctx)
		if err == nil {
			return accountFor(u)
		}
		makeErr = err
	}
	u, err := user.Lookup(sharedUser)
	if err != nil {
		return account{}, errors.New("PostgreSQL does not run as root, and there is neither a user giftcards nor a user nobody: create a user giftcards or set DATABASE_URL")
	}
	if !s.ephemeral {
		s.logger.WarnContext(ctx, "the private PostgreSQL runs as nobody, whose other processes can read its data: stop this server, create a system user giftcards and give it the directory", "directory", filepath.Join(s.stateDir, "data"), "error", makeErr)
	}
	return accountFor(u)
}

// makeUser returns the user giftcards, and makes it if there is none. It takes a lock,
// because useradd checks whether the user exists before it takes its own lock. Two
// processes at the same time would give the user two ids.
func (s *Server) makeUser(ctx context.Context) (*user.User, error) {
	etc, err := os.Open("/etc")
	if err != nil {
		return nil, err
	}
	defer etc.Close() // releases the lock
	if err := syscall.Flock(int(etc.Fd()), syscall.LOCK_EX); err != nil {
		return nil, fmt.Errorf("lock /etc: %w", err)
	}
	// Another process may have made the user before this one got the lock.
	if u, err := user.Lookup(ownUser); err == nil {
		return u, nil
	}
	if err := addUser(ctx, ownUser); err != nil {
		return nil, err
	}
	s.logger.InfoContext(ctx, "made a user for the private PostgreSQL", "user", ownUser)
	return user.Lookup(ownUser)
}

// addUser adds a system user without a login. It uses useradd, which most Linux
// distributions have, or else BusyBox's adduser.
func addUser(ctx context.Context, name string) error {
	steps := [][]string{{"useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/bin/false", name}}
	if _, err := exec.LookPath("useradd"); err != nil {
		steps = [][]string{{"addgroup", "-S", name}, {"adduser", "-S", "-D", "-H", "-h", "/nonexistent", "-s", "/bin/false", "-G", name, name}}
	}
	for _, step := range steps {
		if out, err := exec.CommandContext(ctx, step[0], step[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", step[0], err, bytes.TrimSpace(out))
		}
	}
	return nil
}

func accountFor(u *user.User) (account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return account{}, fmt.Errorf("group id of %s: %w", u.Username, err)
	}
	if uid == 0 {
		return account{}, fmt.Errorf("user %s is root, and PostgreSQL does not run as root: give it a user id of its own or set DATABASE_URL", u.Username)
	}
	return account{u.Username, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// accountOf returns the owner of existing data, for root.
func accountOf(data string, uid, gid uint32) (account, error) {
	if uid == 0 {
		return account{}, fmt.Errorf("%s belongs to root, and PostgreSQL does not run as root: give it to another user or set DATABASE_URL", data)
	}
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	if err != nil {
		return account{}, fmt.Errorf("the owner of %s has no account here, which PostgreSQL needs: create a user with id %d or set DATABASE_URL", data, uid)
	}
	return account{u.Username, &syscall.Credential{Uid: uid, Gid: gid}}, nil
}

// currentUser returns the user of this process, which is also the user that connects.
func currentUser() (*user.User, error) {
	uid := os.Geteuid()
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		return nil, fmt.Errorf("user id %d has no account here, which PostgreSQL needs: add it to /etc/passwd or set DATABASE_URL", uid)
	}
	return u, nil
}

func ownerOf(path string) (uid, gid uint32, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	return stat.Uid, stat.Gid, nil
}

// environment is the children's whole environment, because the caller's PGPORT, LANG and
// others would change the server.
var environment = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C", "TZ=UTC"}

// command prepares a program to run as the account. It gets a process group of its own, so
// that Ctrl-C at the terminal only reaches this process. Its directory is /, because the
// account may not be allowed to enter the current one.
func (a account) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = "/"
	cmd.Env = environment
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: a.credential}
	return cmd
}

// chown makes the account the owner of path.
func (a account) chown(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// enter fails unless the account can enter dir. It tries, because the mode of any parent and
// access lists may forbid it.
func (a account) enter(ctx context.Context, dir string) error {
	if a.credential == nil {
		return nil
	}
	if err := a.command(ctx, "/bin/sh", "-c", `cd -- "$0"`, dir).Run(); err != nil {
		return fmt.Errorf("PostgreSQL would run as user %s, who cannot enter %s (%w): choose another state directory or set DATABASE_URL", a.name, dir, err)
	}
	return nil
}
