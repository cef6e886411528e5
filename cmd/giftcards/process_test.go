package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary builds the program once, for the tests that kill it.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "giftcards-binary-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // other users run it, too
	}
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "giftcards")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// process is a running `giftcards serve` with a private database.
type process struct {
	*exec.Cmd
	t       *testing.T
	address string
	output  output
	exited  chan error
}

// output is the file that a process writes to. Through a pipe a test might read it
// too early, because what was written before an answer could arrive after it.
type output struct{ path string }

func (o output) String() string {
	text, err := os.ReadFile(o.path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// stateDir is a directory that another user may enter, because PostgreSQL does not run as
// root.
func stateDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "giftcards-state-") //nolint:usetesting // t.TempDir is deep below directories of root alone
	must(t, err)
	must(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// freePort returns a port below the ephemeral range, so that no client's connection takes
// it.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		address := fmt.Sprintf("127.0.0.1:%d", 20_000+rand.IntN(10_000))
		if l, err := net.Listen("tcp", address); err == nil {
			must(t, l.Close())
			return address
		}
	}
}

// start starts a server and waits until it is ready.
func start(t *testing.T, dir, address string, env ...string) *process {
	t.Helper()
	p := launch(t, dir, address, env...)
	p.await(http.DefaultClient, "http://")
	return p
}

func launch(t *testing.T, dir, address string, env ...string) *process {
	t.Helper()
	path, err := binary()
	must(t, err)
	return launchProgram(t, path, dir, address, env...)
}

// startProgram is start for a program that may be another version's.
func startProgram(t *testing.T, path, dir, address string, env ...string) *process {
	t.Helper()
	p := launchProgram(t, path, dir, address, env...)
	p.await(http.DefaultClient, "http://")
	return p
}

func launchProgram(t *testing.T, path, dir, address string, env ...string) *process {
	t.Helper()
	p := &process{t: t, address: address, exited: make(chan error, 1)}
	p.Cmd = exec.Command(path, "serve", "--listen="+address, "--state-dir="+dir)
	// All servers on this machine share the default admin address.
	p.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "GIFTCARDS_ADMIN_LISTEN=" + adminOff}, env...)
	p.launch()
	return p
}

// launch starts the command, whose end and output are the process's.
func (p *process) launch() {
	p.t.Helper()
	file, err := os.CreateTemp(p.t.TempDir(), "output-")
	must(p.t, err)
	defer file.Close()
	p.output = output{file.Name()}
	p.Stdout, p.Stderr = file, file
	must(p.t, p.Start())
	go func() { p.exited <- p.Wait() }()
	p.t.Cleanup(func() { _ = p.Process.Kill() })
}

func (p *process) await(client *http.Client, scheme string) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		response, err := client.Get(scheme + p.address + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-p.exited:
			p.t.Fatalf("serve ended: %v\n%s", err, p.output.String())
		default:
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("serve is not ready: %s", p.output.String())
		}
	}
}

func (p *process) stop(signal syscall.Signal) error {
	p.t.Helper()
	must(p.t, p.Process.Signal(signal))
	select {
	case err := <-p.exited:
		return err
	case <-time.After(20 * time.Second):
		p.t.Fatalf("serve did not end after %s", signal)
		return nil
	}
}
