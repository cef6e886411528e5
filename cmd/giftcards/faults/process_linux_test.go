package faults_test

import "syscall"

// dieWithUs has the kernel end a child when the thread that started it ends.
func dieWithUs(a *syscall.SysProcAttr, s syscall.Signal) { a.Pdeathsig = s }
