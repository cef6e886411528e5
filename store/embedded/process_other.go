//go:build unix && !linux

package embedded

import (
	"os/exec"
	"strconv"
	"syscall"
)

// signalOnParentDeath reports whether the kernel will send s to the child when
// we are gone: here it cannot.
func signalOnParentDeath(*syscall.SysProcAttr, syscall.Signal) bool { return false }

// commandLine returns the program and arguments of a process, separated by
// blanks.
func commandLine(pid int) (string, error) {
	line, err := exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return string(line), err
}
