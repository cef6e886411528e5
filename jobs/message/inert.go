package message

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// inert returns a typed text in which no program finds a link, and which keeps its
// direction to itself: a space breaks up web and mail addresses, and the characters
// that open or close a direction are left out. All other text stays as typed.
//
// It is a space and not an invisible character, because the programs that make links
// of addresses differ in which invisible characters they look through.
func inert(s string) string {
	typed := []rune(undirected(s))
	var b strings.Builder
	for i, r := range typed {
		b.WriteRune(r)
		if joins(typed, i) {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// undirected leaves out embeddings, overrides and isolates, and their ends. The marks
// (U+200E, U+200F, U+061C) end with their line and may stay.
func undirected(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, s)
}

// ignorable reports what Unicode calls default ignorable: characters that a program
// shows nothing for, and may look through when it searches for addresses.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// blank reports whether nothing of a text can be seen.
func blank(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		empty := r == '\u2800' || r == '\U0001d159' // a braille pattern without dots, a note without a head
		return !empty && !unicode.IsSpace(r) && !unicode.IsControl(r) && !ignorable(r)
	})
}

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
