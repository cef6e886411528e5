package transport

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
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
	sender := &mail.Address{Name: m.FromName, Address: from}
	if mimicsEncoding(m.FromName) {
		msg.SetGenHeaderPreformatted("From", encoded(m.FromName)+newLine+"<"+from+">")
	} else {
		msg.FromMailAddress(sender)
	}
	msg.ToMailAddress(&mail.Address{Address: to})
	if mimicsEncoding(m.Subject) {
		msg.SetGenHeaderPreformatted(gomail.HeaderSubject, encoded(m.Subject))
	} else {
		msg.Subject(m.Subject)
	}
	messageID := m.ID
	if m.Sequence > 0 {
		messageID += "." + strconv.Itoa(m.Sequence)
	}
	msg.SetMessageIDWithValue(messageID + "@" + host)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	return envelope{from: "<" + from + ">", to: "<" + to + ">", utf8: !ascii(to), Msg: msg}, nil
}

// mimicsEncoding reports whether a mail program may decode a header that was meant as
// it stands: words such as =?UTF-8?B?SGk=?= are no words to it (RFC 2047). Libraries
// encode other characters, and leave these.
func mimicsEncoding(header string) bool { return strings.Contains(header, "=?") && ascii(header) }

// newLine continues a header in the next line.
const newLine = "\r\n "

// encoded writes a header such that mail programs show it as it is, whatever it holds.
func encoded(header string) string {
	const most = 42 // bytes, which become a line of 77 characters with the header's name
	var words []string
	for chunk := range slices.Chunk([]byte(header), most) {
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString(chunk)+"?=")
	}
	return strings.Join(words, newLine)
}

// asciiDomain writes the domain of an address as DNS has it, so that servers
// without SMTPUTF8 take it.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || strings.ContainsAny(address, "\r\n<> ") || strings.Contains(address, "=?") { // mail programs would decode the last
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
