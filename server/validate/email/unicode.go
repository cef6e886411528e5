package email

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Python 3.11 has Unicode 14, and Go 1.26 has Unicode 15. isVisible, isMark and isPrint answer
// as Python does.

func isVisible(c rune) bool {
	return unicode.In(c, unicode.L, unicode.N, unicode.P, unicode.S) && !unicode.Is(unicode15, c)
}

func isMark(c rune) bool { return unicode.Is(unicode.M, c) && !unicode.Is(unicode15, c) }

func isPrint(c rune) bool { return unicode.IsPrint(c) && !unicode.Is(unicode15, c) }

// unicode15 are the characters that Unicode 15 added, and some that are in no version.
var unicode15 = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x0CF3, Hi: 0x0CF3, Stride: 1}, {Lo: 0x0ECE, Hi: 0x0ECE, Stride: 1}},
	R32: []unicode.Range32{
		{Lo: 0x10EFD, Hi: 0x10EFF, Stride: 1}, {Lo: 0x1123F, Hi: 0x11241, Stride: 1}, {Lo: 0x11B00, Hi: 0x11B09, Stride: 1},
		{Lo: 0x11F00, Hi: 0x11F59, Stride: 1}, {Lo: 0x1342F, Hi: 0x1342F, Stride: 1}, {Lo: 0x13439, Hi: 0x13455, Stride: 1},
		{Lo: 0x1B132, Hi: 0x1B132, Stride: 1}, {Lo: 0x1B155, Hi: 0x1B155, Stride: 1}, {Lo: 0x1D2C0, Hi: 0x1D2D3, Stride: 1},
		{Lo: 0x1DF25, Hi: 0x1DF2A, Stride: 1}, {Lo: 0x1E030, Hi: 0x1E08F, Stride: 1}, {Lo: 0x1E4D0, Hi: 0x1E4F9, Stride: 1},
		{Lo: 0x1F6DC, Hi: 0x1F6DC, Stride: 1}, {Lo: 0x1F774, Hi: 0x1F77F, Stride: 1}, {Lo: 0x1F7D9, Hi: 0x1F7D9, Stride: 1},
		{Lo: 0x1FA75, Hi: 0x1FA77, Stride: 1}, {Lo: 0x1FA87, Hi: 0x1FA88, Stride: 1}, {Lo: 0x1FAAD, Hi: 0x1FAAF, Stride: 1},
		{Lo: 0x1FABB, Hi: 0x1FABF, Stride: 1}, {Lo: 0x1FACE, Hi: 0x1FACF, Stride: 1}, {Lo: 0x1FADA, Hi: 0x1FADB, Stride: 1},
		{Lo: 0x1FAE8, Hi: 0x1FAE8, Stride: 1}, {Lo: 0x1FAF7, Hi: 0x1FAF8, Stride: 1}, {Lo: 0x2B739, Hi: 0x2B739, Stride: 1},
		{Lo: 0x31350, Hi: 0x323AF, Stride: 1},
	},
}

// nfc returns a text in Unicode's form C. x/text, which is made for streams, inserts U+034F into
// a run of more than 30 marks. That would change the address, so nfc composes such a text itself.
func nfc(text string) string {
	const joiner = "\u034F"
	normal := norm.NFC.String(text)
	if strings.Count(normal, joiner) == strings.Count(text, joiner) {
		return normal
	}
	var runes []rune
	for _, c := range text {
		runes = append(runes, []rune(norm.NFD.String(string(c)))...)
	}
	sortMarks(runes)
	return compose(runes)
}

// sortMarks brings the marks of each character into their order.
func sortMarks(runes []rune) {
	for start := 0; start < len(runes); {
		end := start
		for end < len(runes) && class(runes[end]) != 0 {
			end++
		}
		slices.SortStableFunc(runes[start:end], func(a, b rune) int { return int(class(a)) - int(class(b)) })
		start = end + 1
	}
}

// compose joins a character with the marks after it if one character means both.
func compose(runes []rune) string {
	var composed []rune
	starter := -1
	for _, c := range runes {
		last := len(composed) - 1
		// A mark of the same or a higher class in between blocks the composition (Unicode, D115).
		if starter >= 0 && (starter == last || class(composed[last]) < class(c)) {
			if pair := []rune(norm.NFC.String(string([]rune{composed[starter], c}))); len(pair) == 1 {
				composed[starter] = pair[0]
				continue
			}
		}
		if class(c) == 0 {
			starter = len(composed)
		}
		composed = append(composed, c)
	}
	return string(composed)
}

// class returns a character's combining class, which is 0 for all except most marks.
func class(c rune) uint8 { return norm.NFC.PropertiesString(string(c)).CCC() }
