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
)

// TestATillReadsEveryNumberOfASheet from print, on both papers, and nothing else.
func TestATillReadsEveryNumberOfASheet(t *testing.T) {
	t.Parallel()
	for _, paper := range []sheet.Paper{sheet.A4, sheet.Letter} {
		list := cards(13)
		names := []string{"Ada", "שירה לוי", "محمد عبد الله", "Ольга Ivanova", "陳大文", "नन्दिनी शर्मा", "สมชาย", "Ἀριστοτέλης", "Nguyễn Thị Ánh", strings.Repeat("W", 60), ""}
		var want []string
		for i := range list {
			list[i].Recipient = names[i%len(names)]
			want = append(want, list[i].Number)
		}
		list[3].Merchant = "مكتبة الإسكندرية"
		var pdf bytes.Buffer
		_, missing, err := sheet.Write(&pdf, paper, fonts(t, ""), list)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("without a font on this machine: %q", missing)
		dir := t.TempDir()
		if kept := os.Getenv("GIFTCARDS_PICTURES"); kept != "" {
			dir = kept
		}
		file := filepath.Join(dir, string(paper))
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
			t.Errorf("%s: read %v, want %v", paper, read, want)
		}
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &complaints // some of which are not about the test, such as a missing D-Bus
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s (on Debian: zbar-tools, poppler-utils)", name, err, complaints.String())
	}
	return string(out)
}
