package main

import (
	"fmt"
	"strconv"

	"github.com/alecthomas/kong"

	"giftcards/jobs"
	"giftcards/server"
)

// concurrency is the settings of how much is done at a time.
type concurrency struct {
	SmallTasks      int `env:"GIFTCARDS_SMALL_TASKS" default:"${small_tasks}" help:"Tasks of up to ${small_task} cards that run at a time (${default})."`
	LargeTasks      int `env:"GIFTCARDS_LARGE_TASKS" default:"${large_tasks}" help:"Larger tasks that run at a time (${default})."`
	MerchantTasks   int `env:"GIFTCARDS_MERCHANT_TASKS" default:"${merchant_tasks}" help:"Larger tasks of one merchant that run at a time, over all instances (${default})."`
	MerchantBacklog int `env:"GIFTCARDS_MERCHANT_BACKLOG" default:"1000000" help:"Cards that the unfinished tasks of one merchant may have together (${default}); a bulk request for more is answered 429. Not less than --bulk-maximum."`
	LargeBodies     int `env:"GIFTCARDS_LARGE_BODIES" default:"${large_bodies}" help:"Requests with a body of a MiB or more that are served at a time (${default}); each takes up to four times its size in memory."`
}

// concurrencyVars are the rules of other packages that these settings tell.
var concurrencyVars = kong.Vars{
	"small_task":     strconv.Itoa(jobs.SmallTask),
	"small_tasks":    strconv.Itoa(jobs.DefaultSmallWorkers),
	"large_tasks":    strconv.Itoa(jobs.DefaultLargeWorkers),
	"merchant_tasks": strconv.Itoa(jobs.DefaultMerchantTasks),
	"large_bodies":   strconv.Itoa(server.DefaultLargeBodies),
}

// maxAtOnce is more than one machine can do at a time.
const maxAtOnce = 1_000

func (c *concurrency) check(f faults) {
	for flag, value := range map[string]int{
		"small-tasks": c.SmallTasks, "large-tasks": c.LargeTasks, "merchant-tasks": c.MerchantTasks, "large-bodies": c.LargeBodies,
	} {
		f.note(flag, value >= 1 && value <= maxAtOnce, fmt.Sprintf("want 1 to %d, not %d", maxAtOnce, value))
	}
}
