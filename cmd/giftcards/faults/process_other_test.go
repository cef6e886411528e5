//go:build !linux

package faults_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// dieWithUs: only Linux can. Tests that end in good order leave nothing behind.
func dieWithUs(*syscall.SysProcAttr, syscall.Signal) {}

// residentMemory is what a process has resident now, in bytes; its peak only Linux
// tells.
func residentMemory(tr *trial, pid int) (now, peak int64) {
	tr.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", fmt.Sprint(pid)).Output()
	tr.must(err)
	now, err = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	tr.must(err)
	return now << 10, now << 10
}
