package sheet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/sheet"
	"giftcards/jobs/barcode"
)

func fonts(t *testing.T, dir string) *sheet.Fonts {
	t.Helper()
	f, err := sheet.LoadFonts(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// design is that of a program without settings.
var design = sheet.Design{Symbology: barcode.QR, Title: "Gift cards", Number: "Card number", Code: "Security code", Until: "Valid until"}

func cards(count int) []sheet.Card {
	list := make([]sheet.Card, count)
	for i := range list {
		list[i] = sheet.Card{
			Merchant: "Blackwood Books", Recipient: "Ada Łovelace", Value: "Gift card 25.00", Number: fmt.Sprintf("%016d", i), Code: "046275", ValidUntil: "23 November 2027",
		}
	}
	return list
}

// TestASheetHasAsManyPagesAsItsCardsNeed, and no empty page.
func TestASheetHasAsManyPagesAsItsCardsNeed(t *testing.T) {
	t.Parallel()
	for paper, onPage := range map[sheet.Paper]int{sheet.A4: 10, sheet.Letter: 8} {
		for _, c := range []struct{ cards, pages int }{{1, 1}, {onPage, 1}, {onPage + 1, 2}, {3 * onPage, 3}} {
			var pdf bytes.Buffer
			pages, missing, err := sheet.Write(&pdf, paper, fonts(t, t.TempDir()), design, cards(c.cards))
			if err != nil || pages != c.pages || missing != "" || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) {
				t.Errorf("%s, %d cards: %d pages, want %d; missing %q (%v)", paper, c.cards, pages, c.pages, missing, err)
			}
		}
	}
}

// TestCharactersWithoutAFontAreReported, each once. The rest is printed.
func TestCharactersWithoutAFontAreReported(t *testing.T) {
	t.Parallel()
	list := cards(2)
	list[0].Recipient, list[1].Recipient = "Ада 陳大文", "陳 🎁"
	var pdf bytes.Buffer
	if _, missing, err := sheet.Write(&pdf, sheet.A4, fonts(t, t.TempDir()), design, list); err != nil || missing != "大文陳🎁" {
		t.Errorf("%q (%v)", missing, err)
	}
	if _, err := sheet.LoadFonts("/nowhere"); err == nil {
		t.Error("a directory that there is not has fonts")
	}
}

// TestALongNameKeepsToItsCard, even a name as long as the API accepts.
func TestALongNameKeepsToItsCard(t *testing.T) {
	t.Parallel()
	list := cards(1)
	list[0].Merchant, list[0].Recipient = strings.Repeat("Wide ", 51), strings.Repeat("W", 255)
	var long, short bytes.Buffer
	for pdf, list := range map[*bytes.Buffer][]sheet.Card{&long: list, &short: cards(1)} {
		if _, _, err := sheet.Write(pdf, sheet.A4, fonts(t, t.TempDir()), design, list); err != nil {
			t.Fatal(err)
		}
	}
	if long.Len() > 3*short.Len() {
		t.Errorf("%d bytes instead of %d: the whole name is drawn", long.Len(), short.Len())
	}
}

// TestABadNumberIsNotPrinted, because a till would read another number.
func TestABadNumberIsNotPrinted(t *testing.T) {
	t.Parallel()
	list := cards(1)
	list[0].Number = "9000 0000 0000 0017"
	if _, _, err := sheet.Write(&bytes.Buffer{}, sheet.A4, fonts(t, t.TempDir()), design, list); err == nil {
		t.Error("it is printed")
	}
}

// TestTheWordsOfASheetAreInItsFileOnce, so that a sheet of many cards stays small. The words may be of
// any language.
func TestTheWordsOfASheetAreInItsFileOnce(t *testing.T) {
	t.Parallel()
	for name, d := range map[string]sheet.Design{
		"QR":      design,
		"stripes": {Symbology: barcode.Code128, Title: "Cartes", Number: "Numéro de carte", Code: "Code de sécurité", Until: "Valable jusqu’au"},
		"Greek":   {Symbology: barcode.QR, Title: "Κάρτες", Number: "Αριθμός κάρτας", Code: "Κωδικός ασφαλείας", Until: "Ισχύει έως", Mirrored: true},
	} {
		var few, many bytes.Buffer
		for pdf, count := range map[*bytes.Buffer]int{&few: 3, &many: 100} {
			_, missing, err := sheet.Write(pdf, sheet.A4, fonts(t, t.TempDir()), d, cards(count))
			if err != nil || missing != "" {
				t.Fatalf("%s: missing %q (%v)", name, missing, err)
			}
		}
		if n, m := bytes.Count(few.Bytes(), []byte("/Subtype /Form")), bytes.Count(many.Bytes(), []byte("/Subtype /Form")); n != 5 || m != 5 {
			t.Errorf("%s: %d texts are drawn for 3 cards and %d for 100, want 5", name, n, m)
		}
	}
}
