//go:build scan

package message_test

import (
	"encoding/base64"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs/barcode"
	"giftcards/jobs/message"
)

// TestATillReadsTheNumberInAMail from a telephone's screen, light and dark, and from paper. It reads
// nothing else.
func TestATillReadsTheNumberInAMail(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	numbers := []string{"9000000000000017", "0000000000000017", "0123456789012345", "0000000000000000"}
	for _, symbology := range []barcode.Symbology{barcode.QR, barcode.Code128} {
		for i, kind := range message.Kinds {
			g := gift()
			g.Kind, g.Number, g.Symbology = kind, numbers[i], symbology
			content := compose(t, templates, g)
			shown := strings.ReplaceAll(content.HTML, "cid:"+content.BarcodeID, "data:image/png;base64,"+base64.StdEncoding.EncodeToString(content.Barcode.PNG))
			if shown == content.HTML {
				t.Fatal("the mail does not show its image")
			}
			for look, picture := range map[string]string{
				"light": screenshot(t, shown, "1"), "dark": screenshot(t, shown, "0"), "print": printed(t, shown),
			} {
				if read := scan(t, picture); read != numbers[i] {
					t.Errorf("%s, %s, %s: read %q, want %q", symbology, kind, look, read, numbers[i])
				}
			}
		}
	}
}

// program finds a program that the test needs.
func program(t *testing.T, from string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatalf("none of %v is in the PATH: on Debian it comes with %s", names, from)
	return ""
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	var complaints strings.Builder
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &complaints // some do not concern the test, such as a missing D-Bus
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, complaints.String())
	}
	return string(out)
}

func chromium(t *testing.T, page string, args ...string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, program(t, "chromium", "chromium", "chromium-browser", "google-chrome"), append(args,
		"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+filepath.Join(dir, "profile"), "file://"+file)...)
}

// screenshot returns a picture of a page that is 390 pixels wide. The page is in a frame, because
// no window of Chromium is that narrow.
func screenshot(t *testing.T, page, scheme string) string {
	t.Helper()
	picture := filepath.Join(t.TempDir(), "page.png")
	frame := `<!doctype html><style>:root { color-scheme: light dark } body { margin: 0 }</style>` +
		`<iframe style="border:0;width:390px;height:1200px" srcdoc="` + html.EscapeString(page) + `"></iframe>`
	chromium(t, frame, "--screenshot="+picture, "--window-size=600,1200", "--hide-scrollbars", "--blink-settings=preferredColorScheme="+scheme)
	keep(t, picture)
	return picture
}

// printed returns a picture of a page that was printed and scanned with 150 dots to the inch.
func printed(t *testing.T, page string) string {
	t.Helper()
	dir := t.TempDir()
	chromium(t, page, "--print-to-pdf="+filepath.Join(dir, "page.pdf"))
	run(t, program(t, "poppler-utils", "pdftoppm"), "-r", "150", "-png", filepath.Join(dir, "page.pdf"), filepath.Join(dir, "page"))
	pictures, err := filepath.Glob(filepath.Join(dir, "page-*.png"))
	if err != nil || len(pictures) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	keep(t, pictures[0])
	return pictures[0]
}

// scan returns all codes in a picture, one a line.
func scan(t *testing.T, picture string) string {
	t.Helper()
	return strings.TrimSpace(run(t, program(t, "zbar-tools", "zbarimg"), "--quiet", "--raw", picture))
}

// keep copies a picture to the directory that GIFTCARDS_PICTURES names, to be looked at.
func keep(t *testing.T, picture string) {
	t.Helper()
	dir := os.Getenv("GIFTCARDS_PICTURES")
	if dir == "" {
		return
	}
	content, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.CreateTemp(dir, "mail-*.png")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
}
