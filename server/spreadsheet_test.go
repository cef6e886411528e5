//go:build spreadsheet

package server_test

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"giftcards/server/servertest"
)

// TestLibreOfficeKeepsEveryDigit: LibreOffice opens a workbook and saves it with every number and
// code as issued. When it does the same with the CSV, some digits change. This proves that
// LibreOffice would change digits if it read them as numbers.
func TestLibreOfficeKeepsEveryDigit(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	link, want := issuedCSV(t, s, s.Merchant(), 2000)
	book := savedByLibreOffice(t, "gift-cards.xlsx", get(t, s, link+"?format=xlsx").Body)
	if len(book) != len(want) {
		t.Fatalf("%d rows, want %d", len(book), len(want))
	}
	for i := 1; i < len(want); i++ {
		if !slices.Equal(book[i], want[i]) {
			t.Fatalf("row %d is %q, want %q", i+1, book[i], want[i])
		}
	}
	changed := 0
	for i, row := range savedByLibreOffice(t, "gift-cards.csv", get(t, s, link).Body) {
		if !slices.Equal(row[:2], want[i][:2]) {
			changed++
		}
	}
	if changed == 0 {
		t.Error("LibreOffice changes no digit of the CSV either: this test proves nothing")
	}
	t.Logf("%d rows; of the CSV %d are changed", len(book), changed)
}

// savedByLibreOffice lets LibreOffice open a file and save it, and returns the saved rows.
func savedByLibreOffice(t *testing.T, name string, content []byte) [][]string {
	t.Helper()
	program, err := exec.LookPath("soffice")
	if err != nil {
		t.Fatal("soffice is not in the PATH: it comes with LibreOffice (libreoffice-calc on Debian)")
	}
	dir := t.TempDir()
	opened, saved := filepath.Join(dir, name), filepath.Join(dir, "saved")
	if err := os.WriteFile(opened, content, 0o600); err != nil {
		t.Fatal(err)
	}
	convert := func(to, from string) {
		cmd := exec.CommandContext(t.Context(), program, "--headless", "--norestore", "-env:UserInstallation=file://"+dir+"/profile",
			"--convert-to", to, "--outdir", saved, from)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("soffice: %v: %s", err, out)
		}
	}
	// It first saves in its own format, in which each cell has the type that LibreOffice has read.
	convert("ods", opened)
	convert("csv", filepath.Join(saved, "gift-cards.ods"))
	text, err := os.ReadFile(filepath.Join(saved, "gift-cards.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}
