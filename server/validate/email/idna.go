package email

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/bidi"
	"golang.org/x/text/unicode/norm"
)

// The sentences here are those of Python's idna, which email-validator quotes.

const errLabelTooLong = fault("Label too long")

// mapping is UTS 46's mapping of single characters, without checks of labels.
var mapping = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false),
	idna.ValidateLabels(false), idna.CheckHyphens(false), idna.CheckJoiners(false), idna.VerifyDNSLength(false),
)

// remap maps a domain as UTS 46 does: lower case, compatible forms, form C.
func remap(domain string) (string, error) {
	if len(domain) > 1024 && utf8.RuneCountInString(domain) > 1024 {
		return "", fault("Domain too long")
	}
	var b strings.Builder
	position := 0
	for _, c := range domain {
		position++
		mapped, ok := mapCharacter(c)
		if !ok {
			return "", faultf("Codepoint U+%04X not allowed at position %d in %s", c, position, repr(domain))
		}
		b.WriteString(mapped)
	}
	return nfc(b.String()), nil
}

// mapCharacter maps one character. x/net/idna has UTS 46 of Unicode 15. Later versions map a
// few characters that it refuses, and map the capital sharp S to the small one.
func mapCharacter(c rune) (string, bool) {
	switch {
	case c < utf8.RuneSelf:
		return string(unicode.ToLower(c)), true
	case c == 0x1E9E:
		return "ß", true
	case c == 0x115F, c == 0x1160, c == 0x17B4, c == 0x17B5, c == 0x3164, c == 0xFFA0:
		return "", true // fillers and inherent vowels, which are invisible
	case c == 0x1806: // a soft hyphen of Mongolian, which checkLabel judges
		return string(c), true
	case c == 0xFE19, c == 0xFE30: // vertical forms of periods
		return "", false
	}
	mapped, err := mapping.ToUnicode(string(c))
	if err == nil {
		return mapped, true
	}
	if lower := unicode.ToLower(c); lower != c {
		return string(lower), true
	}
	mapped = norm.NFC.String(string(c))
	return mapped, mapped != string(c)
}

// encodeLabel returns a label in ASCII.
func encodeLabel(label string) (string, error) {
	if isASCII(label) {
		// Python judges the content of an ASCII label before its length.
		if _, err := decodeLabel(label); err != nil {
			return "", err
		}
		if len(label) > maxLabel {
			return "", errLabelTooLong
		}
		return label, nil
	}
	if err := checkLabel(label); err != nil {
		return "", err
	}
	ascii, err := idna.Punycode.ToASCII(label)
	if err != nil || len(ascii) > maxLabel {
		return "", errLabelTooLong
	}
	return ascii, nil
}

// decodeLabel returns an ASCII label in Unicode.
func decodeLabel(label string) (string, error) {
	label = strings.ToLower(label)
	encoded, isEncoded := strings.CutPrefix(label, "xn--")
	switch {
	case !isEncoded:
		return label, checkLabel(label)
	case encoded == "":
		return "", fault("Malformed A-label, no Punycode eligible content found")
	case strings.HasSuffix(encoded, "-"):
		return "", fault("A-label must not end with a hyphen")
	}
	// Python also decodes a label with no plain characters before the last hyphen.
	if strings.LastIndexByte(encoded, '-') == 0 {
		encoded = encoded[1:]
	}
	decoded, err := idna.Punycode.ToUnicode("xn--" + encoded)
	if err != nil {
		return "", fault("Invalid A-label")
	}
	if again, err := idna.Punycode.ToASCII(decoded); err != nil || again != label {
		return "", fault("A-label is not the canonical Punycode encoding of its U-label")
	}
	return decoded, checkLabel(decoded)
}

// toUnicode decodes a domain in ASCII and checks that it encodes again.
func toUnicode(domain string) (string, error) {
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		decoded, err := decodeLabel(label)
		if err != nil {
			return "", err
		}
		labels[i] = decoded
	}
	return strings.Join(labels, "."), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkLabel judges a label in Unicode by IDNA 2008.
func checkLabel(label string) error {
	runes := []rune(label)
	switch {
	case len(runes) == 0:
		return fault("Empty Label")
	case len(runes) > maxDomain+1:
		return errLabelTooLong
	case nfc(label) != label:
		return fault("Label must be in Normalization Form C")
	case hyphens34(label):
		return fault("Label has disallowed hyphens in 3rd and 4th position")
	case runes[0] == '-' || runes[len(runes)-1] == '-':
		return fault("Label must not start or end with a hyphen")
	case unicode.In(runes[0], unicode.M):
		return fault("Label begins with an illegal combining character")
	}
	// The position in a sentence counts from 1, as in Python's idna.
	for i, c := range runes {
		switch property(c) {
		case valid:
		case joiner:
			if !joinerAllowed(runes, i) {
				return faultf("Joiner U+%04X not allowed at position %d in %s", c, i+1, repr(label))
			}
		case contextual:
			if !contextAllowed(runes, i) {
				return faultf("Codepoint U+%04X not allowed at position %d in %s", c, i+1, repr(label))
			}
		default:
			return faultf("Codepoint U+%04X at position %d of %s not allowed", c, i+1, repr(label))
		}
	}
	return checkBidi(label, runes)
}

// checkBidi judges a label with characters written from right to left by RFC 5893.
func checkBidi(label string, runes []rune) error {
	// The rules apply only to a label with at least one right-to-left character. Python's tables
	// do not know the direction of a character that is newer than the tables.
	isBidi := false
	for i, c := range runes {
		if unicode.Is(unicode15, c) {
			return faultf("Unknown directionality in label %s at position %d", repr(label), i+1)
		}
		switch direction(c) {
		case bidi.R, bidi.AL, bidi.AN:
			isBidi = true
		}
	}
	if !isBidi {
		return nil
	}
	// Rule 1: the first character gives the label's direction.
	rightToLeft := false
	switch direction(runes[0]) {
	case bidi.R, bidi.AL:
		rightToLeft = true
	case bidi.L:
	default:
		return faultf("First codepoint in label %s must be directionality L, R or AL", repr(label))
	}
	// Rules 3 and 6: marks (NSM) at the end do not count, so they leave mayEnd as it is.
	mayEnd := false    // the label may end after the last character
	numbers := bidi.ON // the kind of digits seen; ON for none
	for i, c := range runes {
		class := direction(c)
		switch class {
		case bidi.EN:
			mayEnd = true
		case bidi.R, bidi.AL, bidi.AN:
			mayEnd = rightToLeft
		case bidi.L:
			mayEnd = !rightToLeft
		case bidi.ES, bidi.CS, bidi.ET, bidi.ON, bidi.BN:
			mayEnd = false
		}
		// Rules 2 and 5: each direction has its own classes.
		switch {
		case rightToLeft && !slices.Contains([]bidi.Class{bidi.R, bidi.AL, bidi.AN, bidi.EN, bidi.ES, bidi.CS, bidi.ET, bidi.ON, bidi.BN, bidi.NSM}, class):
			return faultf("Invalid direction for codepoint at position %d in a right-to-left label", i+1)
		case !rightToLeft && !slices.Contains([]bidi.Class{bidi.L, bidi.EN, bidi.ES, bidi.CS, bidi.ET, bidi.ON, bidi.BN, bidi.NSM}, class):
			return faultf("Invalid direction for codepoint at position %d in a left-to-right label", i+1)
		}
		// Rule 4: a label has European or Arabic digits, not both.
		if rightToLeft && (class == bidi.AN || class == bidi.EN) {
			if numbers != bidi.ON && numbers != class {
				return fault("Can not mix numeral types in a right-to-left label")
			}
			numbers = class
		}
	}
	if !mayEnd {
		return fault("Label ends with illegal codepoint directionality")
	}
	return nil
}

func direction(c rune) bidi.Class {
	properties, _ := bidi.LookupRune(c)
	return properties.Class()
}
