package transport

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"io"
	"strings"
	"testing"
	"time"
)

// BenchmarkWrite writes a mail of the size of a card's, in the form in which it is sent.
func BenchmarkWrite(b *testing.B) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		b.Fatal(err)
	}
	encoded := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	signed, err := NewDKIM("example.com", "giftcards", encoded)
	if err != nil {
		b.Fatal(err)
	}
	m := Message{
		ID: "6b03889f7c62afe844000004", To: "ada@example.com", FromName: "Blackwood Books", Date: time.Unix(1_800_000_000, 0), Subject: "Grace sent you a gift card",
		Text: strings.Repeat("A line of the text of a mail, für Ada.\n", 20), HTML: strings.Repeat(`<p class="words" style="margin:0 0 20px;">A line of the mail, für Ada.</p>`+"\n", 90),
		Image: &Image{ID: "number@6b03889f7c62afe844000004.giftcards", PNG: []byte(strings.Repeat("x", 270))},
	}
	for name, dkim := range map[string]*DKIM{"plain": nil, "signed": signed} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				e, err := newEnvelope(m, "cards@example.com")
				if err != nil {
					b.Fatal(err)
				}
				e.dkim = dkim
				if _, err := e.WriteTo(io.Discard); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
