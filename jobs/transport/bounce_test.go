package transport_test

import (
	"errors"
	"strings"
	"testing"

	"giftcards/jobs/transport"
	"giftcards/jobs/transport/smtptest"
)

const dsn = `Return-Path: <>
X-Original-To: bounces+6b03889f7c62afe844000004.2@example.com
Date: Thu, 26 Nov 2026 12:00:00 +0000
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: bounces+6b03889f7c62afe844000004.2@example.com
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I'm sorry.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
Arrival-Date: Thu, 26 Nov 2026 11:59:00 +0000

Final-Recipient: rfc822; ada@example.net
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 <ada@example.net>: Recipient
 address rejected

--b
Content-Type: message/rfc822

Subject: Your gift card
--b--
`

// TestAReportTellsWhichMailDidNotArriveAndWhy, in whichever way the mail server delivers the report.
func TestAReportTellsWhichMailDidNotArriveAndWhy(t *testing.T) {
	t.Parallel()
	const reason = "5.1.1 550 5.1.1 <ada@example.net>: Recipient address rejected"
	for name, mail := range map[string]string{
		"as Postfix delivers it": dsn,
		"with CRLF":              strings.ReplaceAll(dsn, "\n", "\r\n"),
		"without X-Original-To":  strings.Replace(dsn, "X-Original-To", "X-Other", 1),
		"rewritten To":           strings.Replace(dsn, "To: bounces+6b03889f7c62afe844000004.2@", "To: postmaster@", 1),
		"in capital letters":     strings.ReplaceAll(dsn, "6b03889f7c62afe844000004", "6B03889F7C62AFE844000004"),
		"cut off":                strings.SplitN(dsn, "--b\nContent-Type: message/rfc822", 2)[0],
		"with a large mail":      strings.Replace(dsn, "Subject: Your gift card", "Subject: "+strings.Repeat("x", 2<<20), 1),
	} {
		report, err := transport.ReadReport(strings.NewReader(mail))
		if err != nil || report.ID != "6b03889f7c62afe844000004" || report.Sequence != 2 || report.Action != "failed" || report.Reason != reason {
			t.Errorf("%s: %+v (%v)", name, report, err)
		}
	}
	delayed, err := transport.ReadReport(strings.NewReader(strings.Replace(dsn, "Action: failed", "Action: Delayed", 1)))
	if err != nil || delayed.Action != "delayed" {
		t.Errorf("%+v (%v)", delayed, err)
	}
}

func TestAnyOtherMailIsNoReport(t *testing.T) {
	t.Parallel()
	for name, mail := range map[string]string{
		"nothing":             "",
		"no mail":             "\x00\xff",
		"out of office":       "To: bounces+6b03889f7c62afe844000004.0@example.com\nSubject: Away\n\nI am away.\n",
		"no mark":             strings.ReplaceAll(dsn, "+6b03889f7c62afe844000004.2", ""),
		"a long sequence":     strings.ReplaceAll(dsn, ".2@", ".99999@"),
		"another report":      strings.Replace(dsn, "delivery-status;", "disposition-notification;", 1),
		"no status":           strings.Replace(dsn, "message/delivery-status", "text/plain", 1),
		"no action":           strings.Replace(dsn, "Action: failed\n", "", 1),
		"no boundary":         strings.Replace(dsn, `boundary="b"`, "", 1),
		"an address of words": strings.ReplaceAll(dsn, "6b03889f7c62afe844000004", "6b03889f;drop"),
	} {
		if report, err := transport.ReadReport(strings.NewReader(mail)); !errors.Is(err, transport.ErrNoReport) {
			t.Errorf("%s: %+v (%v)", name, report, err)
		}
	}
}

// TestTheEnvelopeOfAReceiptHasNoMark, because its ID would make the part before the @ too long.
func TestTheEnvelopeOfAReceiptHasNoMark(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server, func(o *transport.SMTPOptions) { o.Bounces = "bounces@mail.example.com" })
	receipt := gift("ada@example.com")
	receipt.ID += ".redeemed.6b03889f7c62afe844000005"
	must(t, s.Send(t.Context(), receipt))
	if mails := server.Mails(); len(mails) != 1 || mails[0].From != "bounces@mail.example.com" {
		t.Errorf("%+v", mails)
	}
}

// TestTheEnvelopeHasAMarkOfItsMail if there is an address for reports. A report to this address names
// the mail. The sender that people see has no mark.
func TestTheEnvelopeHasAMarkOfItsMail(t *testing.T) {
	t.Parallel()
	server := smtptest.New(t, smtptest.Hooks{})
	s := sender(t, server, func(o *transport.SMTPOptions) { o.Bounces = "bounces@mail.example.com" })
	again := gift("ada@example.com")
	again.Sequence = 3
	must(t, s.Send(t.Context(), gift("ada@example.com")))
	must(t, s.Send(t.Context(), again))
	mails := server.Mails()
	if len(mails) != 2 || mails[0].From != "bounces+6b03889f7c62afe844000004.0@mail.example.com" || mails[0].Header.Get("From") != `"Bookshop" <cards@example.com>` {
		t.Fatalf("%+v", mails)
	}
	report, err := transport.ReadReport(strings.NewReader(strings.ReplaceAll(dsn, "bounces+6b03889f7c62afe844000004.2@example.com", mails[1].From)))
	if err != nil || report.ID != again.ID || report.Sequence != 3 {
		t.Errorf("%+v (%v)", report, err)
	}
}
