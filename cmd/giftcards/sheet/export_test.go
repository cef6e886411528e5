package sheet

import (
	"slices"

	"github.com/go-text/typesetting/di"
)

// OfWholeCharacters is ofWholeCharacters, because no reader of a PDF sees where a name was cut.
var OfWholeCharacters = ofWholeCharacters

// Seen returns the characters of a text in the order in which they are drawn, from left to right.
func (f *Fonts) Seen(text string) string {
	shaped, _ := f.shape(text)
	runes := []rune(text)
	var seen []rune
	for _, run := range shaped.runs {
		part := slices.Clone(runes[run.Runes.Offset : run.Runes.Offset+run.Runes.Count])
		if run.Direction == di.DirectionRTL {
			slices.Reverse(part)
		}
		seen = append(seen, part...)
	}
	return string(seen)
}
