//go:build !linux

package faults_test

import "syscall"

// dieWithUs: only Linux can. Tests that end in good order leave nothing behind.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}
