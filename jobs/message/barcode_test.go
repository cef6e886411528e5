package message_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"giftcards/jobs/barcode"
	"giftcards/jobs/message"
)

// TestEveryMailShowsItsNumberToATill as an image of the card's number. The image has words for
// readers who cannot see it. The words and the image's address have neither number nor code.
func TestEveryMailShowsItsNumberToATill(t *testing.T) {
	t.Parallel()
	templates := load(t, "")
	for _, kind := range message.Kinds {
		for symbology, called := range map[barcode.Symbology]string{"": "QR code", barcode.QR: "QR code", barcode.Code128: "barcode"} {
			g := gift()
			g.ID, g.Kind, g.Symbology = "6b03889f7c62afe844000004", kind, symbology
			content := compose(t, templates, g)
			root, err := html.Parse(strings.NewReader(content.HTML))
			if err != nil {
				t.Fatal(err)
			}
			var images []map[string]string
			for node := range root.Descendants() {
				if node.Type == html.ElementNode && node.Data == "img" {
					image := map[string]string{}
					for _, a := range node.Attr {
						image[a.Key] = a.Val
					}
					images = append(images, image)
				}
			}
			if len(images) != 1 || content.Barcode == nil {
				t.Fatalf("%s: images %v", kind, images)
			}
			image := images[0]
			if image["src"] != "cid:"+content.BarcodeID || !strings.Contains(image["src"], g.ID) || !strings.Contains(image["alt"], called) || image["width"] == "" || image["height"] == "" {
				t.Errorf("%s, %s: %v", kind, symbology, image)
			}
			if strings.Contains(image["src"]+image["alt"], g.Code) || strings.Contains(image["src"]+image["alt"], g.Number[12:]) {
				t.Errorf("%s: the image's words have the number or the code: %v", kind, image)
			}
			want, err := barcode.Draw(map[bool]barcode.Symbology{true: barcode.Code128, false: barcode.QR}[symbology == barcode.Code128], g.Number)
			if err != nil || string(want.PNG) != string(content.Barcode.PNG) {
				t.Errorf("%s, %s: the image is not the number's (%v)", kind, symbology, err)
			}
		}
	}
}

// TestADesignWithoutTheImageCarriesNone, because mail programs would show it as an attachment.
func TestADesignWithoutTheImageCarriesNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "plain.html"), []byte("<p>{{.Number}}</p>"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := gift()
	g.Design = "plain"
	if content := compose(t, load(t, dir), g); content.Barcode != nil {
		t.Error("the mail carries an image that it does not show")
	}
}

// BenchmarkCompose composes the mail of another card each time, in the language of a program.
func BenchmarkCompose(b *testing.B) {
	templates, err := message.Load("", builtIn(b))
	if err != nil {
		b.Fatal(err)
	}
	g := gift()
	g.Locale, g.Currency = "de-DE", "EUR"
	for i := 0; b.Loop(); i++ {
		g.Number = fmt.Sprintf("%016d", 9_000_000_000_000_000+i)
		if _, err := templates.Compose(g); err != nil {
			b.Fatal(err)
		}
	}
}
