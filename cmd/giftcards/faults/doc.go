// Package faults breaks the things that a giftcards server depends on while merchants issue
// cards. Then it checks that every answered card exists once, and that nothing else exists.
// It uses the real program over HTTP, and its database over SQL. It contains only tests:
// `make faults` runs all of them, and `make test` runs a slice of a few seconds.
package faults
