//go:build !linux

package processtest

import "syscall"

// dieWithUs does nothing, because only Linux can. Only an interrupted test leaves a
// process.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}
