package sheet

import (
	"slices"
	"sort"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	textbidi "github.com/go-text/typesetting/bidi"
	"github.com/go-text/typesetting/di"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/segmenter"
	"github.com/go-text/typesetting/shaping"
	"golang.org/x/image/math/fixed"
	"golang.org/x/text/unicode/bidi"
)

// line is a text of any script that is shaped and in the order in which it is seen.
type line struct {
	runs  []shaping.Output
	width float64 // in units of the size 1
}

// shapedSize is the size in which texts are shaped: large, because positions are in whole 64ths.
const shapedSize = 1000

// shape lays out a text in one line. missing are the characters that no font has.
func (f *Fonts) shape(text string) (l line, missing []rune) {
	runes := []rune(text)
	if len(runes) == 0 {
		return line{}, nil
	}
	for _, r := range runes {
		if !f.Has(r) && inked(r) {
			missing = append(missing, r)
		}
	}
	direction := di.DirectionLTR
	// The first letter with a direction decides, as in the messages (UAX #9).
	for _, r := range runes {
		properties, _ := bidi.LookupRune(r)
		if class := properties.Class(); class == bidi.L || class == bidi.R || class == bidi.AL {
			if class != bidi.L {
				direction = di.DirectionRTL
			}
			break
		}
	}
	var segmenter shaping.Segmenter
	var shaper shaping.HarfbuzzShaper
	input := shaping.Input{Text: runes, RunEnd: len(runes), Direction: direction, Size: fixed.I(shapedSize)}
	for _, run := range segmenter.Split(input, f) {
		l.runs = append(l.runs, shaper.Shape(run))
	}
	toOrderOfEye(l.runs, runes, direction)
	for _, run := range l.runs {
		l.width += float64(run.Advance) / 64 / shapedSize
	}
	return l, missing
}

// toOrderOfEye puts runs, which are in the order of reading, into the order in which they are seen from
// left to right (rule L2 of UAX #9). The library's own order has no levels: it leaves a number between
// two Hebrew words of a Latin name at the wrong side of them.
func toOrderOfEye(runs []shaping.Output, text []rune, direction di.Direction) {
	base := textbidi.LeftToRight
	if direction == di.DirectionRTL {
		base = textbidi.RightToLeft
	}
	var paragraph textbidi.Paragraph
	levelled := paragraph.Segment(text, base)
	levels, next := make([]textbidi.Level, len(runs)), 0
	for i := range runs { // a run never goes beyond the end of a level
		for levelled.Run(next).End <= runs[i].Runes.Offset {
			next++
		}
		levels[i] = levelled.Run(next).Level
	}
	for level := slices.Max(levels); level > 0; level-- {
		for begin := 0; begin < len(runs); {
			end := begin
			for end < len(runs) && levels[end] >= level {
				end++
			}
			slices.Reverse(runs[begin:end])
			slices.Reverse(levels[begin:end])
			begin = end + 1 // the run between has a lower level
		}
	}
}

// inked reports whether readers expect to see something for a character, such as a letter, an emoji
// that Go does not know yet, or one for private use.
func inked(r rune) bool {
	if unicode.Is(unicode.Prepended_Concatenation_Mark, r) {
		return true
	}
	return !unicode.In(r, unicode.White_Space, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// fit shapes a text that is at most wide millimetres wide in a size. A longer one ends with an
// ellipsis.
func (f *Fonts) fit(text string, size, wide float64) (l line, missing []rune) {
	l, missing = f.shape(text)
	if l.width*size <= wide {
		return l, missing
	}
	beginnings := ofWholeCharacters(text)
	// The one before the first that is too wide. The empty one is taken even if it does not fit.
	fitting := sort.Search(len(beginnings)-1, func(i int) bool {
		shorter, _ := f.shape(beginnings[i+1] + "…")
		return shorter.width*size > wide
	})
	return f.shape(beginnings[fitting] + "…")
}

// ofWholeCharacters returns the beginnings of a text that end with a whole character, as readers
// count them: a letter with its marks, or an emoji of several. The empty one is first, and each is
// longer than the one before.
func ofWholeCharacters(text string) []string {
	beginnings, runes := []string{""}, []rune(text)
	var segments segmenter.Segmenter
	segments.Init(runes)
	for characters := segments.GraphemeIterator(); characters.Next(); {
		character := characters.Grapheme()
		beginnings = append(beginnings, string(runes[:character.Offset+len(character.Text)]))
	}
	return beginnings
}

// draw fills the outlines of a line whose base line begins at x, y, in millimetres. Outlines are
// drawn instead of a font that the file would have to carry.
func (l line) draw(pdf *fpdf.Fpdf, x, y, size float64) {
	for _, run := range l.runs {
		scale := size / float64(run.Face.Upem())
		for _, glyph := range run.Glyphs {
			left := x + float64(glyph.XOffset)/64/shapedSize*size
			base := y - float64(glyph.YOffset)/64/shapedSize*size
			if outline, ok := run.Face.GlyphDataOutline(glyph.GlyphID); ok {
				fill(pdf, outline.Segments, left, base, scale)
			}
			x += float64(glyph.Advance) / 64 / shapedSize * size
		}
	}
}

func fill(pdf *fpdf.Fpdf, segments []opentype.Segment, left, base, scale float64) {
	if len(segments) == 0 { // a space
		return
	}
	at := func(p opentype.SegmentPoint) (x, y float64) {
		return left + float64(p.X)*scale, base - float64(p.Y)*scale
	}
	for _, s := range segments {
		x0, y0 := at(s.Args[0])
		x1, y1 := at(s.Args[1])
		x2, y2 := at(s.Args[2])
		switch s.Op {
		case opentype.SegmentOpMoveTo:
			pdf.MoveTo(x0, y0)
		case opentype.SegmentOpLineTo:
			pdf.LineTo(x0, y0)
		case opentype.SegmentOpQuadTo:
			// PDF has cubic curves only.
			fromX, fromY := pdf.GetX(), pdf.GetY()
			pdf.CurveBezierCubicTo(fromX+2*(x0-fromX)/3, fromY+2*(y0-fromY)/3, x1+2*(x0-x1)/3, y1+2*(y0-y1)/3, x1, y1)
		case opentype.SegmentOpCubeTo:
			pdf.CurveBezierCubicTo(x0, y0, x1, y1, x2, y2)
		}
	}
	pdf.ClosePath()
	pdf.DrawPath("F")
}
