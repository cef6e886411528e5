package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wneessen/go-mail/smtp"
)

// The ways to secure a connection to an SMTP server.
const (
	STARTTLS = "starttls" // required: nothing is sent without it
	TLS      = "tls"      // from the first byte
	Plain    = "plain"    // none; only for a server on this machine
)

// SMTPOptions configures an SMTP client.
type SMTPOptions struct {
	Address            string // host:port
	Security           string // STARTTLS, TLS or Plain
	Username, Password string // no authentication if empty
	From               string // address that mail comes from
	// Bounces is the address for reports on mails that did not arrive. Each mail adds a mark of its
	// own before the @ (VERP). If it is empty, reports go to From without a mark.
	Bounces string
	Hello   string // name of this machine in EHLO, the domain of From if empty
	// DKIM signs mails; nil: they are not signed.
	DKIM *DKIM
	// Timeout bounds the sending of one mail, including the connection.
	Timeout time.Duration
	// TLS replaces the system's trusted certificates in tests.
	TLS *tls.Config
}

// SMTP sends mail over an SMTP server. It keeps connections for a moment, because the next
// mail often follows at once.
type SMTP struct {
	options SMTPOptions
	host    string

	mutex  sync.Mutex
	idle   []*connection
	closed bool
}

// NewSMTP returns a sender that is not connected yet.
func NewSMTP(o SMTPOptions) (*SMTP, error) {
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("SMTP server: %w", err)
	}
	if o.TLS == nil {
		o.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if o.Hello == "" {
		_, o.Hello, _ = strings.Cut(o.From, "@")
	}
	o.TLS = o.TLS.Clone()
	o.TLS.ServerName = host
	return &SMTP{options: o, host: host}, nil
}

// Send sends a mail. A refusal may be permanent only if the server knew this mail. Every
// error before that has the field Settings, because it concerns all mails.
func (s *SMTP) Send(ctx context.Context, m Message) error {
	mail, err := newEnvelope(m, s.options.From)
	if err != nil {
		return &Error{Permanent: true, Stage: "address", Err: err}
	}
	mail.dkim = s.options.DKIM
	if s.options.Bounces != "" {
		mail.from = "<" + envelopeSender(s.options.Bounces, m) + ">"
	}
	limited, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	c, err := s.connect(limited)
	if err != nil {
		return &Error{Settings: true, Stage: "connect", Code: code(err), Err: errors.New(said(err.Error()))}
	}
	// When the caller gives up, the answer to a complete mail may still come.
	defer context.AfterFunc(ctx, func() { c.hurry(deadline(limited)) })()
	words, failed := c.send(mail)
	// After a failure the state of the session is unknown.
	if failed != nil {
		_ = c.net.Close()
		return failed
	}
	m.taken(words)
	s.keep(c)
	return nil
}

// send runs one mail transaction and returns the words with which the server accepted the
// mail.
func (c *connection) send(mail envelope) (words string, failed *Error) {
	// Without SMTPUTF8 the server would refuse the address, or pass it on damaged.
	if able, _ := c.Extension("SMTPUTF8"); mail.utf8 && !able {
		return "", &Error{Permanent: true, Stage: "recipient", Err: errors.New("the server accepts only addresses in ASCII")}
	}
	if err := c.Mail(mail.from); err != nil {
		return "", refusal("sender", err)
	}
	if err := c.Rcpt(mail.to); err != nil {
		return "", refusal("recipient", err)
	}
	body, err := c.Data()
	if err != nil {
		return "", refusal("data", err)
	}
	if _, err := mail.WriteTo(body); err != nil {
		return "", &Error{Stage: "data", Err: err} // the server drops a mail without its last line
	}
	// From here on, the server may have accepted the mail even if its answer never arrives.
	c.whole.Store(true)
	defer c.whole.Store(false)
	if err := body.Close(); err != nil {
		failed := refusal("end", err)
		failed.Unconfirmed = failed.Code == 0
		return "", failed
	}
	if answered, ok := body.(*smtp.DataCloser); ok {
		words = answered.ServerResponse()
	}
	return words, nil
}

// connect returns a connection on which a mail can begin.
func (s *SMTP) connect(ctx context.Context) (*connection, error) {
	// Try kept connections first. Each is checked, because a mail must not fail by an old
	// one.
	for c := s.take(); c != nil; c = s.take() {
		_ = c.net.SetDeadline(deadline(ctx))
		c.net.left = maxAnswers
		stop := context.AfterFunc(ctx, func() { _ = c.net.SetDeadline(time.Now()) })
		err := c.Reset() // fails if the server has hung up meanwhile
		stop()
		if err == nil {
			return c, nil
		}
		_ = c.net.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	dialed, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.options.Address)
	if err != nil {
		return nil, err
	}
	raw := &boundedConn{Conn: dialed, left: maxAnswers}
	_ = raw.SetDeadline(deadline(ctx))
	// The SMTP client knows no contexts, so that a stop ends its reads by a deadline.
	stop := context.AfterFunc(ctx, func() { _ = raw.SetDeadline(time.Now()) })
	defer stop()
	client, err := s.greet(raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	return &connection{Client: client, net: raw}, nil
}

func deadline(ctx context.Context) time.Time {
	end, _ := ctx.Deadline() // set by Send
	return end
}

// greet begins a session. Encryption comes before authentication, which sends the password.
func (s *SMTP) greet(raw net.Conn) (*smtp.Client, error) {
	if s.options.Security == TLS {
		raw = tls.Client(raw, s.options.TLS)
	}
	client, err := smtp.NewClient(raw, s.host)
	if err != nil {
		return nil, err
	}
	// The machine's own name would not do: servers refuse the name of a container.
	if err := client.Hello(s.options.Hello); err != nil {
		return nil, err
	}
	if s.options.Security == STARTTLS {
		if offered, _ := client.Extension("STARTTLS"); !offered {
			return nil, errors.New("the server does not offer STARTTLS")
		}
		if err := client.StartTLS(s.options.TLS); err != nil {
			return nil, err
		}
	}
	if s.options.Username == "" {
		return client, nil
	}
	offered, mechanisms := client.Extension("AUTH")
	methods := strings.Fields(strings.ToUpper(mechanisms))
	insecure := s.options.Security == Plain // lets the library authenticate without TLS
	switch {
	case offered && slices.Contains(methods, "PLAIN"):
		err = client.Auth(smtp.PlainAuth("", s.options.Username, s.options.Password, s.host, insecure))
	case offered && slices.Contains(methods, "LOGIN"):
		err = client.Auth(smtp.LoginAuth(s.options.Username, s.options.Password, s.host, insecure))
	default:
		err = errors.New("the server offers neither AUTH PLAIN nor LOGIN")
	}
	return client, err
}
