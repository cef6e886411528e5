//go:build unix

package embedded

import (
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
)

// process is a child that does not outlive this process.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has exited
	err  error         // result of the child; valid after done is closed
}

// launch starts cmd. When this process ends, the kernel sends onOurDeath to the child. On
// systems whose kernel cannot, a shell does.
func launch(cmd *exec.Cmd, onOurDeath syscall.Signal) (*process, error) {
	byKernel := signalOnParentDeath(cmd.SysProcAttr, onOurDeath)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// For the kernel, the parent is the thread that forked. The goroutine keeps this
		// thread until the child has ended, because a locked thread ends with its goroutine.
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
	// Between the start and the shell the child is unprotected, which is only a moment.
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

// signal does nothing if the process has exited.
func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// watchUs starts a shell that signals p when this process ends. The shell waits for the end
// of a pipe that only this process holds open.
func watchUs(p *process, s syscall.Signal) error {
	// It has a process group of its own. If Ctrl-C ended the shell, nothing would end p with us.
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

// endWith ends the shell after p has ended. It kills the shell before it closes the pipe,
// because the shell would otherwise signal a process id that may be another process's.
func endWith(p *process, shell *exec.Cmd, pipe io.Closer) {
	<-p.done
	_ = shell.Process.Kill()
	_ = shell.Wait()
	_ = pipe.Close()
}
