package transport

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
)

// envelopeSender returns the address that a mail's refusals go to: an address with the mail's own
// mark (VERP), such as bounces+6b03889f7c62afe844000004.0@example.com. The mail of a receipt has no
// mark, because nobody records its refusal, and its ID would make an address of more than the 64
// characters before the @ that mail servers take (RFC 5321).
func envelopeSender(bounces string, m Message) string {
	if strings.Contains(m.ID, ".") {
		return bounces
	}
	at := strings.LastIndexByte(bounces, '@')
	return bounces[:at] + "+" + m.ID + "." + strconv.Itoa(m.Sequence) + bounces[at:]
}

// marked matches what envelopeSender made, in a header.
var marked = regexp.MustCompile(`\+([0-9A-Za-z]{1,64})\.([0-9]{1,4})@`)

// Report is what a mail server says later of a mail that another one took (RFC 3464).
type Report struct {
	ID       string // of the mail's Message
	Sequence int
	Action   string // such as failed, delayed or delivered, in small letters
	Reason   string // a short line: the status code and the server's words
}

// ErrNoReport means that a mail is no report on a mail with a mark. It may be an out-of-office
// answer, for example.
var ErrNoReport = errors.New("the mail is no report on a mail of this server")

// maxReport bounds what is read of a report, in bytes. The mail that it is about may follow,
// and is not needed.
const maxReport = 1 << 20

// ReadReport reads the mail that a mail server delivers to an address that envelopeSender made.
// It fails with ErrNoReport, and with no other error, for any other mail.
func ReadReport(r io.Reader) (Report, error) {
	message, err := mail.ReadMessage(io.LimitReader(r, maxReport))
	if err != nil {
		return Report{}, fmt.Errorf("%w: %w", ErrNoReport, err)
	}
	var report Report
	for _, header := range []string{"X-Original-To", "Delivered-To", "Envelope-To", "To"} {
		for _, value := range message.Header[textproto.CanonicalMIMEHeaderKey(header)] {
			if mark := marked.FindStringSubmatch(value); mark != nil && report.ID == "" {
				report.ID = strings.ToLower(mark[1]) // mail servers may change the case
				report.Sequence, _ = strconv.Atoi(mark[2])
			}
		}
	}
	mediaType, parameters, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil || report.ID == "" || mediaType != "multipart/report" || !strings.EqualFold(parameters["report-type"], "delivery-status") {
		return Report{}, ErrNoReport
	}
	parts := multipart.NewReader(message.Body, parameters["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil { // the end, or a report that was cut off
			return Report{}, ErrNoReport
		}
		kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type"))
		if kind != "message/delivery-status" && kind != "message/global-delivery-status" {
			continue
		}
		return report, report.readStatus(part)
	}
}

// readStatus reads the group of fields about the recipient, which follows the one about the mail.
// A mail of ours has one recipient.
func (r *Report) readStatus(status io.Reader) error {
	fields := textproto.NewReader(bufio.NewReader(status))
	for {
		group, err := fields.ReadMIMEHeader()
		if action := strings.ToLower(strings.TrimSpace(group.Get("Action"))); action != "" {
			words := group.Get("Diagnostic-Code")
			if _, after, typed := strings.Cut(words, ";"); typed { // smtp; 550 5.1.1 …
				words = after
			}
			r.Action, r.Reason = action, said(group.Get("Status")+" "+words)
			return nil
		}
		if err != nil { // the end
			return ErrNoReport
		}
	}
}
