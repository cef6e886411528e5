package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that listens on an address.
type process struct {
	cmd     *exec.Cmd
	address string
	log     string // file with its output
	ended   chan struct{}
}

// start starts a program and waits until it listens. The program ends with ctx or by stop.
func start(ctx context.Context, dir, address, program string, env []string, args ...string) (*process, error) {
	p, err := launch(ctx, dir, address, program, env, args...)
	if err != nil {
		return nil, err
	}
	return p, p.listening(ctx)
}

// launch is start without the wait.
func launch(ctx context.Context, dir, address, program string, env []string, args ...string) (*process, error) {
	p := &process{address: address, log: filepath.Join(dir, filepath.Base(program)+"-"+address+".log"), ended: make(chan struct{})}
	if listens(ctx, address) {
		return nil, fmt.Errorf("another process listens on %s: choose another -port", address)
	}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, program, args...)
	// At the end of ctx the program gets SIGTERM and a minute, so that it can stop in
	// order.
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = time.Minute
	p.cmd.Env = env
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // listening reports an early end together with the log
		close(p.ended)
	}()
	return p, nil
}

func listens(ctx context.Context, address string) bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	return err == nil && conn.Close() == nil
}

// listening returns when the process accepts connections.
func (p *process) listening(ctx context.Context) error {
	// The wait is long, 30 seconds, because a first start makes the schema.
	for range 600 {
		if listens(ctx, p.address) {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return p.endError()
		case <-time.After(50 * time.Millisecond):
		}
	}
	p.stop()
	return fmt.Errorf("%s does not listen on %s: see %s", p.cmd.Path, p.address, p.log)
}

// endError returns the error of a process that has ended too early.
func (p *process) endError() error {
	text, _ := os.ReadFile(p.log)
	return fmt.Errorf("%s ended: %s", p.cmd.Path, strings.TrimSpace(string(text)))
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-p.ended
}

// clockTick is the unit of times in /proc: 100 per second on every Linux.
const clockTick = 10 * time.Millisecond

// stat returns the fields of /proc/PID/stat after the program's name, which may contain
// blanks and parentheses. The first one is the state.
func stat(pid int) ([]string, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 15 {
		return nil, fmt.Errorf("/proc/%d/stat has too few fields: %s", pid, text)
	}
	return fields, nil
}

// cpuTime returns the processor time of a process and of its children that have ended.
func cpuTime(pid int) (time.Duration, error) {
	fields, err := stat(pid)
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, field := range fields[11:15] { // utime, stime, cutime, cstime
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// familyTime returns the processor time of a process and its running children.
func familyTime(parent int) (time.Duration, error) {
	total, err := cpuTime(parent)
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fields, err := stat(pid)
		// Each session of PostgreSQL is a child of the postmaster.
		if err != nil || fields[1] != strconv.Itoa(parent) {
			continue // ended meanwhile, or not a child
		}
		if spent, err := cpuTime(pid); err == nil {
			total += spent
		}
	}
	return total, nil
}

// peakMemory returns the peak resident memory of a process, in bytes.
func peakMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	_, after, found := strings.Cut(string(text), "VmHWM:")
	if !found {
		return 0, errors.New("no VmHWM in /proc")
	}
	kib, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	return kib << 10, err
}

// cpuModel returns the processor's name.
func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // the report does without the name
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}

// loadAverage returns the load average of the last minute. Other work on the machine
// distorts the ratios, because the scheduler shares the cores by thread and pgbench has
// more threads than the server.
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg") // the report does without the average
	if first, _, found := strings.Cut(string(text), " "); found {
		return first
	}
	return "unknown"
}
