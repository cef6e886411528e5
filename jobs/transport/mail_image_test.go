package transport_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs/transport"
)

// TestAnImageIsAPartOfTheMail beside its HTML (multipart/related), with the address that the HTML uses.
// It is no attachment. A mail without an image has no such part.
func TestAnImageIsAPartOfTheMail(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "outbox")
	sent := func(image *transport.Image) (contentType string, body []byte) {
		m := gift("ada@example.com")
		m.HTML, m.Image = `<img src="cid:number@1.giftcards">`, image
		must(t, transport.NewMailOutbox(dir, "cards@example.com").Send(t.Context(), m))
		file, err := os.Open(filepath.Join(dir, m.ID+".eml"))
		must(t, err)
		defer file.Close()
		message, err := mail.ReadMessage(file)
		must(t, err)
		body, err = io.ReadAll(message.Body)
		must(t, err)
		return message.Header.Get("Content-Type"), body
	}
	picture := bytes.Repeat([]byte{0x89, 0}, 100)
	contentType, body := sent(&transport.Image{ID: "number@1.giftcards", PNG: picture})
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/related" {
		t.Fatalf("%s (%v)", contentType, err)
	}
	parts := multipart.NewReader(bytes.NewReader(body), parameters["boundary"])
	words, err := parts.NextPart()
	must(t, err)
	if kind := words.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
		t.Errorf("the first part is %s", kind)
	}
	image, err := parts.NextPart()
	must(t, err)
	content, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, image))
	must(t, err)
	if image.Header.Get("Content-Id") != "<number@1.giftcards>" || !strings.HasPrefix(image.Header.Get("Content-Type"), "image/png") ||
		!strings.HasPrefix(image.Header.Get("Content-Disposition"), "inline") || !bytes.Equal(content, picture) {
		t.Errorf("the image: %v, %d bytes", image.Header, len(content))
	}
	if _, err := parts.NextPart(); err != io.EOF {
		t.Errorf("there is a third part (%v)", err)
	}
	if contentType, _ := sent(nil); !strings.HasPrefix(contentType, "multipart/alternative") {
		t.Errorf("a mail without an image is %s", contentType)
	}
}
