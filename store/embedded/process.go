//go:build unix

package embedded

import (
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// process is a child that ends when this process ends.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed once the child has exited
	err  error         // how it ended; to be read after done
}

// launch starts cmd. When this process ends, the kernel, or a shell on systems where it
// cannot, sends the child onOurDeath.
func launch(cmd *exec.Cmd, onOurDeath syscall.Signal) (*process, error) {
	byKernel := signalOnParentDeath(cmd.SysProcAttr, onOurDeath)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// For the kernel, the parent is the thread that forked, and a locked thread ends with
		// its goroutine. So this goroutine must outlive the child.
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			p.err = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	if !byKernel {
		if err := watchUs(p, onOurDeath); err != nil {
			p.signal(syscall.SIGKILL)
			<-p.done
			return nil, err
		}
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// signal does nothing when the process has exited.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// watchUs starts a shell that waits for the end of a pipe and then signals p. Only this
// process holds the other end of the pipe.
func watchUs(p *process, s syscall.Signal) error {
	shell := &exec.Cmd{
		Path:        "/bin/sh",
		Args:        []string{"sh", "-c", `read -r _; kill -"$1" "$0"`, strconv.Itoa(p.pid()), strconv.Itoa(int(s))},
		Dir:         "/",
		Env:         environment,
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true},
	}
	pipe, err := shell.StdinPipe()
	if err != nil {
		return err
	}
	if err := shell.Start(); err != nil {
		return err
	}
	go endWith(p, shell, pipe)
	return nil
}

// endWith ends the shell before its pipe, because the shell must not signal a process id that
// another process may have by now.
func endWith(p *process, shell *exec.Cmd, pipe io.Closer) {
	<-p.done
	_ = shell.Process.Kill()
	_ = shell.Wait()
	_ = pipe.Close()
}
