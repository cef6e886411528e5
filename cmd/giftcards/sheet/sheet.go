// Package sheet lays out physical cards on pages to print and cut, each with its number, its
// security code and a QR code of the number.
package sheet

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"codeberg.org/go-pdf/fpdf"

	"giftcards/jobs/barcode"
)

// Card holds the texts that are printed for a card.
type Card struct {
	Merchant   string // its name
	Recipient  string // their name; empty: none
	Value      string // such as 25.00
	Number     string // 16 digits
	Code       string // 6 digits
	ValidUntil string // the last day, in words
}

// Paper is a size of paper.
type Paper string

// The papers.
const (
	A4     Paper = "a4"
	Letter Paper = "letter"
)

// Sizes in millimetres.
const (
	cardWidth, cardHeight = 85.6, 53.98 // ISO/IEC 7810 ID-1, as all cards in a purse
	leastMargin           = 10.0        // that every printer can print within
	markLength, markAway  = 5.0, 1.5    // of the marks to cut at, and from the card's corner
	padding               = 5.0
	square                = 0.85 // of the QR code, which has 29 with its quiet zone
)

// page is how cards are placed on a paper.
type page struct {
	columns, rows int
	left, top     float64
}

func (p Paper) page(width, height float64) page {
	placed := page{columns: int((width - 2*leastMargin) / cardWidth), rows: int((height - 2*leastMargin) / cardHeight)}
	placed.left = (width - float64(placed.columns)*cardWidth) / 2
	placed.top = (height - float64(placed.rows)*cardHeight) / 2
	return placed
}

// writer is a sheet under construction.
type writer struct {
	pdf     *fpdf.Fpdf
	fonts   *Fonts
	missing []rune
}

// Write writes a PDF with the cards in their order, and returns how many pages it has and which
// characters no font has, each once.
func Write(w io.Writer, paper Paper, fonts *Fonts, cards []Card) (pages int, withoutFont string, err error) {
	pdf := fpdf.New("P", "mm", string(paper), "")
	pdf.SetTitle("Gift cards", true)
	pdf.SetAutoPageBreak(false, 0)
	s := &writer{pdf: pdf, fonts: fonts}
	placed := paper.page(pdf.GetPageSize())
	onPage := placed.columns * placed.rows
	for i, card := range cards {
		if i%onPage == 0 {
			pdf.AddPage()
			s.cutMarks(placed, min(onPage, len(cards)-i))
		}
		x := placed.left + float64(i%onPage%placed.columns)*cardWidth
		y := placed.top + float64(i%onPage/placed.columns)*cardHeight
		if err := s.card(card, x, y); err != nil {
			return 0, "", err
		}
	}
	slices.Sort(s.missing)
	if err := pdf.Output(w); err != nil {
		return 0, "", fmt.Errorf("write PDF: %w", err)
	}
	return pdf.PageCount(), string(slices.Compact(s.missing)), nil
}

// cutMarks draws the ends of the lines to cut along, outside of the cards.
func (s *writer) cutMarks(p page, cards int) {
	rows := (cards + p.columns - 1) / p.columns
	right, bottom := p.left+float64(p.columns)*cardWidth, p.top+float64(rows)*cardHeight
	s.pdf.SetDrawColor(0, 0, 0)
	s.pdf.SetLineWidth(0.1)
	for column := range p.columns + 1 {
		x := p.left + float64(column)*cardWidth
		s.pdf.Line(x, p.top-markAway-markLength, x, p.top-markAway)
		s.pdf.Line(x, bottom+markAway, x, bottom+markAway+markLength)
	}
	for row := range rows + 1 {
		y := p.top + float64(row)*cardHeight
		s.pdf.Line(p.left-markAway-markLength, y, p.left-markAway, y)
		s.pdf.Line(right+markAway, y, right+markAway+markLength, y)
	}
}

const (
	nameSize  = 5.0 // of letters in millimetres
	smallSize = 3.4
)

func (s *writer) card(card Card, x, y float64) error {
	code, err := barcode.New(barcode.QR, card.Number)
	if err != nil {
		return err
	}
	inner := cardWidth - 2*padding
	s.pdf.SetFillColor(0, 0, 0)
	s.text(card.Merchant, x+padding, y+padding+nameSize*0.8, nameSize, inner)
	s.label("Gift card "+card.Value, x+padding, y+15.5, 9)
	beside := inner - float64(code.Width+2*code.Quiet)*square
	if card.Recipient != "" {
		s.text(card.Recipient, x+padding, y+21.5, smallSize, beside)
	}
	s.label("Card number", x+padding, y+27.5, 6.5)
	s.digits(groups(card.Number), x+padding, y+31.5, 11)
	s.label("Security code", x+padding, y+37, 6.5)
	s.digits(card.Code, x+padding, y+41, 11)
	s.label("Valid until", x+padding, y+45.5, 6.5)
	s.label(card.ValidUntil, x+padding, y+49, 8)
	s.qr(code, x+padding+beside, y+cardHeight-padding-float64(code.Height+2*code.Quiet)*square)
	return s.pdf.Error()
}

// text draws a name of any script, at most wide millimetres.
func (s *writer) text(text string, x, y, size, wide float64) {
	shaped, missing := s.fonts.fit(text, size, wide)
	s.missing = append(s.missing, missing...)
	shaped.draw(s.pdf, x, y, size)
}

// label writes a text of ours in points.
func (s *writer) label(text string, x, y, points float64) {
	s.pdf.SetFont("Helvetica", "", points)
	s.pdf.Text(x, y, text)
}

// digits writes digits that are all equally wide, so that people can compare them.
func (s *writer) digits(text string, x, y, points float64) {
	s.pdf.SetFont("Courier", "B", points)
	s.pdf.Text(x, y, text)
}

// qr draws the black squares of each row, those that touch each other as one rectangle.
func (s *writer) qr(code barcode.Code, x, y float64) {
	for row := range code.Height {
		for column := 0; column < code.Width; column++ {
			first := column
			for column < code.Width && code.Black(column, row) {
				column++
			}
			if column > first {
				s.pdf.Rect(x+float64(first+code.Quiet)*square, y+float64(row+code.Quiet)*square, float64(column-first)*square, square, "F")
			}
		}
	}
}

// groups writes a number in groups of four digits.
func groups(number string) string {
	var parts []string
	for part := range slices.Chunk([]byte(number), 4) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}
