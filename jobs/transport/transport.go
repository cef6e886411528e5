// Package transport sends messages: mail to an SMTP server, text messages to a provider
// over HTTP, or either to files. Its errors distinguish permanent refusals, failures that
// may be retried, and messages that the server may have accepted without an answer. The
// package knows nothing of cards, queues, or the content of a message.
package transport

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// Message is a message to send. A mail uses all fields, a text message ID, To and Text.
type Message struct {
	// ID stays the same when the message is retried. It consists of letters, digits and dots.
	ID string
	// Sequence distinguishes messages with the same ID that are all meant to arrive. Each has
	// another Message-ID, because mail programs show only one of two mails with the same one.
	Sequence int
	To       string // an address, or a number in E.164
	FromName string
	ReplyTo  string // the address for answers, in ASCII; empty: the sender's
	Subject  string
	Text     string
	HTML     string
	Image    *Image // in HTML; nil: none
	Date     time.Time
	// Unsubscribe is an https address that ends mails of this kind by a POST; empty: none.
	Unsubscribe string
	// Taken, unless nil, is called with the words with which the server accepted the message.
	Taken func(words string)
}

// Image is a picture within a mail.
type Image struct {
	ID  string // its Content-ID without angle brackets: HTML shows it as cid: and this
	PNG []byte
}

// taken calls Taken.
func (m Message) taken(words string) {
	if m.Taken != nil {
		m.Taken(said(words))
	}
}

// Sender sends messages. It is safe for concurrent use.
type Sender interface {
	// Send returns nil after the server has accepted the message. Its errors are *Error; any
	// other error means that nothing was sent. When ctx ends, Send gives up a message that
	// the server does not have completely, and waits AnswerGrace for the answer to one that
	// it has.
	Send(ctx context.Context, m Message) error
	// Close gives up idle connections.
	Close()
}

// Error is the reason why a message was not accepted.
type Error struct {
	// Permanent means that a retry of the same message would fail, too.
	Permanent bool
	// Unconfirmed means that the server may have accepted the message, because it had all of
	// it and did not answer.
	Unconfirmed bool
	// Settings means that every message would fail. The settings or the server are at fault,
	// and Err names no recipient.
	Settings bool
	// Stage is the step that failed, such as connect or recipient.
	Stage string
	// Code is the code of the server's answer, 0 without one.
	Code int
	// Err may contain the server's answer and therefore the recipient's address.
	Err error
}

// Error returns the stage of the exchange with the server, and the fault.
func (e *Error) Error() string { return e.Stage + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AnswerGrace is the time that a stopping program waits for the answer to a complete
// message. Without the answer nobody knows whether the server has accepted it.
const AnswerGrace = 10 * time.Second

// maxReason bounds the part of a server's answer that is kept, in bytes.
const maxReason = 300

// said makes one short line of a server's answer.
func said(words string) string {
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(words, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "…"
	}
	return line
}
