package transport_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
)

// TestAMissingLoginIsNoPermanentRefusal although its code is permanent, because an operator can mend
// the login.
func TestAMissingLoginIsNoPermanentRefusal(t *testing.T) {
	t.Parallel()
	for _, code := range []int{530, 534, 535, 538} {
		server := smtptest.New(t, smtptest.Hooks{Recipient: func(string) error { return smtptest.Refuse(code, "who are you?") }})
		if got := failure(t, sender(t, server).Send(t.Context(), gift("a@example.com"))); got.Permanent || got.Code != code {
			t.Errorf("%d: %+v", code, got)
		}
	}
}

// TestEitherWayOfLoggingInIsUnderstood: PLAIN and LOGIN, also with TLS from the first byte.
func TestEitherWayOfLoggingInIsUnderstood(t *testing.T) {
	t.Parallel()
	web := httptest.NewTLSServer(nil) // only for its certificate
	t.Cleanup(web.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(web.Certificate())
	for name, answers := range map[string][]string{
		"PLAIN": {"220 hi\r\n", "250-localhost\r\n250 AUTH CRAM-MD5 PLAIN\r\n", "235 in\r\n", "553 not you\r\n"},
		"LOGIN": {"220 hi\r\n", "250-localhost\r\n250 AUTH LOGIN\r\n", "334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 in\r\n", "553 not you\r\n"},
	} {
		listener, err := tls.Listen("tcp", "127.0.0.1:0", web.TLS)
		must(t, err)
		follow(t, listener, answers)
		s, err := transport.NewSMTP(transport.SMTPOptions{
			Address: listener.Addr().String(), Security: transport.TLS, Username: smtptest.User, Password: smtptest.Password,
			From: "cards@example.com", Timeout: 10 * time.Second, TLS: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		})
		must(t, err)
		t.Cleanup(s.Close)
		if got := failure(t, s.Send(t.Context(), gift("a@example.com"))); got.Stage != "sender" { // the stage sender comes after the login
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAServerWithTooLongAnswersIsLeft(t *testing.T) {
	t.Parallel()
	s, err := transport.NewSMTP(transport.SMTPOptions{
		Address: script(t, strings.Repeat("x", 1<<20)), Security: transport.Plain, From: "cards@example.com", Timeout: time.Hour,
	})
	must(t, err)
	if got := failure(t, s.Send(t.Context(), gift("a@example.com"))); !strings.Contains(got.Error(), "answers are too long") {
		t.Errorf("got %v", got)
	}
}

// TestAStopEndsConnecting to a silent server.
func TestAStopEndsConnecting(t *testing.T) {
	t.Parallel()
	s, err := transport.NewSMTP(transport.SMTPOptions{Address: script(t), Security: transport.Plain, From: "cards@example.com", Timeout: time.Hour})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, stop)
	if got := failure(t, s.Send(ctx, gift("a@example.com"))); got.Stage != "connect" || got.Unconfirmed {
		t.Errorf("got %+v", got)
	}
}

// TestAStopWaitsOnlyForACompleteMail: it does not wait for an incomplete mail, even after a complete
// one over the same connection.
func TestAStopWaitsOnlyForACompleteMail(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server)
	must(t, s.Send(t.Context(), gift("a@example.com")))
	ctx, stop := context.WithCancel(t.Context())
	server.Set(smtptest.Hooks{Recipient: func(string) error {
		stop()
		time.Sleep(500 * time.Millisecond) // so the sender sees the stop before the answer
		return nil
	}})
	if got := failure(t, s.Send(ctx, gift("a@example.com"))); got.Stage != "recipient" || got.Unconfirmed || server.Connections() != 1 {
		t.Errorf("got %+v over %d connections", got, server.Connections())
	}
}

// TestMailsAtOnceShareNoConnection, but consecutive mails do.
func TestMailsAtOnceShareNoConnection(t *testing.T) {
	t.Parallel()
	const atOnce, rounds = 8, 3
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server)
	for round := range rounds {
		var all sync.WaitGroup
		for i := range atOnce {
			all.Go(func() {
				if err := s.Send(t.Context(), gift(fmt.Sprintf("ada%d@example.com", i))); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			})
		}
		all.Wait()
	}
	if mails, connections := len(server.Mails()), server.Connections(); mails != atOnce*rounds || connections > atOnce {
		t.Errorf("%d mails over %d connections", mails, connections)
	}
}

// TestEHLONamesTheSendersDomainOrTheConfiguredName, before and after STARTTLS, because mail servers
// refuse other names.
func TestEHLONamesTheSendersDomainOrTheConfiguredName(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{"": "example.com", "mail.example.net": "mail.example.net", "[192.0.2.1]": "[192.0.2.1]"} {
		server := smtptest.New(t, smtptest.Hooks{})
		s := sender(t, server, func(o *transport.SMTPOptions) { o.Hello = set })
		must(t, s.Send(t.Context(), gift("a@example.com")))
		if got := server.Mails()[0].Hello; got != want {
			t.Errorf("set to %q, the server is told %q, want %q", set, got, want)
		}
	}
}

// TestTheServersWordsArePassedOn for an accepted mail.
func TestTheServersWordsArePassedOn(t *testing.T) {
	t.Parallel()
	s, err := transport.NewSMTP(transport.SMTPOptions{
		Address:  script(t, "220 hi\r\n", "250 localhost\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n250 2.0.0 Ok: queued as 4F1\r\n"),
		Security: transport.Plain, From: "cards@example.com", Timeout: 10 * time.Second,
	})
	must(t, err)
	t.Cleanup(s.Close)
	var words string
	m := gift("a@example.com")
	m.Taken = func(said string) { words = said }
	must(t, s.Send(t.Context(), m))
	if words != "2.0.0 Ok: queued as 4F1" {
		t.Errorf("the server said %q", words)
	}
}
