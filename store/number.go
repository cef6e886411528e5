package store

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
)

// cardNumberDigits is the length of a card number (document: "a unique 16-digit
// card number").
const cardNumberDigits = 16

// numberSpace draws card numbers: a prefix, random digits, and the Luhn check digit.
type numberSpace struct {
	prefix uint64 // the prefix followed by zeros, without the check digit
	size   uint64 // how many numbers have the prefix
}

// ValidCardPrefix reports whether card numbers can begin with prefix: 1 to 8 digits.
func ValidCardPrefix(prefix string) bool {
	_, err := newNumberSpace(prefix)
	return err == nil
}

func newNumberSpace(prefix string) (numberSpace, error) {
	value, err := strconv.ParseUint(prefix, 10, 64)
	if err != nil || len(prefix) > 8 {
		return numberSpace{}, fmt.Errorf("card prefix %q: want 1 to 8 digits", prefix)
	}
	size := uint64(1)
	for range cardNumberDigits - 1 - len(prefix) {
		size *= 10
	}
	return numberSpace{prefix: value * size, size: size}, nil
}

// random returns a card number; a card may have it already.
func (n numberSpace) random() int64 {
	payload := n.prefix + uniform(n.size)
	return int64(payload*10 + luhn(payload))
}

// luhn returns the check digit that makes payload followed by it pass the Luhn
// test (ISO/IEC 7812-1, annex B).
func luhn(payload uint64) uint64 {
	var sum uint64
	for double := true; payload > 0; payload /= 10 {
		digit := payload % 10
		if double {
			if digit *= 2; digit > 9 {
				digit -= 9
			}
		}
		sum += digit
		double = !double
	}
	return (10 - sum%10) % 10
}

// uniform returns an unpredictable number below n; all are equally likely.
func uniform(n uint64) uint64 {
	limit := -n % n // 2^64 mod n; without the numbers below it, every remainder is equally frequent
	for {
		var b [8]byte
		_, _ = rand.Read(b[:]) // never fails: it ends the program instead
		if v := binary.NativeEndian.Uint64(b[:]); v >= limit {
			return v % n
		}
	}
}

// securityCode returns 6 random digits (document: "a 6-digit security code").
func securityCode() string { return fmt.Sprintf("%06d", uniform(1_000_000)) }

// ParseNumber reads a card number as people type it: ASCII spaces and hyphens are left out,
// and 16 ASCII digits remain. ok is false for every other text, which is the number of no
// card.
func ParseNumber(typed string) (number int64, ok bool) {
	digits := 0
	for i := range len(typed) {
		switch c := typed[i]; {
		case c == ' ' || c == '-':
		case c < '0' || c > '9' || digits == cardNumberDigits:
			return 0, false
		default:
			number, digits = number*10+int64(c-'0'), digits+1
		}
	}
	return number, digits == cardNumberDigits
}

// FormatNumber returns the 16 digits of a card number.
func FormatNumber(number int64) string { return string(AppendNumber(nil, number)) }

// AppendNumber appends the 16 digits of a card number to b.
func AppendNumber(b []byte, number int64) []byte {
	var digits [cardNumberDigits]byte
	rest := uint64(number) // a division without a sign is faster
	for i := range digits {
		digits[len(digits)-1-i] = byte('0' + rest%10)
		rest /= 10
	}
	return append(b, digits[:]...)
}
