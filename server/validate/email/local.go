package email

import (
	"strings"
	"unicode/utf8"
)

// checkLocal judges the part before the @-sign.
func checkLocal(local string, quoted bool) error {
	// The usual forms come first and need no list of bad characters.
	switch {
	case local == "":
		return fault("There must be something before the @-sign.")
	case isDotAtom(local):
		return nil
	case isInternationalDotAtom(local):
		return checkUnsafe(local, false)
	case quoted:
		// In quotes every printable ASCII character is allowed (RFC 5321, section 4.1.2).
		bad := displayed(local, func(c rune) bool { return ' ' <= c && c <= '~' || c >= 0x80 })
		if bad != "" {
			return fault("The email address contains invalid characters in quotes before the @-sign: " + bad + ".")
		}
		return checkUnsafe(local, true)
	}
	// The local part is certainly wrong now. The rest finds the reason.
	bad := displayed(local, func(c rune) bool { return c == '.' || isAtext(c) || c >= 0x80 })
	if bad != "" {
		return fault("The email address contains invalid characters before the @-sign: " + bad + ".")
	}
	if err := checkDots(local, "An email address cannot start with a %s.", "An email address cannot have a %s immediately before the @-sign."); err != nil {
		return err
	}
	return fault("The email address contains invalid characters before the @-sign.")
}

// atext are the characters of RFC 5322's dot-atoms.
var atext = func() (set [utf8.RuneSelf]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_!#$%&'*+-/=?^`{|}~" {
		set[c] = true
	}
	return set
}()

func isAtext(c rune) bool { return c < utf8.RuneSelf && atext[c] }

func isDotAtom(local string) bool {
	last := byte('.')
	for i := range len(local) {
		c := local[i]
		if c >= utf8.RuneSelf || !atext[c] && (c != '.' || last == '.') {
			return false
		}
		last = c
	}
	return last != '.'
}

func isInternationalDotAtom(local string) bool {
	last := '.'
	for _, c := range local {
		if c < utf8.RuneSelf && !atext[c] && (c != '.' || last == '.') {
			return false
		}
		last = c
	}
	return last != '.'
}

// checkDots judges the places of the periods.
func checkDots(text, start, end string) error {
	switch {
	case strings.HasSuffix(text, "."):
		return faultf(end, "period")
	case strings.HasPrefix(text, "."):
		return faultf(start, "period")
	case strings.Contains(text, ".."):
		return fault("An email address cannot have two periods in a row.")
	}
	return nil
}
