package email

import (
	"fmt"
	"unicode/utf8"
)

// The limits in bytes.
const (
	maxAddress = 254
	maxDomain  = 253
	maxLabel   = 63
)

// tooMany returns the words for the number of characters above a limit.
func tooMany(excess int) string {
	return fmt.Sprintf("(%d character%s too many)", excess, plural(excess))
}

func plural(count int) string {
	if count == 1 {
		return ""
	}
	return "s"
}

// checkLength judges the length of three forms of an address: as given, normalised, and with
// its domain in ASCII.
func checkLength(given, normalized, ascii string) error {
	if excess := len(given) - maxAddress; excess > 0 {
		// The limit is in bytes. The sentence is in characters, so it gives a range if they have
		// different widths.
		widest := 1
		for _, c := range given {
			widest = max(widest, utf8.RuneLen(c))
		}
		least := max(1, excess/widest)
		if widest == 1 || least == excess {
			return faultf("The email address is too long %s.", tooMany(excess))
		}
		return faultf("The email address is too long (%d-%d character%s too many).", least, excess, plural(excess))
	}
	if excess := len(normalized) - maxAddress; excess > 0 {
		return faultf("The email address is too long after normalization (%d byte%s too many).", excess, plural(excess))
	}
	if excess := len(ascii) - maxAddress; excess > 0 {
		return faultf("The email address is too long when the part after the @-sign is converted to IDNA ASCII (%d byte%s too many).", excess, plural(excess))
	}
	return nil
}
