package sheet_test

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"regexp"
	"strconv"
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

// TestMarksOnANameReachNoOtherCard: hundreds of marks on a letter are a tower that would cover the
// code of the card above. Outlines have curves, and nothing else on a page has.
func TestMarksOnANameReachNoOtherCard(t *testing.T) {
	t.Parallel()
	list := cards(10)
	list[4].Recipient = "A" + strings.Repeat("\u0308\u0323", 126) + "da"
	list[5].Merchant = strings.Repeat("e\u0301\u0302\u0303\u0304\u0305", 42)
	var pdf bytes.Buffer
	if _, _, err := sheet.Write(&pdf, sheet.A4, fonts(t, t.TempDir()), design, list); err != nil {
		t.Fatal(err)
	}
	clip := regexp.MustCompile(`^q ([0-9.]+) ([0-9.]+) ([0-9.]+) (-[0-9.]+) re W n$`)
	names, clipped := 0, false
	for line := range strings.Lines(page(t, pdf.Bytes())) {
		line = strings.TrimSpace(line)
		switch area := clip.FindStringSubmatch(line); {
		case area != nil:
			names, clipped = names+1, true
			const point = 72 / 25.4 // of a millimetre
			if height, err := strconv.ParseFloat(area[4], 64); err != nil || -height > 10.1*point {
				t.Errorf("%s: a name has more than 10 mm of height (%v)", line, err)
			}
		case line == "Q":
			clipped = false
		case strings.HasSuffix(line, " c") && !clipped:
			t.Fatalf("%s: a letter of a name may be drawn anywhere", line)
		}
	}
	if names != 2*len(list) {
		t.Errorf("%d names, want %d", names, 2*len(list))
	}
}

// page returns the drawing of the first page of a PDF, which is its longest stream.
func page(t *testing.T, pdf []byte) (longest string) {
	t.Helper()
	for _, part := range bytes.Split(pdf, []byte("\nstream\n"))[1:] {
		compressed, _, _ := bytes.Cut(part, []byte("\nendstream"))
		reader, err := zlib.NewReader(bytes.NewReader(compressed))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil {
			t.Fatal(err)
		}
		if len(text) > len(longest) {
			longest = string(text)
		}
	}
	return longest
}

// TestALongNameEndsWithAWholeCharacter and an ellipsis: an accent or a part of an emoji that is cut
// off would make another name of it.
func TestALongNameEndsWithAWholeCharacter(t *testing.T) {
	t.Parallel()
	for _, character := range []string{"e\u0301\u0323", "👩\u200d👩\u200d👧", "🇩🇪"} {
		for _, beginning := range sheet.OfWholeCharacters(strings.Repeat(character+" ", 3)) {
			if rest := strings.ReplaceAll(strings.ReplaceAll(beginning, character, ""), " ", ""); rest != "" {
				t.Errorf("%q is cut to %q", character, beginning)
			}
		}
	}
}
