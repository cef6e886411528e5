// Package smtptest is an SMTP server for tests. It requires STARTTLS and a password, and
// keeps every mail. Hooks make it refuse, stall or hang up.
package smtptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// User and Password are the only valid login.
const (
	User     = "cards@example.com"
	Password = "a password of a mail server"
)

// ErrHangUp closes the connection without an answer if a hook returns it.
var ErrHangUp = errors.New("hang up")

// Refuse returns a refusal for a hook, such as Refuse(550, "no such user").
func Refuse(code int, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.NoEnhancedCode, Message: text}
}

// Mail is a complete mail that the server received, even if a hook then refused it.
type Mail struct {
	From, To string // of the envelope
	ID       string // its Message-ID
	Hello    string // the client's name in EHLO
	At       time.Time
	*mail.Message
	Raw []byte
}

// Hooks change the server's answers. A nil hook accepts everything.
type Hooks struct {
	Recipient func(to string) error
	Data      func(Mail) error // returns the answer
	SMTPUTF8  bool
}

// Server is a running server.
type Server struct {
	Address  string
	TLS      *tls.Config // trusts the server
	CertFile string      // the certificate, PEM

	mutex       sync.Mutex
	hooks       Hooks
	mails       []Mail
	connections int
	open        []*smtp.Conn
}

// New starts a server that ends with the test.
func New(t testing.TB, hooks Hooks) *Server {
	t.Helper()
	s := &Server{hooks: hooks}
	certificate := s.certificate(t)
	server := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		// STARTTLS begins a second session on the same connection, which counts once.
		if _, secure := c.TLSConnectionState(); !secure {
			s.connections++
			s.open = append(s.open, c)
		}
		return &session{server: s, conn: c}, nil
	}))
	server.Domain = "localhost"
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.EnableSMTPUTF8 = hooks.SMTPUTF8
	server.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Address = listener.Addr().String()
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return s
}

// certificate makes a certificate for 127.0.0.1.
func (s *Server) certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	s.CertFile = filepath.Join(t.TempDir(), "smtp.pem")
	if err := os.WriteFile(s.CertFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	s.TLS = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// Set changes the hooks from the next command on.
func (s *Server) Set(hooks Hooks) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.hooks = hooks
}

// Mails returns all mails received so far.
func (s *Server) Mails() []Mail {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]Mail(nil), s.mails...)
}

// Connections returns the number of connections so far.
func (s *Server) Connections() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.connections
}

// HangUp closes all connections.
func (s *Server) HangUp() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, c := range s.open {
		_ = c.Conn().Close()
	}
	s.open = nil
}

// session is a session of a connection. STARTTLS begins a new one.
type session struct {
	server        *Server
	conn          *smtp.Conn
	authenticated bool
	from, to      string
}

func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, username, password string) error {
		if username != User || password != Password {
			return smtp.ErrAuthFailed
		}
		s.authenticated = true
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	// Without STARTTLS and a login, no mail begins.
	if _, secure := s.conn.TLSConnectionState(); !secure || !s.authenticated {
		return smtp.ErrAuthRequired
	}
	s.from = from
	return nil
}

func (s *session) hooks() Hooks {
	s.server.mutex.Lock()
	defer s.server.mutex.Unlock()
	return s.server.hooks
}

func (s *session) answer(err error) error {
	if errors.Is(err, ErrHangUp) {
		// Closing the connection loses the answer.
		_ = s.conn.Conn().Close()
	}
	return err
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.to = to
	if check := s.hooks().Recipient; check != nil {
		return s.answer(check(to))
	}
	return nil
}

func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Refuse(554, "not a mail")
	}
	// The mail counts as received even if the hook refuses it.
	m := Mail{From: s.from, To: s.to, Hello: s.conn.Hostname(), ID: message.Header.Get("Message-Id"), At: time.Now(), Message: message, Raw: raw}
	s.server.mutex.Lock()
	s.server.mails = append(s.server.mails, m)
	s.server.mutex.Unlock()
	if judge := s.hooks().Data; judge != nil {
		return s.answer(judge(m))
	}
	return nil
}

func (s *session) Reset()        { s.from, s.to = "", "" }
func (s *session) Logout() error { return nil }
