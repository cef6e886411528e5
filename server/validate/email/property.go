package email

import (
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// idnaProperty is the property that RFC 5892 derives for a character.
type idnaProperty uint8

const (
	disallowed idnaProperty = iota
	valid
	joiner     // valid beside some characters: the zero-width joiners
	contextual // valid beside some characters: all others
)

// property derives a character's property by the rules of RFC 5892, section 3.
func property(c rune) idnaProperty {
	switch {
	case c == 0x200C || c == 0x200D:
		return joiner
	case c == 0xB7, c == 0x375, c == 0x5F3, c == 0x5F4, c == 0x30FB, 0x660 <= c && c <= 0x669, 0x6F0 <= c && c <= 0x6F9:
		return contextual
	case c == 0xDF, c == 0x3C2, c == 0x6FD, c == 0x6FE, c == 0xF0B, c == 0x3007:
		return valid
	case c == 0x640, c == 0x7FA, c == 0x302E, c == 0x302F, 0x3031 <= c && c <= 0x3035, c == 0x303B:
		return disallowed
	case c == '-', 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return valid
	case 0x13A0 <= c && c <= 0x13F5: // Cherokee: Unicode folds it to capitals, and x/text does not
		return valid
	case unstable(c), ignorable(c):
		return disallowed
	case unicode.In(c, unicode.Ll, unicode.Lu, unicode.Lo, unicode.Nd, unicode.Lm, unicode.Mn, unicode.Mc):
		return valid
	}
	return disallowed
}

// unstable reports whether a character changes when compatible forms and cases are
// folded.
func unstable(c rune) bool {
	text := string(c)
	// Most characters are their own folded form, and this check needs no copy of the text.
	if _, err := cases.Fold().Span([]byte(text), true); err == nil && norm.NFKC.IsNormalString(text) {
		return false
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(text))) != text
}

// ignorable reports whether a character is ignorable by default, or in a block (or
// among the old Hangul letters) that IDNA leaves out.
func ignorable(c rune) bool {
	return unicode.In(c, unicode.White_Space, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) ||
		0x20D0 <= c && c <= 0x20FF || 0x1D100 <= c && c <= 0x1D1FF || 0x1D200 <= c && c <= 0x1D24F ||
		0x1100 <= c && c <= 0x11FF || 0xA960 <= c && c <= 0xA97C || 0xD7B0 <= c && c <= 0xD7FB
}

// joinerAllowed is RFC 5892's rule for the zero-width joiners. It leaves out the part that
// needs the joining types of scripts, so it refuses a domain that relies on that part.
func joinerAllowed(label []rune, i int) bool {
	const virama = 9
	return i > 0 && norm.NFC.PropertiesString(string(label[i-1])).CCC() == virama
}

// contextAllowed is RFC 5892's rule for the other characters that are valid only beside
// certain characters.
func contextAllowed(label []rune, i int) bool {
	characterAt := func(j int) rune { // 0 outside of the label
		if j < 0 || j >= len(label) {
			return 0
		}
		return label[j]
	}
	switch c := label[i]; c {
	case 0xB7: // middle dot
		return characterAt(i-1) == 'l' && characterAt(i+1) == 'l'
	case 0x375: // Greek lower numeral sign
		return unicode.Is(unicode.Greek, characterAt(i+1))
	case 0x5F3, 0x5F4: // Hebrew punctuation
		return unicode.Is(unicode.Hebrew, characterAt(i-1))
	case 0x30FB: // Katakana middle dot
		for _, other := range label {
			if other != c && unicode.In(other, unicode.Hiragana, unicode.Katakana, unicode.Han) {
				return true
			}
		}
		return false
	default: // the two kinds of Arabic digits exclude each other
		for _, other := range label {
			if c <= 0x669 && 0x6F0 <= other && other <= 0x6F9 || c >= 0x6F0 && 0x660 <= other && other <= 0x669 {
				return false
			}
		}
		return true
	}
}
