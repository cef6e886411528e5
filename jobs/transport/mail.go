package transport

import (
	"errors"
	"fmt"
	"net/mail"
	"strings"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// envelope is a mail ready to be sent.
type envelope struct {
	from, to string // as SMTP has them, in angle brackets
	utf8     bool   // to needs SMTPUTF8
	*gomail.Msg
}

var errAddress = errors.New("not an address that mail can be sent to")

// newEnvelope makes the mail of a message, from an address such as
// cards@example.com.
func newEnvelope(m Message, from string) (envelope, error) {
	to, err := asciiDomain(m.To)
	if err != nil {
		return envelope{}, err
	}
	_, host, _ := strings.Cut(from, "@")
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&mail.Address{Name: m.FromName, Address: from})
	msg.ToMailAddress(&mail.Address{Address: to})
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.ID + "@" + host)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return envelope{from: "<" + from + ">", to: "<" + to + ">", utf8: !ascii(to), Msg: msg}, nil
}

// asciiDomain writes the domain of an address as DNS has it, so that servers
// without SMTPUTF8 take it.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || strings.ContainsAny(address, "\r\n<> ") {
		return "", errAddress
	}
	local, domain := address[:at], address[at+1:]
	if strings.HasPrefix(domain, "[") { // an IP address, of which there is nothing to convert
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" {
		return "", fmt.Errorf("%w: %w", errAddress, err)
	}
	return local + "@" + domain, nil
}

// ASCIIAddress writes the domain of an address as DNS has it, and fails unless what
// is before the @ is ASCII already.
func ASCIIAddress(address string) (string, error) {
	converted, err := asciiDomain(address)
	if err == nil && !ascii(converted) {
		err = errAddress
	}
	return converted, err
}

func ascii(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}
