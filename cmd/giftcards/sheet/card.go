package sheet

import (
	"slices"
	"strings"

	"codeberg.org/go-pdf/fpdf"

	"giftcards/jobs/barcode"
)

// Sizes of letters in millimetres.
const (
	nameSize      = 5.0
	valueSize     = 3.2
	recipientSize = 3.4
	untilSize     = 2.8
	wordSize      = 2.3 // of the words above a number
)

// card draws a card whose top left corner is at x, y.
func (s *writer) card(card Card, x, y float64) error {
	code, err := barcode.New(s.design.Symbology, card.Number)
	if err != nil {
		return err
	}
	s.pdf.SetFillColor(0, 0, 0)
	s.name(card.Merchant, x+padding, y+9, nameSize, inner)
	s.common(card.Value, x+padding, y+15.5, valueSize, inner)
	if s.design.Symbology == barcode.Code128 {
		s.aboveStripes(card, code, x+padding, y)
	} else {
		s.besideSquare(card, code, x+padding, y)
	}
	return s.pdf.Error()
}

// besideSquare draws a QR code in a corner of the card, and the texts beside it. x is where the
// inner part of the card begins.
func (s *writer) besideSquare(card Card, code barcode.Code, x, y float64) {
	side := float64(code.Width+2*code.Quiet) * square
	wide, codeX := inner-side, x+inner-side
	if s.design.Mirrored {
		codeX, x = x, x+side
	}
	s.name(card.Recipient, x, y+21.5, recipientSize, wide)
	s.common(s.design.Number, x, y+27.5, wordSize, wide)
	s.digits(groups(card.Number), x, y+31.5, wide)
	s.common(s.design.Code, x, y+37, wordSize, wide)
	s.digits(card.Code, x, y+41, wide)
	s.common(s.design.Until, x, y+45.5, wordSize, wide)
	s.common(card.ValidUntil, x, y+49, untilSize, wide)
	s.code(code, codeX, y+cardHeight-padding-side, square, square)
}

// aboveStripes draws a code of stripes at the bottom of the card, and the texts above it.
func (s *writer) aboveStripes(card Card, code barcode.Code, x, y float64) {
	const numberWide, gap = 48.0, 2.0
	numberX, codeX := x, x+numberWide+gap
	if s.design.Mirrored {
		numberX, codeX = x+inner-numberWide, x
	}
	const codeWide = inner - numberWide - gap
	s.name(card.Recipient, x, y+20.5, recipientSize, inner)
	s.common(s.design.Number, numberX, y+25.5, wordSize, numberWide)
	s.digits(groups(card.Number), numberX, y+29.5, numberWide)
	s.common(s.design.Code, codeX, y+25.5, wordSize, codeWide)
	s.digits(card.Code, codeX, y+29.5, codeWide)
	s.common(s.design.Until, x, y+34, wordSize, inner)
	s.common(card.ValidUntil, x, y+37.5, untilSize, inner)
	wide := float64(code.Width+2*code.Quiet) * stripe
	// The quiet zone is at the sides only.
	s.code(code, x+(inner-wide)/2, y+cardHeight-padding-stripeHeight-float64(code.Quiet)*stripeHeight, stripe, stripeHeight)
}

// code draws the black squares or stripes of each row, those that touch each other as one
// rectangle. x, y is the corner of the quiet zone.
func (s *writer) code(code barcode.Code, x, y, width, height float64) {
	for row := range code.Height {
		for column := 0; column < code.Width; column++ {
			first := column
			for column < code.Width && code.Black(column, row) {
				column++
			}
			if column > first {
				s.pdf.Rect(x+float64(first+code.Quiet)*width, y+float64(row+code.Quiet)*height, float64(column-first)*width, height, "F")
			}
		}
	}
}

// begin returns where a text begins that is width wide, in a place that is wide from x on.
func (s *writer) begin(x, wide, width float64) float64 {
	if s.design.Mirrored {
		return x + wide - width
	}
	return x
}

// The parts of a name that may be above and below its base line, in its size.
const above, below = 1.4, 0.6

// name draws a name, at most wide millimetres of it. It cuts off what is far above or below the line,
// because a letter may have hundreds of marks, which would cover the code of this card or another one.
func (s *writer) name(name string, x, y, size, wide float64) {
	shaped, missing := s.fonts.fit(strings.TrimSpace(name), size, wide)
	s.missing = append(s.missing, missing...)
	if len(shaped.runs) == 0 {
		return
	}
	s.pdf.ClipRect(x, y-above*size, wide, (above+below)*size, false)
	shaped.draw(s.pdf, s.begin(x, wide, shaped.width*size), y, size)
	s.pdf.ClipEnd()
}

// sharedText is a text that many cards have, and sharedLine what is drawn for it.
type sharedText struct {
	text       string
	size, wide float64
}

type sharedLine struct {
	outlines fpdf.Template
	width    float64
}

// room is around the outlines of a shared text, because they are cut at its edges.
const room = 10.0

// common draws a text that many cards have: the file has its outlines once. Letters get smaller if
// the text is too wide, because an amount or a day must not lose a part.
func (s *writer) common(text string, x, y, size, wide float64) {
	key := sharedText{text, size, wide}
	line, known := s.shared[key]
	if !known {
		shaped, missing := s.fonts.shape(text)
		s.missing = append(s.missing, missing...)
		fitting := min(size, wide/shaped.width)
		line.width = shaped.width * fitting
		line.outlines = s.pdf.CreateTemplate(func(t *fpdf.Tpl) { shaped.draw(&t.Fpdf, room, room, fitting) })
		s.shared[key] = line
	}
	_, paper := line.outlines.Size()
	s.pdf.UseTemplateScaled(line.outlines, fpdf.PointType{X: s.begin(x, wide, line.width) - room, Y: y - room}, paper)
}

// digits writes digits that are all equally wide, so that people can compare them.
func (s *writer) digits(text string, x, y, wide float64) {
	s.pdf.SetFont("Courier", "B", 11)
	s.pdf.Text(s.begin(x, wide, s.pdf.GetStringWidth(text)), y, text)
}

// groups writes a number in groups of four digits.
func groups(number string) string {
	var parts []string
	for part := range slices.Chunk([]byte(number), 4) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}
