// Package full declares the flag -full for test packages with slow tests. Without the flag,
// such a test shows its guarantee once. With the flag, it tries everything:
// `make test-full` and `make faults` give it. A test that has no smaller part is Only in them.
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

// Only marks a test that `make test` leaves out, because it takes long and cannot be cut into a
// part: the Makefile looks for the call. `make test-full` and a plain `go test` run it.
func Only() {}
