// Package sheet lays out physical cards on pages to print and cut, each with its number, its
// security code and the number as a code for the scanner of a till.
package sheet

import (
	"fmt"
	"io"
	"slices"

	"codeberg.org/go-pdf/fpdf"

	"giftcards/jobs/barcode"
)

// Design has the settings and words that all cards of a sheet share.
type Design struct {
	Symbology barcode.Symbology
	Title     string // of the PDF
	// The words beside a card's number, its security code and the last day.
	Number, Code, Until string
	// Mirrored puts the texts at the right and the code at the left.
	Mirrored bool
}

// Card holds the texts that are printed for a card.
type Card struct {
	Merchant   string // its name
	Recipient  string // their name; empty: none
	Value      string // what it is, and its value, such as Gift card 25.00
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
	inner                 = cardWidth - 2*padding
	square                = 0.85     // of the QR code, which has 29 with its quiet zone
	stripe, stripeHeight  = 0.5, 9.4 // of Code 128, which has 143 with its quiet zone
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
	design  Design
	shared  map[sharedText]sharedLine
	missing []rune
}

// Write writes a PDF with the cards in their order, and returns how many pages it has and which
// characters no font has, each once.
func Write(w io.Writer, paper Paper, fonts *Fonts, design Design, cards []Card) (pages int, withoutFont string, err error) {
	pdf := fpdf.New("P", "mm", string(paper), "")
	pdf.SetTitle(design.Title, true)
	pdf.SetAutoPageBreak(false, 0)
	s := &writer{pdf: pdf, fonts: fonts, design: design, shared: map[sharedText]sharedLine{}}
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
