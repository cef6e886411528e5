package main

import (
	"fmt"

	"giftcards/server"
)

// concurrency is the settings that bound how much the server does at a time. The numbers in
// the tags are those of the packages that apply them (TestTheHelpHasTheNumbersOfThePackages).
type concurrency struct {
	SmallTasks      int `env:"GIFTCARDS_SMALL_TASKS" default:"2" help:"Tasks of up to 2000 cards that run at a time (${default})."`
	LargeTasks      int `env:"GIFTCARDS_LARGE_TASKS" default:"2" help:"Larger tasks that run at a time (${default})."`
	MerchantTasks   int `env:"GIFTCARDS_MERCHANT_TASKS" default:"1" help:"Larger tasks of one merchant that run at a time, over all instances (${default})."`
	MerchantBacklog int `env:"GIFTCARDS_MERCHANT_BACKLOG" default:"1000000" help:"Cards that the unfinished tasks of one merchant may have together (${default}); a bulk request for more is answered 429. Not less than --bulk-maximum."`
	BodyBudget      int `env:"GIFTCARDS_BODY_BUDGET" placeholder:"MIB" help:"Memory for request bodies, in MiB; a request waits if it is used up, and is then refused. Default, and minimum: --bulk-body-limit plus 48."`
	// LargeBodies was removed. It is still read, so that the error names its successor.
	LargeBodies string `hidden:"" env:"GIFTCARDS_LARGE_BODIES"`
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
