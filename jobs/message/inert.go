package message

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/bidi"
)

// inert makes a typed text harmless. It breaks up web and mail addresses by a space, so
// that no program makes links of them. It removes the characters that open or close a
// direction, so that the text does not change the direction of its surroundings. All other
// text stays as typed.
//
// An invisible character instead of the space would not be enough, because programs that
// make links ignore some of them.
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

// undirected removes embeddings, overrides and isolates, and their ends. The marks U+200E,
// U+200F and U+061C stay, because their effect ends with the line.
func undirected(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return -1
		}
		return r
	}, s)
}

// ignorable reports whether a character is a default ignorable of Unicode. Programs show
// nothing for it, and may ignore it when they search for addresses.
func ignorable(r rune) bool {
	return unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) ||
		unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// blank reports whether a text has no visible character.
func blank(s string) bool {
	// Some characters are letters or symbols for Unicode, but have no ink.
	return !strings.ContainsFunc(s, func(r rune) bool {
		empty := r == '\u2800' || r == '\U0001d159' // a braille pattern without dots, a note without a head
		return !empty && !unicode.IsSpace(r) && !unicode.IsControl(r) && !ignorable(r)
	})
}

// isolate encloses a line with right-to-left characters in isolates (UAX #9), so that it
// does not change the direction of the text beside it. It is <bdi> for plain text. Other
// lines stay unchanged, because a text message with such characters costs more.
func isolate(line string) string {
	if !strings.ContainsFunc(line, rightToLeft) {
		return line
	}
	return isolated(line)
}

// isolated encloses a line in isolates, whatever its direction. An empty one stays empty.
func isolated(line string) string {
	if line == "" {
		return ""
	}
	return "\u2068" + line + "\u2069"
}

// leftToRight encloses digits in isolates that keep their groups in order.
func leftToRight(digits string) string { return "\u2066" + digits + "\u2069" }

func rightToLeft(r rune) bool {
	properties, _ := bidi.LookupRune(r)
	class := properties.Class()
	return class == bidi.R || class == bidi.AL
}

// shortLength is the longest name in subjects and text messages, in code points.
const shortLength = 60

// short cuts a name to shortLength.
func short(name string) string {
	runes := []rune(name)
	if len(runes) <= shortLength {
		return name
	}
	// One place is for the ellipsis. A cut must not end with a blank or half of a
	// character.
	cut := strings.TrimRightFunc(string(runes[:shortLength-1]), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || unicode.IsMark(r)
	})
	return cut + "…"
}
