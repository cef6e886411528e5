package transport

import (
	"bytes"
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
	from, to string // in SMTP's form, in angle brackets
	utf8     bool   // to needs SMTPUTF8
	dkim     *DKIM  // signs it; nil: nobody does
	*gomail.Msg
}

var errAddress = errors.New("not an address that mail can be sent to")

// newEnvelope makes a message's mail. from is an address such as cards@example.com.
func newEnvelope(m Message, from string) (envelope, error) {
	to, err := asciiDomain(m.To)
	if err != nil {
		return envelope{}, err
	}
	_, host, _ := strings.Cut(from, "@")
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	sender := &mail.Address{Name: m.FromName, Address: from}
	// go-mail would leave such a name unencoded.
	if mimicsEncoding(m.FromName) {
		msg.SetGenHeaderPreformatted("From", encoded(m.FromName)+newLine+"<"+from+">")
	} else {
		msg.FromMailAddress(sender)
	}
	if m.ReplyTo != "" {
		msg.ReplyToMailAddress(&mail.Address{Address: m.ReplyTo})
	}
	msg.ToMailAddress(&mail.Address{Address: to})
	if mimicsEncoding(m.Subject) {
		msg.SetGenHeaderPreformatted(gomail.HeaderSubject, encoded(m.Subject))
	} else {
		msg.Subject(m.Subject)
	}
	// The ID makes a repeated attempt the same mail, so that the recipient sees it once.
	messageID := m.ID
	if m.Sequence > 0 {
		messageID += "." + strconv.Itoa(m.Sequence)
	}
	msg.SetMessageIDWithValue(messageID + "@" + host)
	msg.SetDateWithValue(m.Date)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers
	// RFC 8058 lets mail programs end such mails by one click.
	if m.Unsubscribe != "" {
		msg.SetGenHeaderPreformatted("List-Unsubscribe", "<"+m.Unsubscribe+">")
		msg.SetGenHeader("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	if m.Image != nil {
		err := msg.EmbedReader("number.png", bytes.NewReader(m.Image.PNG),
			gomail.WithFileContentID("<"+m.Image.ID+">"), gomail.WithFileContentType("image/png"))
		if err != nil {
			return envelope{}, err
		}
	}
	return envelope{from: "<" + from + ">", to: "<" + to + ">", utf8: !ascii(to), Msg: msg}, nil
}

// mimicsEncoding reports whether a header looks encoded (RFC 2047), such as
// =?UTF-8?B?SGk=?=, though it is typed text. A mail program would decode it. Libraries
// only encode headers beyond ASCII and leave these as they are.
func mimicsEncoding(header string) bool { return strings.Contains(header, "=?") && ascii(header) }

// newLine folds a header into the next line.
const newLine = "\r\n "

// encoded encodes a header, so that mail programs show exactly this text.
func encoded(header string) string {
	const most = 42 // bytes, which make a line of 77 characters with the header's name
	var words []string
	for chunk := range slices.Chunk([]byte(header), most) {
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString(chunk)+"?=")
	}
	return strings.Join(words, newLine)
}

// asciiDomain converts an address's domain to ASCII (IDNA), so that servers without
// SMTPUTF8 accept it.
func asciiDomain(address string) (string, error) {
	at := strings.LastIndexByte(address, '@')
	if at < 1 || strings.ContainsAny(address, "\r\n<> ") || strings.Contains(address, "=?") { // mail programs would decode =?
		return "", errAddress
	}
	local, domain := address[:at], address[at+1:]
	if strings.HasPrefix(domain, "[") { // an IP address
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || domain == "" {
		return "", fmt.Errorf("%w: %w", errAddress, err)
	}
	return local + "@" + domain, nil
}

// ASCIIAddress converts an address's domain to ASCII (IDNA). It fails unless the part
// before the @ is ASCII.
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
