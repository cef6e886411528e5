package transport_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

func sender(t *testing.T, s *smtptest.Server, change ...func(*transport.SMTPOptions)) *transport.SMTP {
	t.Helper()
	o := transport.SMTPOptions{
		Address: s.Address, Security: transport.STARTTLS, Username: smtptest.User, Password: smtptest.Password,
		From: "cards@example.com", Timeout: 10 * time.Second, TLS: s.TLS,
	}
	for _, f := range change {
		f(&o)
	}
	made, err := transport.NewSMTP(o)
	must(t, err)
	t.Cleanup(made.Close)
	return made
}

func gift(to string) transport.Message {
	return transport.Message{
		ID: "6b03889f7c62afe844000004", To: to, FromName: "Bookshop", Subject: "A gift", Text: "text\n", HTML: "<p>html</p>", Date: time.Unix(1_700_000_000, 0),
	}
}

// failure returns Send's error as an *Error.
func failure(t *testing.T, err error) *transport.Error {
	t.Helper()
	failed, ok := errors.AsType[*transport.Error](err)
	if !ok {
		t.Fatalf("error %v, want a *transport.Error", err)
	}
	return failed
}

func TestMailIsHandedOverEncryptedAuthenticatedAndWithAStableID(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server)
	for range 3 {
		must(t, s.Send(t.Context(), gift("ada@example.com")))
	}
	mails := server.Mails()
	if len(mails) != 3 || server.Connections() != 1 { // one connection for all mails
		t.Fatalf("%d mails over %d connections", len(mails), server.Connections())
	}
	for _, m := range mails {
		if m.ID != "<6b03889f7c62afe844000004@example.com>" || m.From != "cards@example.com" || m.To != "ada@example.com" {
			t.Errorf("mail %s from %s to %s", m.ID, m.From, m.To)
		}
		if from := m.Header.Get("From"); from != `"Bookshop" <cards@example.com>` {
			t.Errorf("From: %s", from)
		}
		if kind := m.Header.Get("Content-Type"); !strings.HasPrefix(kind, "multipart/alternative") {
			t.Errorf("Content-Type: %s", kind)
		}
	}
}

func TestARefusalIsPermanentOrTemporaryAsTheServerSays(t *testing.T) {
	t.Parallel()
	refuseRecipient := func(code int) smtptest.Hooks {
		return smtptest.Hooks{Recipient: func(string) error { return smtptest.Refuse(code, "no") }}
	}
	refuseData := func(code int) smtptest.Hooks {
		return smtptest.Hooks{Data: func(smtptest.Mail) error { return smtptest.Refuse(code, "no") }}
	}
	for name, c := range map[string]struct {
		hooks smtptest.Hooks
		to    string
		want  transport.Error
	}{
		"recipient for good":   {refuseRecipient(550), "a@example.com", transport.Error{Permanent: true, Stage: "recipient", Code: 550}},
		"recipient for now":    {refuseRecipient(451), "a@example.com", transport.Error{Stage: "recipient", Code: 451}},
		"mail refused":         {refuseData(554), "a@example.com", transport.Error{Stage: "end", Code: 554}},
		"mail for now":         {refuseData(452), "a@example.com", transport.Error{Stage: "end", Code: 452}},
		"dropped before DATA":  {smtptest.Hooks{Recipient: func(string) error { return smtptest.ErrHangUp }}, "a@example.com", transport.Error{Stage: "recipient"}},
		"dropped after DATA":   {smtptest.Hooks{Data: func(smtptest.Mail) error { return smtptest.ErrHangUp }}, "a@example.com", transport.Error{Unconfirmed: true, Stage: "end"}},
		"no SMTPUTF8":          {smtptest.Hooks{}, "jürgen@example.com", transport.Error{Permanent: true, Stage: "recipient"}},
		"an impossible domain": {smtptest.Hooks{}, "a@exa mple.com", transport.Error{Permanent: true, Stage: "address"}},
		"a line in an address": {smtptest.Hooks{}, "a@example.com>\r\nRCPT TO:<b@example.com", transport.Error{Permanent: true, Stage: "address"}},
		"no domain":            {smtptest.Hooks{}, "a", transport.Error{Permanent: true, Stage: "address"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := failure(t, sender(t, smtptest.New(t, c.hooks)).Send(t.Context(), gift(c.to)))
			got.Err = nil
			if *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

// TestARefusalLeavesTheNextMailAlone: the same sender sends it.
func TestARefusalLeavesTheNextMailAlone(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{Recipient: func(to string) error {
		if strings.HasPrefix(to, "bad") {
			return smtptest.Refuse(550, "no such user")
		}
		return nil
	}})
	s := sender(t, server)
	must(t, s.Send(t.Context(), gift("good@example.com")))
	failure(t, s.Send(t.Context(), gift("bad@example.com")))
	must(t, s.Send(t.Context(), gift("good@example.com")))
	if n := len(server.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestADomainThatIsNotASCIIIsSentInPunycode(t *testing.T) {
	t.Parallel()
	for sent, got := range map[string]string{
		"ada@bücher.example":    "ada@xn--bcher-kva.example",
		"ada@例え.テスト":            "ada@xn--r8jz45g.xn--zckzah",
		"jürgen@bücher.example": "jürgen@xn--bcher-kva.example",
		"ada@[192.0.2.1]":       "ada@[192.0.2.1]",
	} {
		server := smtptest.New(t, smtptest.Hooks{SMTPUTF8: true})
		must(t, sender(t, server).Send(t.Context(), gift(sent)))
		if mails := server.Mails(); mails[0].To != got {
			t.Errorf("%s went to %s, want %s", sent, mails[0].To, got)
		}
	}
}

// TestAFailureToConnectIsTemporary, because an operator can mend it and the mail is not at fault.
func TestAFailureToConnectIsTemporary(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, closed.Close())
	for name, change := range map[string]func(*transport.SMTPOptions){
		"wrong password":       func(o *transport.SMTPOptions) { o.Password = "wrong" },
		"untrusted":            func(o *transport.SMTPOptions) { o.TLS = nil },
		"nobody listens":       func(o *transport.SMTPOptions) { o.Address = closed.Addr().String() },
		"TLS where plain is":   func(o *transport.SMTPOptions) { o.Security = transport.TLS },
		"no STARTTLS":          func(o *transport.SMTPOptions) { o.Address = script(t, "220 hi\r\n", "250 localhost\r\n") },
		"refused greeting":     func(o *transport.SMTPOptions) { o.Address = script(t, "554 go away\r\n") },
		"nonsense":             func(o *transport.SMTPOptions) { o.Address = script(t, "HTTP/1.1 400 Bad Request\r\n\r\n") },
		"nonsense without end": func(o *transport.SMTPOptions) { o.Address = script(t, strings.Repeat("x", 1<<20)) },
		"silence": func(o *transport.SMTPOptions) {
			o.Address = script(t)
			o.Timeout = 100 * time.Millisecond
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := failure(t, sender(t, server, change).Send(t.Context(), gift("a@example.com")))
			if got.Permanent || got.Unconfirmed || got.Stage != "connect" {
				t.Errorf("got %+v", got)
			}
			if strings.Contains(got.Error(), smtptest.Password) {
				t.Errorf("the password is told: %v", got)
			}
		})
	}
	if n := len(server.Mails()); n != 0 {
		t.Errorf("%d mails were taken", n)
	}
}

// script starts a server and returns its address. The server sends the first line at once, and each
// other line after a line that it reads. Then it is silent.
func script(t *testing.T, answers ...string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	follow(t, listener, answers)
	return listener.Addr().String()
}

func follow(t *testing.T, listener net.Listener, answers []string) {
	t.Helper()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewReader(conn)
				for i, answer := range answers {
					if i > 0 {
						if _, err := lines.ReadString('\n'); err != nil {
							return
						}
					}
					if _, err := io.WriteString(conn, answer); err != nil {
						return
					}
				}
				_, _ = io.Copy(io.Discard, lines)
			}()
		}
	}()
}

func TestAnUnreadableAnswerIsUnconfirmedOnlyAfterTheWholeMail(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []string
		want    transport.Error
	}{
		"a sender refused for good": {[]string{"220 hi\r\n", "250 localhost\r\n", "553 not you\r\n"}, transport.Error{Stage: "sender", Code: 553, Settings: true}},
		"a sender refused for now":  {[]string{"220 hi\r\n", "250 localhost\r\n", "421 later\r\n"}, transport.Error{Stage: "sender", Code: 421, Settings: true}},
		"not logged in":             {[]string{"220 hi\r\n", "250 localhost\r\n", "530 5.7.0 Authentication required\r\n"}, transport.Error{Stage: "sender", Code: 530, Settings: true}},
		"to MAIL":                   {[]string{"220 hi\r\n", "250 localhost\r\n", "what?\r\n"}, transport.Error{Stage: "sender", Settings: true}},
		"to RCPT":                   {[]string{"220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "999 sure\r\n"}, transport.Error{Stage: "recipient"}},
		"to DATA":                   {[]string{"220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "250 ok\r\n", "250 not 354\r\n"}, transport.Error{Stage: "data"}},
		"to the end": {
			[]string{"220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n\x00\xff{}\r\n"},
			transport.Error{Stage: "end", Unconfirmed: true},
		},
		"silence at the end": {
			[]string{"220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n"},
			transport.Error{Stage: "end", Unconfirmed: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := transport.NewSMTP(transport.SMTPOptions{
				Address: script(t, c.answers...), Security: transport.Plain, From: "cards@example.com", Timeout: 500 * time.Millisecond,
			})
			must(t, err)
			got := failure(t, s.Send(t.Context(), gift("a@example.com")))
			got.Err = nil
			if *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

// TestAStalledServerIsLeft when the time-out of the sender or of its caller ends.
func TestAStalledServerIsLeft(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{Recipient: func(string) error { <-t.Context().Done(); return nil }})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if got := failure(t, sender(t, server).Send(ctx, gift("a@example.com"))); got.Permanent || got.Unconfirmed || got.Stage != "recipient" {
		t.Errorf("got %+v", got)
	}
}

// TestAStopDoesNotWaitForASilentServer, even while a kept connection that worked before is being
// checked.
func TestAStopDoesNotWaitForASilentServer(t *testing.T) {
	t.Parallel()
	address := script(t, "220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 taken\r\n")
	s, err := transport.NewSMTP(transport.SMTPOptions{Address: address, Security: transport.Plain, From: "cards@example.com", Timeout: time.Hour})
	must(t, err)
	must(t, s.Send(t.Context(), gift("a@example.com")))
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if got := failure(t, s.Send(ctx, gift("b@example.com"))); got.Unconfirmed || got.Permanent || got.Stage != "connect" {
		t.Errorf("got %+v", got)
	}
}

// TestAStopWaitsForTheAnswerToACompleteMail, because the mail might otherwise be sent twice.
func TestAStopWaitsForTheAnswerToACompleteMail(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	server := smtptest.New(t, smtptest.Hooks{Data: func(smtptest.Mail) error {
		stop()
		time.Sleep(200 * time.Millisecond) // the sender learns only of the stop
		return nil
	}})
	must(t, sender(t, server).Send(ctx, gift("a@example.com")))
}

// TestAServerThatHungUpMeanwhileIsCalledAgain: the kept connection is broken, and the mail is sent over
// a new one.
func TestAServerThatHungUpMeanwhileIsCalledAgain(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server)
	must(t, s.Send(t.Context(), gift("a@example.com")))
	server.HangUp()
	must(t, s.Send(t.Context(), gift("a@example.com")))
	if n := server.Connections(); len(server.Mails()) != 2 || n != 2 {
		t.Errorf("%d mails over %d connections", len(server.Mails()), n)
	}
}
