package main

import (
	"math"
	"os"
	"runtime/debug"
)

// The collector's settings, unless the operator chose some: seldom while little
// is in use, which it mostly is, and before the server outgrows 128 MB otherwise.
// The limit is soft: what is really needed, is taken.
const (
	gcPercent   = 400
	memoryLimit = 76 << 20
)

// boundMemory sets what GOGC and GOMEMLIMIT leave open.
func boundMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" && debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memoryLimit)
	}
}
