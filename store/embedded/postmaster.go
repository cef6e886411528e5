//go:build unix

package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	pollEvery    = 5 * time.Millisecond
	fastStop     = 30 * time.Second // after SIGINT, which ends sessions and writes the data
	immediate    = 10 * time.Second // after SIGQUIT; PostgreSQL kills its remaining children after 5 s
	postgresPort = "5432"           // only a part of the socket's name
)

// pidFile is the content of a postmaster's postmaster.pid.
type pidFile struct {
	pid       int // 0 if the file contains no valid one
	socketDir string
	ready     bool
}

func pidFilePath(data string) string { return filepath.Join(data, "postmaster.pid") }

func readPidFile(data string) (pidFile, error) {
	text, err := readOwned(pidFilePath(data))
	if err != nil {
		return pidFile{}, err
	}
	lines := strings.Split(string(text), "\n")
	var found pidFile
	if pid, err := strconv.Atoi(strings.TrimSpace(lines[0])); err == nil && pid > 1 { // a signal to 0 would reach our own process group, and 1 is init
		found.pid = pid
	}
	// The postmaster adds these lines while it starts.
	if len(lines) > 7 {
		found.socketDir, found.ready = lines[4], strings.TrimSpace(lines[7]) == "ready"
	}
	return found, nil
}

// clearLeftovers makes data free for a new postmaster. The caller holds the lock, so that a
// running postmaster has lost its giftcards process. It is stopped and never adopted. A
// stale pid file is removed, because it would keep a new postmaster from starting.
func clearLeftovers(ctx context.Context, data string) error {
	found, err := readPidFile(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case found.pid == 0:
		return os.Remove(pidFilePath(data))
	case !alive(found.pid):
		return nil // PostgreSQL itself removes the file after it has looked for surviving backends
	}
	// The id may belong to any process by now.
	ours, err := isPostmaster(found.pid, data)
	switch {
	case err != nil:
		return err
	case ours:
		return stopOrphan(ctx, found.pid, data)
	default:
		return os.Remove(pidFilePath(data))
	}
}

// alive also returns true for a zombie. A process that we may not signal belongs to another
// user and is therefore not a postmaster on our data.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// isPostmaster reports whether a live process is the postmaster on data. It fails if it is
// not sure, because two postmasters on the same data would destroy them.
func isPostmaster(pid int, data string) (bool, error) {
	line, err := commandLine(pid)
	// The process may have ended while its command line was read.
	if err != nil && !alive(pid) {
		return false, nil
	}
	program, _, _ := strings.Cut(line, " ")
	switch filepath.Base(strings.TrimSpace(program)) {
	case "postgres", "postmaster":
		if strings.Contains(strings.TrimSpace(line)+" ", " -D "+data+" ") {
			return true, nil
		}
	default:
		if err == nil {
			return false, nil
		}
	}
	return false, fmt.Errorf("process %d may be a PostgreSQL server on %s: stop it, or remove %s if it is not", pid, data, pidFilePath(data))
}

// stopOrphan stops a postmaster that is not our child. It asks isPostmaster before each
// signal and look, because the process id may soon belong to another process.
func stopOrphan(ctx context.Context, pid int, data string) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, immediate}} {
		if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the abandoned PostgreSQL server on %s (process %d): %w", data, pid, err)
		}
		// It is not our child, so that its end can only be polled.
		for deadline := time.Now().Add(step.wait); time.Now().Before(deadline); {
			still := alive(pid)
			if still {
				var err error
				if still, err = isPostmaster(pid, data); err != nil {
					return err
				}
			}
			if !still {
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(pollEvery):
			}
		}
	}
	return fmt.Errorf("the abandoned PostgreSQL server on %s (process %d) does not stop: end it by hand", data, pid)
}

// waitReady returns when p accepts connections in socketDir, after a recovery if necessary,
// or when ctx ends. socketDir must be new: in a container, an old pid file often contains
// the same process id as p.
func waitReady(ctx context.Context, p *process, data, socketDir string) error {
	for {
		found, err := readPidFile(data)
		if err == nil && found.pid == p.pid() && found.socketDir == socketDir && found.ready {
			return nil
		}
		select {
		case <-p.done:
			return exitError(p)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollEvery):
		}
	}
}

// exitError returns the error of a process that has ended unexpectedly.
func exitError(p *process) error {
	if p.err == nil {
		return errors.New("exited without an error")
	}
	return p.err
}

// stop ends a postmaster that is our child. It lets PostgreSQL shut down in order for 30
// seconds or until ctx ends, and then ends it at once. It does not use the smart shutdown
// (SIGTERM), which waits for all sessions to end.
func (p *process) stop(ctx context.Context) error {
	p.signal(syscall.SIGINT)
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	case <-time.After(fastStop):
	}
	return p.stopAtOnce()
}

// stopAtOnce ends a postmaster without writing its data. The next start recovers them.
func (p *process) stopAtOnce() error {
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.done:
		return nil
	case <-time.After(immediate):
		return fmt.Errorf("PostgreSQL (process %d) does not stop", p.pid())
	}
}
