// Package text owns how a text from outside is made safe before it is stored: every
// text loses control characters, and a message to a recipient its markup.
// It must not refuse a text.
package text

import (
	"strings"
	"unicode"
)

// Clean is a text that may be stored and shown: the result of Line or of Message.
type Clean string

// Line returns s as one line of valid UTF-8, for names and slugs: every control
// character (newline and tab too) and every line or paragraph separator becomes
// a space, so that a name cannot forge a mail header or a CSV row; every byte
// that is not UTF-8 becomes U+FFFD. All else is kept, and the number of code
// points.
func Line(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}

// paragraphs returns s as valid UTF-8 without control characters other than
// newline and tab; a carriage return, alone or with its newline, is a newline.
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
