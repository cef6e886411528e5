package transport_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
)

// signer returns a signer of mails for example.com, and the DNS record of its key.
func signer(t *testing.T, key crypto.Signer) (*transport.DKIM, string) {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	d, err := transport.NewDKIM("example.com", "s1", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
	must(t, err)
	if public, ok := key.Public().(ed25519.PublicKey); ok {
		return d, "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	must(t, err)
	return d, "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(public)
}

// signedMail returns a mail as an SMTP server gets it.
func signedMail(t *testing.T, d *transport.DKIM) []byte {
	t.Helper()
	server := smtptest.New(t, smtptest.Hooks{})
	sender, err := transport.NewSMTP(transport.SMTPOptions{
		Address: server.Address, Security: transport.STARTTLS, Username: smtptest.User, Password: smtptest.Password,
		From: "cards@example.com", Timeout: 5 * time.Second, TLS: server.TLS, DKIM: d,
	})
	must(t, err)
	t.Cleanup(sender.Close)
	m := gift("ada@example.com")
	m.FromName, m.Subject, m.ReplyTo, m.Unsubscribe = "Bücher & Co", "Grace hat Ihnen eine Geschenkkarte geschickt – 🎁", "shop@example.com", "https://cards.example.com/x"
	m.Text, m.HTML = ".a line with a dot\n\n  blanks   and ünïcode "+strings.Repeat("long ", 300)+"\n\n\n", "<p>"+strings.Repeat("Ü", 2000)+"</p>\n"
	must(t, sender.Send(t.Context(), m))
	return server.Mails()[0].Raw
}

// keys returns a key of each kind.
func keys(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	return map[string]crypto.Signer{"rsa": long, "ed25519": edwards}
}

// TestASignedMailIsVerifiedAsItArrives. A mail whose text, recipient or Reply-To was changed on the way
// is not verified.
func TestASignedMailIsVerifiedAsItArrives(t *testing.T) {
	t.Parallel()
	for kind, key := range keys(t) {
		d, record := signer(t, key)
		raw := signedMail(t, d)
		judge := func(mail []byte) error {
			found, err := dkim.VerifyWithOptions(bytes.NewReader(mail), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
				if name != "s1._domainkey.example.com" {
					return nil, fmt.Errorf("no such name: %s", name)
				}
				return []string{record}, nil
			}})
			if err != nil || len(found) != 1 || found[0].Domain != "example.com" {
				return fmt.Errorf("%d signatures, %w", len(found), err)
			}
			return found[0].Err
		}
		if err := judge(raw); err != nil {
			t.Errorf("%s: %v\n%s", kind, err, raw[:800])
		}
		for _, change := range [][2]string{{"blanks", "blankz"}, {"ada@example.com", "eve@example.com"}, {"shop@example.com", "evil@example.com"}} {
			changed := bytes.Replace(raw, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(changed, raw) {
				t.Errorf("the mail lacks %q", change[0])
			}
			if judge(changed) == nil {
				t.Errorf("%s: a mail with %q is verified", kind, change[1])
			}
		}
	}
	if raw := signedMail(t, nil); bytes.Contains(raw, []byte("DKIM-Signature")) {
		t.Error("a mail is signed without a key")
	}
}

func TestAKeyThatCannotSignIsRefused(t *testing.T) {
	t.Parallel()
	public, err := x509.MarshalPKIXPublicKey(keys(t)["rsa"].Public())
	must(t, err)
	for name, key := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("secret"), "a broken key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
		"a public key": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	} {
		if _, err := transport.NewDKIM("example.com", "s1", key); err == nil || !strings.Contains(err.Error(), "want a private key in PEM") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
