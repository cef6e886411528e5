package transport

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"

	"github.com/emersion/go-msgauth/dkim"
)

// DKIM signs mails (RFC 6376), so that the recipient's server knows that the domain has sent them.
type DKIM struct{ options dkim.SignOptions }

// signedHeaders are the headers that nobody may change or add on the way.
var signedHeaders = []string{
	"From", "Reply-To", "To", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Auto-Submitted", "List-Unsubscribe", "List-Unsubscribe-Post",
}

// leastRSA is the shortest RSA key that receivers accept (RFC 8301), in bits.
const leastRSA = 1024

// NewDKIM returns what signs the mails of a domain. The public key is published in DNS at
// <selector>._domainkey.<domain>. key is a private key in PEM: RSA or Ed25519, PKCS #8 or PKCS #1.
func NewDKIM(domain, selector string, key []byte) (*DKIM, error) {
	signer, err := parseKey(key)
	if err != nil {
		return nil, err
	}
	d := &DKIM{dkim.SignOptions{
		Domain: domain, Selector: selector, Signer: signer, HeaderKeys: signedHeaders,
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
	}}
	_, err = dkim.NewSigner(&d.options) // checks the options
	return d, err
}

var errDKIMKey = errors.New("want a private key in PEM, RSA of at least 1024 bits or Ed25519")

func parseKey(key []byte) (crypto.Signer, error) {
	block, _ := pem.Decode(key)
	if block == nil {
		return nil, errDKIMKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		if parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
			return nil, errDKIMKey
		}
	}
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		if private.N.BitLen() >= leastRSA {
			return private, nil
		}
	case ed25519.PrivateKey:
		return private, nil
	}
	return nil, errDKIMKey
}

// WriteTo writes the mail, with a signature if it gets one.
func (e envelope) WriteTo(w io.Writer) (int64, error) {
	if e.dkim == nil {
		return e.Msg.WriteTo(w)
	}
	var plain, signed bytes.Buffer
	if _, err := e.Msg.WriteTo(&plain); err != nil {
		return 0, err
	}
	// Nothing is written before the signature is known, because it comes first.
	options := e.dkim.options
	if err := dkim.Sign(&signed, &plain, &options); err != nil {
		return 0, err
	}
	return signed.WriteTo(w)
}
