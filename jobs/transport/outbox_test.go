package transport_test

import (
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs/transport"
)

func TestTheOutboxHoldsWholeFilesForTheirOwnerAlone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "outbox")
	mails, texts := transport.NewMailOutbox(dir, "cards@example.com"), transport.NewSMSOutbox(dir)
	for range 2 { // the second mail replaces the first
		must(t, mails.Send(t.Context(), gift("ada@example.com")))
		must(t, texts.Send(t.Context(), text("+442079460018")))
	}
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 2 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		info, err := file.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", file.Name(), info.Mode().Perm())
		}
	}
	eml, err := os.Open(filepath.Join(dir, "6b03889f7c62afe844000004.eml"))
	must(t, err)
	defer eml.Close()
	if m, err := mail.ReadMessage(eml); err != nil || m.Header.Get("Subject") != "A gift" {
		t.Errorf("the mail: %v %v", m, err)
	}
	sms, err := os.ReadFile(filepath.Join(dir, "6b03889f7c62afe844000004.sms.txt"))
	must(t, err)
	if !strings.Contains(string(sms), "+442079460018") || !strings.Contains(string(sms), "Code 012345 & more") {
		t.Errorf("the text message: %s", sms)
	}
}

func TestAnOutboxThatCannotBeWrittenFailsTemporarily(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o600))
	if got := failure(t, transport.NewSMSOutbox(file).Send(t.Context(), text("+442079460018"))); got.Permanent || got.Unconfirmed {
		t.Errorf("got %+v", got)
	}
}

func TestAnOutboxThatLeadsElsewhereIsNotUsed(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	dir := filepath.Join(t.TempDir(), "outbox")
	must(t, os.Symlink(elsewhere, dir))
	if got := failure(t, transport.NewSMSOutbox(dir).Send(t.Context(), text("+442079460018"))); got.Permanent {
		t.Errorf("got %+v", got)
	}
	if files, err := os.ReadDir(elsewhere); err != nil || len(files) > 0 {
		t.Errorf("written there: %v, %v", files, err)
	}
}
