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

// Phone returns a telephone number in the form that the API stores: E.164 with the extension.
// ok is false for a number that the API refuses.
func Phone(number string) (normalized string, ok bool) { return normalizePhone(number) }

// normalizePhone returns a valid international number in E.164 with its extension.
func normalizePhone(text string) (string, bool) {
	if national, ok := northAmerican(text); ok {
		number := &phonenumbers.PhoneNumber{CountryCode: new(int32(1)), NationalNumber: &national}
		// Try the United States first: IsValidNumber does so too, but then judges twice.
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

// portable prepares a text so that the Go port of libphonenumber reads it like the original.
// The port differs in three things. It knows the digits of three scripts only. It counts bytes
// against the limit of 250 characters. Its pattern leaves some characters at the end that it
// should drop.
func portable(text string) string {
	ascii := strings.Map(asciiDigit, text)
	if ascii != text && phonenumbers.IsAlphaNumber(ascii) {
		ascii = text // libphonenumber does not read such digits in a number with letters
	}
	var last rune
	short := strings.Map(func(r rune) rune {
		if r == last && r >= utf8.RuneSelf && unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf) {
			return -1 // a run of wide spaces or dashes means as much as one
		}
		last = r
		return r
	}, ascii)
	if strings.Contains(short, phonenumbers.RFC3966_PHONE_CONTEXT) {
		return short // the end belongs to the context
	}
	return strings.TrimRightFunc(short, func(r rune) bool {
		return r != '#' && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
}

// northAmerican returns the national number of a text of +1 and ten digits. Such a text needs
// no parsing, because it has no prefix and no extension. Parsing would cost more than the
// rest of a request.
func northAmerican(text string) (national uint64, ok bool) {
	if len(text) != len("+14155552671") || text[:2] != "+1" || text[2] < '2' {
		return 0, false
	}
	national, err := strconv.ParseUint(text[2:], 10, 64)
	return national, err == nil
}
