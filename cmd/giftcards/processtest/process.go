// Package processtest runs the built giftcards program, and other programs, as children of
// a test. The tests of cmd/giftcards and of its package faults use it.
package processtest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is a child of the test. It is killed at the end of the test if it still runs.
type Process struct {
	t    testing.TB
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when the process has ended
	err  error         // how it ended; may be read when done is closed
}

// Launch starts a command and keeps its output. If the test process itself is killed, the
// kernel sends onOurDeath to the child (on Linux).
func Launch(t testing.TB, cmd *exec.Cmd, onOurDeath syscall.Signal) *Process {
	t.Helper()
	// The output goes to a file, because a pipe may be late: a child logs a line and then answers, and the
	// test could see the answer before the line.
	file, err := os.CreateTemp(t.TempDir(), "output-")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithUs(cmd.SysProcAttr, onOurDeath)
	p := &Process{t: t, cmd: cmd, log: file.Name(), done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel sends onOurDeath when this thread ends, so it must live as long as the child
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// Stop sends a signal, waits for the end, and returns how the process ended: nil for the
// exit code 0. The test fails if the process is still there after a minute.
func (p *Process) Stop(s syscall.Signal) error {
	p.t.Helper()
	_ = p.cmd.Process.Signal(s) // the process may have ended
	select {
	case <-p.done:
		return p.err
	case <-time.After(time.Minute):
		p.t.Fatalf("%s did not end within a minute after %s:\n%s", p.cmd.Path, s, p.Output())
		return nil
	}
}

// Kill sends SIGKILL and waits for the end.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Output returns all that the process has written, to its standard output and error.
func (p *Process) Output() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// LastWords returns the end of the output.
func (p *Process) LastWords() string {
	text := p.Output()
	return text[max(0, len(text)-3000):]
}

var takenPorts sync.Map

// FreePort returns a port of this machine that nobody listens on. It is below the ephemeral
// range, so that no client's connection takes it. No other call in this process returns it.
func FreePort(t testing.TB) int {
	t.Helper()
	for {
		port := 20_000 + rand.IntN(10_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, taken := takenPorts.LoadOrStore(port, true); !taken {
			return port
		}
	}
}

// FreeAddress returns an address of this machine with a FreePort.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", FreePort(t))
}
