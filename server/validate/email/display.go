package email

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/runenames"
)

// display returns a character as email-validator shows it: in quotes if it is visible, else
// by its name or, without a name, by its number.
func display(c rune) string {
	switch {
	case c == '\\':
		return `"\"`
	case isVisible(c):
		return repr(string(c))
	}
	if unicode.In(c, unicode.M, unicode.Z, unicode.Cf) && !unicode.Is(unicode15, c) {
		if name := runenames.Name(c); name != "" && !strings.HasPrefix(name, "<") {
			return name
		}
	}
	if c < 0xFFFF {
		return fmt.Sprintf("U+%04X", c)
	}
	return fmt.Sprintf("U+%08X", c)
}

// repr returns Python's repr of a text.
func repr(text string) string {
	// Python prefers single quotes, unless double ones need no escape.
	quote := '\''
	if strings.ContainsRune(text, '\'') && !strings.ContainsRune(text, '"') {
		quote = '"'
	}
	var b strings.Builder
	b.WriteRune(quote)
	for _, c := range text {
		switch {
		case c == quote || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case isPrint(c):
			b.WriteRune(c)
		case c <= 0xFF:
			fmt.Fprintf(&b, `\x%02x`, c)
		case c <= 0xFFFF:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			fmt.Fprintf(&b, `\U%08x`, c)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// checkUnsafe refuses characters that mislead: invisible ones, and a combining
// mark at the start.
func checkUnsafe(text string, allowSpace bool) error {
	var bad []rune
	for i, c := range text {
		switch {
		case isVisible(c):
		// At the start, a mark would combine with the character before the text.
		case isMark(c) && i > 0:
		case allowSpace && unicode.In(c, unicode.Zs):
		case !slices.Contains(bad, c):
			bad = append(bad, c)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	// email-validator lists each character once, in the order of code points.
	slices.Sort(bad)
	names := make([]string, len(bad))
	for i, c := range bad {
		names[i] = display(c)
	}
	return fault("The email address contains unsafe characters: " + strings.Join(names, ", ") + ".")
}
