package main

import "fmt"

// concurrency is the settings of how much is done at a time.
type concurrency struct {
	SmallTasks    int `env:"GIFTCARDS_SMALL_TASKS" default:"2" help:"Tasks of up to 2,000 cards that run at a time (${default})."`
	LargeTasks    int `env:"GIFTCARDS_LARGE_TASKS" default:"2" help:"Larger tasks that run at a time (${default})."`
	MerchantTasks int `env:"GIFTCARDS_MERCHANT_TASKS" default:"1" help:"Larger tasks of one merchant that run at a time, over all instances (${default})."`
	LargeBodies   int `env:"GIFTCARDS_LARGE_BODIES" default:"1" help:"Requests with a body of a MiB or more that are served at a time (${default}); each takes up to four times its size in memory."`
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
