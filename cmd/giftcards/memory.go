package main

import (
	"math"
	"os"
	"runtime/debug"
)

// The default settings of the garbage collector. It runs seldom while the heap is small,
// which is the usual case, and more often as the server nears 128 MB. The limit is soft:
// the server exceeds it if it needs more.
const (
	gcPercent   = 400
	memoryLimit = 76 << 20
)

// boundMemory applies the defaults unless GOGC or GOMEMLIMIT is set.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}
