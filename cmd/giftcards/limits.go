package main

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
)

// limits are the settings of how much one instance does at a time.
type limits struct {
	SmallTasks    int `env:"GIFTCARDS_SMALL_TASKS" default:"2" help:"Tasks of up to 2,000 cards that are in work at a time (${default})."`
	LargeTasks    int `env:"GIFTCARDS_LARGE_TASKS" default:"2" help:"Larger tasks that are in work at a time (${default})."`
	MerchantTasks int `env:"GIFTCARDS_MERCHANT_TASKS" default:"1" help:"Larger tasks of one merchant that all instances have in work at a time (${default})."`
	LargeBodies   int `env:"GIFTCARDS_LARGE_BODIES" default:"1" help:"Requests with a body of a MiB or more that are in work at a time (${default}); each takes up to four times its size in memory."`
}

// maxAtOnce is more than one machine can do at a time.
const maxAtOnce = 1_000

func (l *limits) check(f faults) {
	for flag, value := range map[string]int{
		"small-tasks": l.SmallTasks, "large-tasks": l.LargeTasks, "merchant-tasks": l.MerchantTasks, "large-bodies": l.LargeBodies,
	} {
		f.note(flag, value >= 1 && value <= maxAtOnce, fmt.Sprintf("want 1 to %d, not %d", maxAtOnce, value))
	}
}

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
