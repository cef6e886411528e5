package email

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// address is an address split into its parts.
type address struct {
	local, domain string // the local part unquoted
	quoted        bool   // the local part was quoted
	named         bool   // it was in angle brackets, perhaps with a display name
}

// split splits an address into its parts.
func split(text string) (address, error) {
	left, right, err := splitAt(text, "@<")
	if err != nil {
		return address{}, err
	}
	// The first "<" outside of quotes begins an address after a display name.
	a := address{local: left, domain: right}
	if strings.HasPrefix(right, "<") {
		a.named = true
		if err := checkName(strings.TrimRightFunc(left, isSpace)); err != nil {
			return address{}, err
		}
		if !strings.Contains(right, ">") {
			return address{}, fault("An open angle bracket at the start of the email address has to be followed by a close angle bracket at the end.")
		}
		right = strings.TrimRight(right, " ")
		if !strings.HasSuffix(right, ">") {
			return address{}, fault("There can't be anything after the email address.")
		}
		if a.local, a.domain, err = splitAt(strings.TrimRight(right[1:], ">"), "@"); err != nil {
			return address{}, err
		}
	}
	a.domain = strings.TrimPrefix(a.domain, "@")
	a.local, a.quoted, err = unquote(a.local)
	return a, err
}

// splitAt splits before the first special character. It skips a character in quotes, and one
// that Unicode composes with the mark after it into another character.
func splitAt(text, specials string) (left, right string, err error) {
	inQuotes, escaped := false, false
	for i, c := range text {
		switch {
		case composes(text[i:], c): // for example, "<" and U+0338 are "≮" in form C
		case inQuotes:
			if c == '"' && !escaped {
				inQuotes = false
			}
			escaped = c == '\\' && !escaped
		case c == '"':
			inQuotes = true
		case strings.ContainsRune(specials, c):
			return text[:i], text[i:], nil
		}
	}
	// Characters that look like an @-sign have their own sentences.
	switch {
	case strings.Contains(text, "\uFF20"):
		return "", "", fault(`The email address has the "full-width" at-sign (@) character instead of a regular at-sign.`)
	case strings.Contains(text, "\uFE6B"):
		return "", "", fault(`The email address has the "small commercial at" character instead of a regular at-sign.`)
	}
	return "", "", fault("An email address must have an @-sign.")
}

// composes reports whether Unicode's form C changes c, the first character of text, alone or
// together with the marks after it.
func composes(text string, c rune) bool {
	size := utf8.RuneLen(c)
	if c < utf8.RuneSelf && (len(text) == size || text[size] < utf8.RuneSelf) {
		return false
	}
	normal, _ := utf8.DecodeRuneInString(nfc(text[:segment(text)]))
	return normal != c
}

// segment returns the length of the first part of text that can be normalised by itself.
func segment(text string) int {
	if end := norm.NFC.NextBoundaryInString(text, true); end > 0 {
		return end
	}
	return len(text)
}

// unquote removes the quotes and escapes from a text that starts with a quote.
func unquote(text string) (value string, quoted bool, err error) {
	if !strings.HasPrefix(text, `"`) {
		return text, false, nil
	}
	var b strings.Builder
	escaped := false
	for i, c := range text[1:] {
		switch {
		case escaped:
			b.WriteRune(c)
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			// email-validator lists these in their order and with repetitions, unlike displayed.
			if extra := text[1+i+1:]; extra != "" {
				var displayed []string
				for _, c := range extra {
					displayed = append(displayed, display(c))
				}
				return "", true, fault("Extra character(s) found after close quote: " + strings.Join(displayed, ", "))
			}
			return b.String(), true, nil
		default:
			b.WriteRune(c)
		}
	}
	return b.String(), true, nil // a missing close quote is no fault in email-validator
}

// checkName judges a display name. An address with a name is always refused, but a fault of
// the name itself is the first reason.
func checkName(name string) error {
	name, quoted, err := unquote(name)
	if err != nil {
		return err
	}
	if !quoted {
		bad := displayed(name, func(c rune) bool { return (isAtext(c) || c == ' ') && c != '.' })
		if bad != "" {
			return fault("The display name contains invalid characters when not quoted: " + bad + ".")
		}
	}
	return checkUnsafe(name, true)
}

// displayed lists the characters of text that are not allowed, each once, sorted
// as they are displayed; "" for none.
func displayed(text string, allowed func(rune) bool) string {
	var bad []string
	for _, c := range text {
		if allowed(c) {
			continue
		}
		if d := display(c); !slices.Contains(bad, d) {
			bad = append(bad, d)
		}
	}
	slices.Sort(bad)
	return strings.Join(bad, ", ")
}
