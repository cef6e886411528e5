package main

import (
	"fmt"
	"strconv"

	"github.com/alecthomas/kong"

	"giftcards/jobs"
	"giftcards/server"
	"giftcards/store"
)

// concurrency is the settings that bound how much the server does at a time.
type concurrency struct {
	SmallTasks      int `env:"GIFTCARDS_SMALL_TASKS" default:"${small_tasks}" help:"Tasks of up to ${small_task} cards that run at a time (${default})."`
	LargeTasks      int `env:"GIFTCARDS_LARGE_TASKS" default:"${large_tasks}" help:"Larger tasks that run at a time (${default})."`
	MerchantTasks   int `env:"GIFTCARDS_MERCHANT_TASKS" default:"${merchant_tasks}" help:"Larger tasks of one merchant that run at a time, over all instances (${default})."`
	MerchantBacklog int `env:"GIFTCARDS_MERCHANT_BACKLOG" default:"1000000" help:"Cards that the unfinished tasks of one merchant may have together (${default}); a bulk request for more is answered 429. Not less than --bulk-maximum."`
	BodyBudget      int `env:"GIFTCARDS_BODY_BUDGET" placeholder:"MIB" help:"Memory for request bodies, in MiB; a request waits if it is used up, and is then refused. Default, and minimum: --bulk-body-limit plus ${body_rest}."`
	// LargeBodies was removed. It is still read, so that the error names its successor.
	LargeBodies string `hidden:"" env:"GIFTCARDS_LARGE_BODIES"`
}

// concurrencyVars are values that the help texts above and that of memory print.
var concurrencyVars = kong.Vars{
	"small_task":     strconv.Itoa(store.SmallTask),
	"small_tasks":    strconv.Itoa(jobs.DefaultSmallWorkers),
	"large_tasks":    strconv.Itoa(jobs.DefaultLargeWorkers),
	"merchant_tasks": strconv.Itoa(jobs.DefaultMerchantTasks),
	"body_rest":      strconv.Itoa(leastBodyBudget(0)),
	"least_memory":   strconv.Itoa(leastMemory >> 20),
	"most_memory":    strconv.Itoa(mostMemory >> 20),
}

// Upper bounds of settings, above what any machine can use.
const (
	maxAtOnce    = 1_000
	maxBudgetMiB = 1 << 20
)

func (c *concurrency) check(f faults) {
	for flag, value := range map[string]int{
		"small-tasks": c.SmallTasks, "large-tasks": c.LargeTasks, "merchant-tasks": c.MerchantTasks,
	} {
		f.note(flag, value >= 1 && value <= maxAtOnce, fmt.Sprintf("want 1 to %d, not %d", maxAtOnce, value))
	}
	f.note("large-bodies", c.LargeBodies == "", "was removed: set --body-budget (GIFTCARDS_BODY_BUDGET), the memory for request bodies in MiB")
}

// checkBodies notes a budget that is too small for the largest body.
func (c *concurrency) checkBodies(f faults, bulkBodyLimit int) {
	least := leastBodyBudget(bulkBodyLimit)
	if c.BodyBudget == 0 {
		c.BodyBudget = least
	}
	f.note("body-budget", c.BodyBudget >= least && c.BodyBudget <= maxBudgetMiB, fmt.Sprintf("want %d to %d, not %d", least, maxBudgetMiB, c.BodyBudget))
}

// leastBodyBudget returns the smallest budget, in MiB, for bulk bodies of up to
// bulkBodyLimit MiB.
func leastBodyBudget(bulkBodyLimit int) int {
	return int(server.LeastBodyBudget(int64(bulkBodyLimit)<<20) >> 20)
}
