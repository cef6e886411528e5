// Package text makes texts from outside safe before they are stored. It removes control
// characters from every text, and markup from messages to recipients. It never refuses a text.
package text

import (
	"strings"
	"unicode"
)

// Clean is a text that may be stored and shown: the result of Line or of Message.
type Clean string

// Line returns s as one line of valid UTF-8, for names and slugs. Every control character
// (newline and tab too) and every line or paragraph separator becomes a space, so that a name
// cannot forge a mail header or a CSV row. Every byte that is not UTF-8 becomes U+FFFD. All other
// characters stay, and so does the number of code points.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// paragraphs returns s as valid UTF-8 without control characters other than newline and tab. A
// carriage return, alone or before a newline, becomes a newline.
func paragraphs(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r == '\n' || r == '\t' || !unicode.IsControl(r):
			return r
		default:
			return -1
		}
	}, s)
}
