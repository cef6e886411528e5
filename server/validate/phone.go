package validate

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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

// Phone returns a telephone number as the API stores it: in E.164, with its extension.
// ok is false for what the API refuses.
func Phone(number string) (normalized string, ok bool) { return normalizePhone(number) }

// normalizePhone is an international number that is valid, in E.164 with its
// extension.
func normalizePhone(text string) (string, bool) {
	if national, ok := northAmerican(text); ok {
		number := &phonenumbers.PhoneNumber{CountryCode: new(int32(1)), NationalNumber: &national}
		// IsValidNumber tries the United States first, but judges twice.
		return text, phonenumbers.IsValidNumberForRegion(number, "US") || phonenumbers.IsValidNumber(number)
	}
	if utf8.RuneCountInString(text) > phonenumbers.MAX_INPUT_STRING_LENGTH {
		return "", false
	}
	number, err := phonenumbers.Parse(portable(text), "")
	if err != nil || !phonenumbers.IsValidNumber(number) {
		return "", false
	}
	normalized := phonenumbers.Format(number, phonenumbers.E164)
	if extension := number.GetExtension(); extension != "" {
		normalized += ";ext=" + extension
	}
	return normalized, true
}

// portable is a text as libphonenumber reads it, where its Go port does not: the
// port knows the digits of three scripts, counts bytes where 250 characters are
// allowed, and means to drop an end, but its pattern does not match what it should.
func portable(text string) string {
	ascii := strings.Map(asciiDigit, text)
	if ascii != text && phonenumbers.IsAlphaNumber(ascii) {
		ascii = text // among letters such digits do not count
	}
	var last rune
	short := strings.Map(func(r rune) rune {
		if r == last && r >= utf8.RuneSelf && unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf) {
			return -1 // wide spaces and dashes count as one
		}
		last = r
		return r
	}, ascii)
	if strings.Contains(short, phonenumbers.RFC3966_PHONE_CONTEXT) {
		return short // its end is part of the context
	}
	return strings.TrimRightFunc(short, func(r rune) bool {
		return r != '#' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
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
