package embedded

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// signalOnParentDeath lets the kernel send s to the child when the thread that starts it
// ends, and reports that it can.
func signalOnParentDeath(a *syscall.SysProcAttr, s syscall.Signal) bool {
	a.Pdeathsig = s
	return true
}

// commandLine returns the program and arguments of a process, separated by blanks, and ""
// for a zombie. Unlike the links in /proc, it is readable for a process of another user.
func commandLine(pid int) (string, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})), err
}
