// Package full declares the flag -full for test packages with slow tests. Without the flag,
// such a test shows its guarantee once. With the flag, it tries everything:
// `make test-full` and `make faults` give it.
package full

import "flag"

var asked = flag.Bool("full", false, "all cases of slow tests, which takes minutes, instead of a slice of seconds")

// Asked reports whether the flag -full is given.
func Asked() bool { return *asked }

// Size returns all with the flag -full, and slice without it.
func Size(all, slice int) int {
	if *asked {
		return all
	}
	return slice
}
