package processtest

import "syscall"

// dieWithUs lets the kernel end a child when the thread that started it ends.
func dieWithUs(a *syscall.SysProcAttr, s syscall.Signal) { a.Pdeathsig = s }
