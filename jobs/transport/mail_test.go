package transport_test

import (
	"encoding/base64"
	"mime"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs/transport"
)

// mailed returns a mail's headers in the form in which they are sent.
func mailed(t *testing.T, m transport.Message) mail.Header {
	t.Helper()
	dir := t.TempDir()
	must(t, transport.NewMailOutbox(dir, "cards@example.com").Send(t.Context(), m))
	file, err := os.Open(filepath.Join(dir, m.ID+".eml"))
	must(t, err)
	defer file.Close()
	parsed, err := mail.ReadMessage(file)
	must(t, err)
	return parsed.Header
}

// TestAnEncodedWordIsShownAsTyped: a mail program that decodes the header shows the typed
// text, even if it looks like an encoded word.
func TestAnEncodedWordIsShownAsTyped(t *testing.T) {
	t.Parallel()
	hidden := base64.StdEncoding.EncodeToString([]byte("\u202ehttp://evil.example/"))
	for _, typed := range []string{
		"=?utf-8?B?" + hidden + "?= sent you a gift card", "=?UTF-8?Q?=E2=80=AEevil?=", "=?iso-8859-1?q?evil?=", "x =?utf-8?B?" + hidden + "?=x", "=?", "(=?utf-8?q?a?=)",
		strings.Repeat("=?utf-8?q?evil?= ", 12) + "x", "é =?utf-8?B?" + hidden + "?=", `"=?utf-8?q?a?=" <b@example.com>`, "=?utf-8?B?" + hidden, "Ada = who?",
	} {
		m := gift("ada@example.com")
		m.Subject, m.FromName = typed, typed
		header := mailed(t, m)
		if got, err := new(mime.WordDecoder).DecodeHeader(header.Get("Subject")); err != nil || got != typed {
			t.Errorf("subject %q is shown as %q (%v)", typed, got, err)
		}
		from, err := header.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Name != typed || from[0].Address != "cards@example.com" {
			t.Errorf("%q is shown as %v (%v)", typed, from, err)
		}
	}
	got := failure(t, transport.NewMailOutbox(t.TempDir(), "cards@example.com").Send(t.Context(), gift("=?utf-8?q?evil?=@example.com")))
	if !got.Permanent || got.Stage != "address" {
		t.Errorf("an encoded word as address: %+v", got)
	}
}

// TestAMailThatAnOperatorSendsAgainHasAnotherID, and replaces the file.
func TestAMailThatAnOperatorSendsAgainHasAnotherID(t *testing.T) {
	t.Parallel()
	for sequence, want := range []string{"<6b03889f7c62afe844000004@example.com>", "<6b03889f7c62afe844000004.1@example.com>", "<6b03889f7c62afe844000004.2@example.com>"} {
		m := gift("ada@example.com")
		m.Sequence = sequence
		if got := mailed(t, m).Get("Message-Id"); got != want {
			t.Errorf("sent %d times more as %s, want %s", sequence, got, want)
		}
	}
}

// TestAnswersGoToTheReplyTo, which is one header with one address. Without an address there is no header.
func TestAnswersGoToTheReplyTo(t *testing.T) {
	t.Parallel()
	if header := mailed(t, gift("ada@example.com")); header.Get("Reply-To") != "" {
		t.Errorf("without an address: %v", header)
	}
	m := gift("ada@example.com")
	m.ReplyTo = "shop@example.com"
	answers, err := mailed(t, m).AddressList("Reply-To")
	if err != nil || len(answers) != 1 || answers[0].Address != "shop@example.com" {
		t.Errorf("answers go to %v (%v)", answers, err)
	}
}
