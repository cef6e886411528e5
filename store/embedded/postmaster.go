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
	fastStop     = 30 * time.Second // for SIGINT: sessions end, data are written out
	immediate    = 10 * time.Second // for SIGQUIT: PostgreSQL itself kills what is left after 5 s
	postgresPort = "5432"           // only a part of the socket's name
)

// pidFile is the content of a postmaster's pid file in its data directory.
type pidFile struct {
	pid       int // 0 if the file holds none
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
	if pid, err := strconv.Atoi(strings.TrimSpace(lines[0])); err == nil && pid > 1 { // a signal to 0 would go to our own group, and to 1 to init
		found.pid = pid
	}
	if len(lines) > 7 {
		found.socketDir, found.ready = lines[4], strings.TrimSpace(lines[7]) == "ready"
	}
	return found, nil
}

// clearLeftovers prepares data for a new postmaster. The caller holds the lock, so a postmaster
// that still runs has lost its giftcards process: it is stopped, never adopted. A stale pid
// file is removed, because it would keep the new postmaster from starting.
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
		return nil // PostgreSQL then looks for surviving backends itself
	}
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

// alive is also true for a process that waits to be reaped. A process that we may not signal
// belongs to a third user, so it is no postmaster on our data.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

// isPostmaster reports whether a live process is the postmaster on data. It fails if it cannot
// be sure, because two postmasters on the same data destroy them.
func isPostmaster(pid int, data string) (bool, error) {
	line, err := commandLine(pid)
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
	return false, fmt.Errorf("process %d may be a PostgreSQL server on %s: stop it, or if it is not remove %s", pid, data, pidFilePath(data))
}

// stopOrphan stops a postmaster that is not our child.
func stopOrphan(ctx context.Context, pid int, data string) error {
	for _, step := range []struct {
		signal syscall.Signal
		wait   time.Duration
	}{{syscall.SIGINT, fastStop}, {syscall.SIGQUIT, immediate}} {
		if err := syscall.Kill(pid, step.signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop the PostgreSQL server left over on %s (process %d): %w", data, pid, err)
		}
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
	return fmt.Errorf("the PostgreSQL server left over on %s (process %d) does not stop: end it by hand", data, pid)
}

// waitReady returns when p accepts connections in socketDir, or when ctx ends. Recovery may
// take long. socketDir must be new, because in a container, a file left by an earlier process
// often has the same process id as p.
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

// exitError returns why a process has ended unexpectedly.
func exitError(p *process) error {
	if p.err == nil {
		return errors.New("exited without an error")
	}
	return p.err
}

// stop ends a postmaster that is our child: in an orderly way within 30 seconds or until ctx
// ends, and then at once. It does not use smart shutdown (SIGTERM), because that waits for
// every session to end.
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

// stopAtOnce kills a postmaster, which then recovers at its next start.
func (p *process) stopAtOnce() error {
	p.signal(syscall.SIGQUIT)
	select {
	case <-p.done:
		return nil
	case <-time.After(immediate):
		return fmt.Errorf("PostgreSQL (process %d) does not stop", p.pid())
	}
}
