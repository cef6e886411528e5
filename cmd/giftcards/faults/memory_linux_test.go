package faults_test

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

var residentPattern = regexp.MustCompile(`Vm(HWM|RSS):\s+(\d+) kB`)

// residentMemory returns the resident memory of a process and its peak, in bytes.
func residentMemory(tr *trial, pid int) (now, peak int64) {
	tr.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	tr.must(err)
	found := residentPattern.FindAllSubmatch(status, -1) // VmHWM, the peak, comes first
	if len(found) != 2 {
		tr.Fatalf("the kernel does not say what process %d has resident: %s", pid, status)
	}
	peak, err = strconv.ParseInt(string(found[0][2]), 10, 64)
	tr.must(err)
	now, err = strconv.ParseInt(string(found[1][2]), 10, 64)
	tr.must(err)
	return now << 10, peak << 10
}
