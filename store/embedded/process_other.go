//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"syscall"
)

// signalOnParentDeath reports whether the kernel sends s to the child when this process ends:
// here it cannot.
func signalOnParentDeath(*syscall.SysProcAttr, syscall.Signal) bool { return false }

// commandLine returns the program and arguments of a process, separated by
// blanks.
func commandLine(pid int) (string, error) {
	ps := &exec.Cmd{Path: "/bin/ps", Args: []string{"ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)}}
	line, err := ps.Output()
	return string(line), err
}
