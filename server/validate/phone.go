package validate

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

func (s *schema) checkPhone(t *tape, i uint32) *ErrorDetail {
	text, err := anyText(t, i)
	if err != nil && err.Type != typeNotUnicode {
		return err
	}
	if err == nil {
		if normalized, ok := normalizePhone(text); ok {
			if normalized != text {
				t.setText(i, normalized)
			}
			return nil
		}
	}
	return fault("value_error", "value is not a valid phone number")
}

// normalizePhone is an international number that is valid, in E.164 with its
// extension.
func normalizePhone(text string) (string, bool) {
	if national, ok := northAmerican(text); ok {
		number := &phonenumbers.PhoneNumber{CountryCode: new(int32(1)), NationalNumber: &national}
		// IsValidNumber tries the United States first, but judges twice.
		return text, phonenumbers.IsValidNumberForRegion(number, "US") || phonenumbers.IsValidNumber(number)
	}
	// libphonenumber drops such an end; its Go port means to, but its pattern does
	// not match what it should.
	trimmed := strings.TrimRightFunc(text, func(r rune) bool {
		return r != '#' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
	number, err := phonenumbers.Parse(trimmed, "")
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return "", false
	}
	normalized := phonenumbers.Format(number, phonenumbers.E164)
	if extension := number.GetExtension(); extension != "" {
		normalized += ";ext=" + extension
	}
	return normalized, true
}

// northAmerican is the national number of a text that is +1 and ten digits. There
// is nothing in it to parse (no prefix to strip, no extension), which costs more
// than the rest of a request.
func northAmerican(text string) (national uint64, ok bool) {
	if len(text) != len("+14155552671") || text[:2] != "+1" || text[2] < '2' {
		return 0, false
	}
	national, err := strconv.ParseUint(text[2:], 10, 64)
	return national, err == nil
}
