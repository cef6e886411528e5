package sheet_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/sheet"
)

func fonts(t *testing.T, dir string) *sheet.Fonts {
	t.Helper()
	f, err := sheet.LoadFonts(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func cards(count int) []sheet.Card {
	list := make([]sheet.Card, count)
	for i := range list {
		list[i] = sheet.Card{
			Merchant: "Blackwood Books", Recipient: "Ada Łovelace", Value: "25.00", Number: fmt.Sprintf("%016d", i), Code: "046275", ValidUntil: "23 November 2027",
		}
	}
	return list
}

// TestASheetHasAPageForAsManyCardsAsFit and no empty one.
func TestASheetHasAPageForAsManyCardsAsFit(t *testing.T) {
	t.Parallel()
	for paper, onPage := range map[sheet.Paper]int{sheet.A4: 10, sheet.Letter: 8} {
		for _, c := range []struct{ cards, pages int }{{1, 1}, {onPage, 1}, {onPage + 1, 2}, {3 * onPage, 3}} {
			var pdf bytes.Buffer
			pages, missing, err := sheet.Write(&pdf, paper, fonts(t, t.TempDir()), cards(c.cards))
			if err != nil || pages != c.pages || missing != "" || !bytes.HasPrefix(pdf.Bytes(), []byte("%PDF-")) {
				t.Errorf("%s, %d cards: %d pages, want %d; missing %q (%v)", paper, c.cards, pages, c.pages, missing, err)
			}
		}
	}
}

// TestCharactersWithoutAFontAreTold each once, and the rest is printed.
func TestCharactersWithoutAFontAreTold(t *testing.T) {
	t.Parallel()
	list := cards(2)
	list[0].Recipient, list[1].Recipient = "Ада 陳大文", "陳 🎁"
	var pdf bytes.Buffer
	if _, missing, err := sheet.Write(&pdf, sheet.A4, fonts(t, t.TempDir()), list); err != nil || missing != "大文陳🎁" {
		t.Errorf("%q (%v)", missing, err)
	}
	if _, err := sheet.LoadFonts("/nowhere"); err == nil {
		t.Error("a directory that there is not has fonts")
	}
}

// TestALongNameKeepsToItsCard: a name of the most characters that the API takes.
func TestALongNameKeepsToItsCard(t *testing.T) {
	t.Parallel()
	list := cards(1)
	list[0].Merchant, list[0].Recipient = strings.Repeat("Wide ", 51), strings.Repeat("W", 255)
	var long, short bytes.Buffer
	for pdf, list := range map[*bytes.Buffer][]sheet.Card{&long: list, &short: cards(1)} {
		if _, _, err := sheet.Write(pdf, sheet.A4, fonts(t, t.TempDir()), list); err != nil {
			t.Fatal(err)
		}
	}
	if long.Len() > 3*short.Len() {
		t.Errorf("%d bytes instead of %d: the whole name is drawn", long.Len(), short.Len())
	}
}

// TestABadNumberIsNotPrinted, because its code would be another one's.
func TestABadNumberIsNotPrinted(t *testing.T) {
	t.Parallel()
	list := cards(1)
	list[0].Number = "9000 0000 0000 0017"
	if _, _, err := sheet.Write(&bytes.Buffer{}, sheet.A4, fonts(t, t.TempDir()), list); err == nil {
		t.Error("it is printed")
	}
}
