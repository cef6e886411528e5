package email

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizeDomain judges the part after the @-sign and returns it in Unicode and in
// ASCII.
func normalizeDomain(domain string) (international, ascii string, err error) {
	// The order is email-validator's, because the first fault decides the sentence.
	if err := checkDomainCharacters(domain); err != nil {
		return "", "", err
	}
	mapped, err := remap(domain)
	if err != nil {
		return "", "", faultf("The part after the @-sign contains invalid characters (%s).", err)
	}
	if bad := displayed(mapped, isHostCharacter); bad != "" {
		return "", "", fault("The part after the @-sign contains invalid characters after Unicode normalization: " + bad + ".")
	}
	if err := checkHyphens(mapped); err != nil {
		return "", "", err
	}
	if ascii, err = toASCII(mapped); err != nil {
		return "", "", err
	}
	if err := checkDomain(domain, ascii); err != nil {
		return "", "", err
	}
	// The normal form is decoded from the ASCII form. It may differ from the form that was typed.
	if international, err = toUnicode(ascii); err != nil {
		return "", "", faultf("The part after the @-sign is not valid IDNA (%s).", err)
	}
	if bad := displayed(international, isHostCharacter); bad != "" {
		return "", "", fault("The part after the @-sign contains invalid characters: " + bad + ".")
	}
	return international, ascii, checkUnsafe(international, false)
}

// checkDomainCharacters judges the characters of a domain before UTS 46 maps them.
func checkDomainCharacters(domain string) error {
	if bad := displayed(domain, isHostCharacter); bad != "" {
		return fault("The part after the @-sign contains invalid characters: " + bad + ".")
	}
	if err := checkUnsafe(domain, false); err != nil {
		return err
	}
	if bad := displayed(domain, isMappable); bad != "" {
		return fault("The part after the @-sign contains invalid characters: " + bad + ".")
	}
	return nil
}

// isHostCharacter reports whether a character may stand in a domain, Unicode
// included.
func isHostCharacter(c rune) bool {
	return c >= utf8.RuneSelf || c == '.' || isHostByte(byte(c))
}

func isHostByte(c byte) bool { return c == '-' || isAlphanumeric(c) }

func isAlphanumeric(c byte) bool { return '0' <= c && c <= '9' || isLetter(c) }

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// isHostLabel reports whether a label has only ASCII letters, digits and hyphens, and no hyphen
// at either end.
func isHostLabel(label string) bool {
	for i := range len(label) {
		if !isHostByte(label[i]) {
			return false
		}
	}
	return label != "" && label[0] != '-' && label[len(label)-1] != '-'
}

// isMappable reports whether a character may be given to the mapping of UTS 46. Invisible
// characters may not, nor characters that contain a period.
func isMappable(c rune) bool {
	switch {
	case 0x80 <= c && c <= 0x9F:
		return false
	case 0x2010 <= c && c <= 0x2060 && (c < 0x2024 || 0x2026 < c) && (c < 0x2028 || 0x202E < c),
		c == 0xAD, c == 0x2064, c == 0xFE19, c == 0xFE30, c == 0xFF0E, 0x1BCA0 <= c && c <= 0x1BCA3:
		return true
	case !unicode.In(c, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cc):
		return false
	}
	return c < utf8.RuneSelf || !strings.Contains(norm.NFKD.String(string(c)), ".")
}

// checkHyphens judges the places of periods and hyphens, and refuses labels that only look
// like Punycode.
func checkHyphens(domain string) error {
	const start, end = "An email address cannot have a %s immediately after the @-sign.", "An email address cannot end with a %s."
	if err := checkDots(domain, start, end); err != nil {
		return err
	}
	// email-validator judges the end before the start.
	switch {
	case strings.HasSuffix(domain, "-"):
		return faultf(end, "hyphen")
	case strings.HasPrefix(domain, "-"):
		return faultf(start, "hyphen")
	case strings.Contains(domain, ".-") || strings.Contains(domain, "-."):
		return fault("An email address cannot have a period and a hyphen next to each other.")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if hasReservedHyphens(label) {
			return fault("An email address cannot have two letters followed by two dashes immediately after the @-sign or after a period, except Punycode.")
		}
	}
	return nil
}

// hasReservedHyphens reports whether a label has hyphens as its third and fourth characters and
// is not Punycode.
func hasReservedHyphens(label string) bool {
	return hyphens34(label) && !strings.EqualFold(label[:2], "xn")
}

func hyphens34(label string) bool {
	runes := []rune(label)
	return len(runes) > 3 && runes[2] == '-' && runes[3] == '-'
}

func isHostName(domain string) bool {
	for label := range strings.SplitSeq(domain, ".") {
		if !isHostLabel(label) {
			return false
		}
	}
	return true
}

// toASCII encodes a mapped domain.
func toASCII(domain string) (string, error) {
	if isHostName(domain) {
		return domain, nil
	}
	// An ASCII domain has returned above, as in email-validator: IDNA's rules do not apply to it.
	labels := strings.Split(domain, ".")
	for i, label := range labels {
		ascii, err := encodeLabel(label)
		if err != nil {
			return "", faultf("The part after the @-sign is invalid (%s).", err)
		}
		labels[i] = ascii
	}
	ascii := strings.Join(labels, ".")
	if !isHostName(ascii) {
		return "", fault("The email address contains invalid characters after the @-sign after IDNA encoding.")
	}
	return ascii, nil
}

// checkDomain judges a domain in ASCII: lengths, top-level domain, special use.
func checkDomain(given, ascii string) error {
	if excess := len(ascii) - maxDomain; excess > 0 {
		if ascii == given {
			return faultf("The email address is too long after the @-sign %s.", tooMany(excess))
		}
		return faultf("The email address is too long after the @-sign (%d byte%s too many after IDNA encoding).", excess, plural(excess))
	}
	// toASCII judges no length in a domain that is ASCII already.
	for label := range strings.SplitSeq(ascii, ".") {
		if excess := len(label) - maxLabel; excess > 0 {
			return faultf("After the @-sign, periods cannot be separated by so many characters %s.", tooMany(excess))
		}
	}
	switch {
	case !strings.Contains(ascii, "."):
		return fault("The part after the @-sign is not valid. It should have a period.")
	// email-validator asks for a letter, because all top-level domains end with one at present.
	case !isLetter(ascii[len(ascii)-1]):
		return fault("The part after the @-sign is not valid. It is not within a valid top-level domain.")
	case isSpecial(ascii):
		return fault("The part after the @-sign is a special-use or reserved name that cannot be used with email.")
	}
	return nil
}
