// Package check has the checks that the tests of several packages share. It knows no other
// package, so that each can use it.
package check

import (
	"testing"
	"time"
)

// Must ends the test if err is not nil.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Until polls until done returns true. After a minute it ends the test, and names what did
// not come, such as "a ready server".
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("a minute has passed without %s", what)
		}
	}
}

// Luhn reports whether a number passes the check of ISO/IEC 7812-1, annex B, on all digits.
func Luhn(number string) bool {
	sum := 0
	for i := range number {
		digit := int(number[len(number)-1-i] - '0')
		if i%2 == 1 {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
	}
	return sum%10 == 0
}
