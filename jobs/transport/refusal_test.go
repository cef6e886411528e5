package transport_test

import (
	"testing"
	"time"

	"giftcards/jobs/transport"
)

// TestOnlyARefusalOfTheRecipientsAddressIsFinal: an operator or the mail server's administrator can
// mend the cause of any other refusal, and the message is retried until then.
func TestOnlyARefusalOfTheRecipientsAddressIsFinal(t *testing.T) {
	t.Parallel()
	// Answers at every stage, with and without an enhanced status code.
	for _, c := range []struct {
		stage, answer string
		final         bool
	}{
		{"recipient", "550 5.1.1 <a@example.com>: User unknown in virtual mailbox table", true},
		{"recipient", "550-5.1.1 The email account that you tried to reach does not exist.\r\n550 5.1.1 Try again", true},
		{"recipient", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", true},
		{"recipient", "501 5.1.3 Bad recipient address syntax", true},
		{"recipient", "556 5.1.10 Domain does not accept mail (nullMX)", true},
		{"recipient", "550 #5.1.0 Address rejected.", true},
		{"recipient", "550 sorry, no mailbox here by that name. (#5.1.1)", true},
		{"recipient", "553 5.1.2 The recipient's domain is not there", true},
		{"recipient", "550 no such user", true}, // without an enhanced status code
		{"recipient", "551 user not local", true},
		{"recipient", "553 mailbox name not allowed", true},
		{"end", "550 5.1.1 User unknown", true}, // the server has asked a second one
		{"recipient", "504 5.5.2 <host>: Helo command rejected: need fully-qualified hostname", false},
		{"recipient", "550 5.7.1 Client host rejected", false},
		{"recipient", "554 5.7.1 <a@example.com>: Relay access denied", false},
		{"recipient", "550 5.7.26 This mail is unauthenticated", false},
		{"recipient", "550 5.7.0 Authentication required", false},
		{"recipient", "530 Authentication required", false},
		{"recipient", "550 5.1.8 <cards@example.com>: Sender address rejected: Domain not found", false},
		{"recipient", "550 5.1.7 Sender address rejected: undeliverable address", false},
		{"recipient", "552 5.2.2 Mailbox full", false},
		{"recipient", "550 5.4.1 Recipient address rejected: Access denied", false},
		{"recipient", "550 5.3.2 System not accepting network messages", false},
		{"recipient", "554 no SMTP service here", false},
		{"recipient", "503 RCPT before MAIL", false},
		{"recipient", "501 syntax error", false},
		{"recipient", "450 4.1.1 unverified address", false},
		{"recipient", "450 5.1.1 code and status differ", false},
		{"recipient", "550 4.1.1 code and status differ", false},
		{"recipient", "554 see http://192.0.2.1/5.1.1", false},
		{"recipient", "554 5.1.1.7 is no status but an address", false},
		{"recipient", "421 4.7.0 slow down", false},
		{"sender", "550 5.1.0 Sender rejected", false},
		{"sender", "550 no such sender", false},
		{"data", "550 5.7.1 not now", false},
		{"end", "550 5.7.1 Message rejected as spam", false},
		{"end", "550 content rejected", false},
		{"end", "554 5.6.0 malformed", false},
		{"end", "552 5.3.4 Message size exceeds fixed limit", false},
	} {
		t.Run(c.stage+" "+c.answer, func(t *testing.T) {
			t.Parallel()
			answers := []string{"220 hi\r\n", "250 localhost\r\n"}
			for _, step := range []struct{ stage, answer string }{{"sender", "250 ok\r\n"}, {"recipient", "250 ok\r\n"}, {"data", "354 go\r\n"}} {
				if step.stage == c.stage {
					break
				}
				answers = append(answers, step.answer)
			}
			if c.stage == "end" { // the script sends a line for each line that it reads, and a mail has many
				answers[len(answers)-1] += c.answer + "\r\n"
			} else {
				answers = append(answers, c.answer+"\r\n")
			}
			s, err := transport.NewSMTP(transport.SMTPOptions{
				Address: script(t, answers...), Security: transport.Plain, From: "cards@example.com", Timeout: 10 * time.Second,
			})
			must(t, err)
			t.Cleanup(s.Close)
			got := failure(t, s.Send(t.Context(), gift("a@example.com")))
			if got.Permanent != c.final || got.Stage != c.stage || got.Unconfirmed || got.Settings != (c.stage == "sender") {
				t.Errorf("got %+v, want final %t", got, c.final)
			}
		})
	}
}
