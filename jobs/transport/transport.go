// Package transport hands messages over: mail to an SMTP server, text messages
// to a provider over HTTP, or either to files. It tells what was refused for
// good from what may be tried again, and from what may have been taken unseen.
// It knows nothing of cards, of queues, or of what a message says.
package transport

import (
	"context"
	"strings"
	"time"
	"unicode"
)

// Message is something to hand over. A mail has all of it, a text message ID,
// To and Text.
type Message struct {
	// ID is the same whenever the message is sent again: letters, digits and dots.
	ID string
	// Sequence is how often the message was sent once more on purpose. Each time its
	// mail gets another Message-ID: mail programs show only one of two with the same.
	Sequence int
	To       string // an address, or a number in E.164
	FromName string
	Subject  string
	Text     string
	HTML     string
	Date     time.Time
	// Taken, unless nil, gets the words with which the server took the message.
	Taken func(words string)
}

// taken passes on what the server said.
func (m Message) taken(words string) {
	if m.Taken != nil {
		m.Taken(said(words))
	}
}

// Sender hands messages over. It is safe for concurrent use.
type Sender interface {
	// Send returns nil once the message was taken. Its errors are *Error; any other
	// error means that nothing was handed over. When ctx ends, what is not handed
	// over is given up; the answer to what is gets AnswerGrace more to come.
	Send(ctx context.Context, m Message) error
	// Close gives up idle connections.
	Close()
}

// Error says why a message was not taken.
type Error struct {
	// Permanent: it will never be, as it is.
	Permanent bool
	// Unconfirmed: perhaps it was, nobody said.
	Unconfirmed bool
	// Settings: it was not asked for this message, but for any. The settings or the
	// server are at fault, and Err names no recipient.
	Settings bool
	// Stage is where it happened: a word such as connect or recipient.
	Stage string
	// Code is the server's, 0 if it said none.
	Code int
	// Err may hold what the server said: addresses, for instance.
	Err error
}

func (e *Error) Error() string { return e.Stage + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AnswerGrace is how long a stopping program waits for a server's word on what it
// was handed whole: without it, nobody knows whether the message was taken.
const AnswerGrace = 10 * time.Second

// maxReason is how much of a server's words is kept, in bytes.
const maxReason = 300

// said makes one short line of a server's words.
func said(words string) string {
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(words, "?"), func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r)
	}), " ")
	if len(line) > maxReason {
		line = strings.ToValidUTF8(line[:maxReason], "") + "…"
	}
	return line
}
