package validate

import (
	"unicode"
	"unicode/utf8"
)

// asciiDigit returns the ASCII digit of the same value as a decimal digit of any script.
// Any other character comes back unchanged.
func asciiDigit(r rune) rune {
	if r < utf8.RuneSelf || !unicode.IsDigit(r) {
		return r
	}
	// Unicode keeps the ten digits of a script in a row, so the place in the row gives the
	// value. A longer row holds several scripts or styles, each with ten digits.
	for _, row := range unicode.Nd.R16 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return '0' + (r-rune(row.Lo))%10
		}
	}
	for _, row := range unicode.Nd.R32 {
		if rune(row.Lo) <= r && r <= rune(row.Hi) {
			return '0' + (r-rune(row.Lo))%10
		}
	}
	return r
}
