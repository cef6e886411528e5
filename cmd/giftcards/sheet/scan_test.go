//go:build scan

package sheet_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/sheet"
	"giftcards/jobs/barcode"
)

// TestATillReadsEveryNumberOfASheet from paper, and nothing else: on both sizes of paper, in both codes,
// and with the layout mirrored or not.
func TestATillReadsEveryNumberOfASheet(t *testing.T) {
	t.Parallel()
	arabic := sheet.Design{Title: "بطاقات هدايا", Number: "رقم البطاقة", Code: "رمز الأمان", Until: "صالحة حتى", Mirrored: true}
	german := sheet.Design{Title: "Geschenkkarten", Number: "Kartennummer", Code: "Sicherheitscode", Until: "Gültig bis"}
	for _, paper := range []sheet.Paper{sheet.A4, sheet.Letter} {
		for _, symbology := range []barcode.Symbology{barcode.QR, barcode.Code128} {
			for language, design := range map[string]sheet.Design{"german": german, "arabic": arabic} {
				design.Symbology = symbology
				readSheet(t, paper, strings.Join([]string{string(paper), string(symbology), language}, "-"), design)
			}
		}
	}
}

// readSheet makes a sheet of cards for a merchant of the name, prints it, and reads its codes.
func readSheet(t *testing.T, paper sheet.Paper, name string, design sheet.Design) {
	t.Helper()
	list := cards(13)
	names := []string{"Ada", "שירה לוי", "محمد عبد الله", "Ольга Ivanova", "陳大文", "नन्दिनी शर्मा", "สมชาย", "Ἀριστοτέλης", "Nguyễn Thị Ánh", strings.Repeat("W", 60), ""}
	var want []string
	for i := range list {
		list[i].Recipient = names[i%len(names)]
		want = append(want, list[i].Number)
	}
	list[3].Merchant = "مكتبة الإسكندرية"
	list[5].Value = "Geschenkkarte 5.000." + strings.Repeat("0", 90) + "1 €"
	list[6].ValidUntil = "23. September 2027, 18:00 Uhr (UTC+01:00)"
	if design.Mirrored {
		list[0].Value, list[0].ValidUntil = "بطاقة هدية 25.00 د.إ.", "23 نوفمبر 2027"
	}
	var pdf bytes.Buffer
	_, missing, err := sheet.Write(&pdf, paper, fonts(t, ""), design, list)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("without a font on this machine: %q", missing)
	dir := t.TempDir()
	if kept := os.Getenv("GIFTCARDS_PICTURES"); kept != "" {
		dir = kept
	}
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file+".pdf", pdf.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "pdftoppm", "-r", "150", "-png", file+".pdf", file)
	pictures, err := filepath.Glob(file + "-*.png")
	if err != nil || len(pictures) != 2 {
		t.Fatalf("%d pages (%v)", len(pictures), err)
	}
	var read []string
	for _, picture := range pictures {
		read = append(read, strings.Fields(run(t, "zbarimg", "--quiet", "--raw", picture))...)
	}
	slices.Sort(read)
	if !slices.Equal(read, want) {
		t.Errorf("%s: read %v, want %v", name, read, want)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &complaints // some do not concern the test, such as a missing D-Bus
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s (on Debian: zbar-tools, poppler-utils)", name, err, complaints.String())
	}
	return string(out)
}
