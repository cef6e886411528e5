package embedded

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
)

// signalOnParentDeath reports whether the kernel will send s to the child when
// the thread that starts it ends.
func signalOnParentDeath(a *syscall.SysProcAttr, s syscall.Signal) bool {
	a.Pdeathsig = s
	return true
}

// commandLine returns the program and arguments of a process, separated by
// blanks; "" for a process that waits to be reaped. Unlike the links in /proc, it can be read
// for a process of another user.
func commandLine(pid int) (string, error) {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})), err
}
