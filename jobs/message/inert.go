package message

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// inert returns a typed text that nothing will turn into a link and that keeps
// its direction to itself: a space breaks up web and mail addresses, and the
// characters that open or close a direction are left out.
//
// A space, since programs that make links of addresses differ in which invisible
// characters they look through.
func inert(s string) string {
	typed := []rune(strings.Map(func(r rune) rune {
		if opensDirection(r) {
			return -1
		}
		return r
	}, s))
	var b strings.Builder
	for i, r := range typed {
		b.WriteRune(r)
		if i+1 < len(typed) && joins(typed, i) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// opensDirection reports embeddings, overrides and isolates, and their ends.
// The marks (U+200E, U+200F, U+061C) end with their line and may stay.
func opensDirection(r rune) bool {
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// joins reports whether the code point at i, not the last, may make an address
// of what is before and after it.
func joins(typed []rune, i int) bool {
	before, r, after := ' ', typed[i], typed[i+1]
	if i > 0 {
		before = typed[i-1]
	}
	word := !unicode.IsSpace(after) && !unicode.IsPunct(after) || after == '-' || after == '_'
	switch r {
	case '.':
		if isDigit(after) && !unicode.IsLetter(before) {
			return inIPAddress(typed, i)
		}
		return word
	case '。', '．', '｡', '․': // dots to those who look up domains, rarely typed before Latin letters
		return after < unicode.MaxASCII && word
	case ':':
		if isDigit(after) && isDigit(before) {
			return inIPAddress(typed, i)
		}
		return strings.ContainsRune(`/\:`, after) || unicode.IsLetter(before) && !unicode.IsSpace(after)
	case '@', '＠', '﹫':
		return word && !unicode.IsSpace(before)
	}
	return false
}

// inIPAddress reports whether the mark at i, between digits, is one of three or
// more: prices, dates and times have two.
func inIPAddress(typed []rune, i int) bool {
	first, last, marks := i, i, 0
	for first > 0 && (isDigit(typed[first-1]) || typed[first-1] == typed[i]) {
		first--
	}
	for last+1 < len(typed) && (isDigit(typed[last+1]) || typed[last+1] == typed[i]) {
		last++
	}
	for _, r := range typed[first : last+1] {
		if r == typed[i] {
			marks++
		}
	}
	return marks >= 3
}

func isDigit(r rune) bool { return '0' <= r && r <= '9' }

// isolate keeps the direction of a line that has one of its own from what stands
// beside it (UAX #9: first strong isolate … pop directional isolate), where there
// is no <bdi>. Others stay as they are: a text message with such characters
// costs more.
func isolate(line string) string {
	if !strings.ContainsFunc(line, rightToLeft) {
		return line
	}
	return "\u2068" + line + "\u2069"
}

func rightToLeft(r rune) bool {
	properties, _ := bidi.LookupRune(r)
	class := properties.Class()
	return class == bidi.R || class == bidi.AL
}

// shortLength is what subjects and text messages hold of a name, in code points.
const shortLength = 60

// short cuts a long name.
func short(name string) string {
	runes := []rune(name)
	if len(runes) <= shortLength {
		return name
	}
	cut := strings.TrimRightFunc(string(runes[:shortLength-1]), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsMark(r)
	})
	return cut + "…"
}
