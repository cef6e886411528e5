// Package faults breaks what a giftcards server depends on while merchants are
// at it, and then counts: every card that was answered is there, once, and
// nothing else is. It drives the real program over HTTP and its database behind
// it over SQL, and holds only tests: `make faults` runs all of them, `make test`
// a slice of seconds.
package faults
