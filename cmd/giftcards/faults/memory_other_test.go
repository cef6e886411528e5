//go:build !linux

package faults_test

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// residentMemory returns the resident memory of a process in bytes. peak is 0, because only Linux
// tells it.
func residentMemory(tr *trial, pid int) (now, peak int64) {
	tr.Helper()
	out, err := exec.Command("ps", "-o", "rss=", "-p", fmt.Sprint(pid)).Output()
	tr.must(err)
	now, err = strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
	tr.must(err)
	return now << 10, now << 10
}
