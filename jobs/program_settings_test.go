package jobs_test

import (
	"io"
	"mime"
	"mime/quotedprintable"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/jobs"
	"giftcards/jobs/message"
	"giftcards/jobs/message/texts"
	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
	"giftcards/store/storetest"
	"giftcards/store/text"
)

// decoded returns a mail's text without the quoted-printable encoding.
func decoded(t testing.TB, raw []byte) string {
	t.Helper()
	_, body, _ := strings.Cut(string(raw), "\r\n\r\n")
	body, _, _ = strings.Cut(body, "Content-Type: image/png") // which is in another encoding
	read, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
	must(t, err)
	return string(read)
}

// TestMailAndTextMessageFollowTheSettingsOfTheProgram: language, currency, zone, sender's name and
// Reply-To. A mail that is sent after a change has the new settings and the merchant's new name.
func TestMailAndTextMessageFollowTheSettingsOfTheProgram(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	p.issue(withPhone)
	p.reach(store.MessageSent, 2)
	first := p.mails.Mails()[0]
	if first.Header.Get("Reply-To") != "" || !strings.Contains(first.Header.Get("From"), "Blackwood Books") {
		t.Errorf("without settings: %v", first.Header)
	}
	storetest.AsOwner(t, p.Store, func(tx *store.Tx) (store.Program, error) {
		if _, err := tx.RenameMerchant(t.Context(), p.program.MerchantID, "Der Buchladen"); err != nil {
			return store.Program{}, err
		}
		return tx.SetProgram(t.Context(), p.program.ID, func(s *store.ProgramSettings) error {
			s.Currency, s.Locale, s.SenderName, s.ReplyTo = new("EUR"), new("de-DE"), new("Geschenkkarten"), new("laden@example.com")
			return nil
		})
	})
	p.issue(withPhone)
	p.reach(store.MessageSent, 4)
	mail := p.mails.Mails()[1]
	subject, err := new(mime.WordDecoder).DecodeHeader(mail.Header.Get("Subject"))
	must(t, err)
	if subject != "Grace hat Ihnen eine Geschenkkarte von Der Buchladen geschickt" || mail.Header.Get("Reply-To") != "<laden@example.com>" ||
		mail.Header.Get("From") != `"Geschenkkarten" <cards@example.com>` {
		t.Errorf("headers %v, subject %s", mail.Header, subject)
	}
	whole := decoded(t, mail.Raw)
	for _, want := range []string{"Der Buchladen", "25,00\u00a0€", "Kartennummer:", `lang="de-DE"`} {
		if !strings.Contains(whole, want) {
			t.Errorf("the mail lacks %q:\n%s", want, whole)
		}
	}
	if sms := p.texts.bodies[1]; !strings.Contains(sms, "Der Buchladen geschickt: 25,00 €\nNummer ") {
		t.Errorf("the text message is %q", sms)
	}
}

func TestACardWithoutADesignHasThatOfItsProgram(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	dir := t.TempDir()
	for _, design := range []string{"noel", "birthday"} {
		must(t, os.WriteFile(filepath.Join(dir, design+".txt"), []byte(`{{define "subject"}}Design `+design+`{{end}}`), 0o600))
	}
	languages, err := texts.Load("")
	must(t, err)
	templates, err := message.Load(dir, languages)
	must(t, err)
	p.run(1000, func(d *jobs.Delivery) { d.Templates = templates })
	storetest.AsOwner(t, p.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.SetProgram(t.Context(), p.program.ID, func(s *store.ProgramSettings) error {
			s.DefaultDesign = new("noel")
			return nil
		})
	})
	p.issue()
	ofTheCard := text.Clean("birthday")
	p.issue(func(terms *store.Terms, _ *store.Recipient) { terms.DesignTemplate = &ofTheCard })
	p.reach(store.MessageSent, 2)
	subjects := map[string]bool{}
	for _, m := range p.mails.Mails() {
		subjects[m.Header.Get("Subject")] = true
	}
	if !subjects["Design noel"] || !subjects["Design birthday"] {
		t.Errorf("subjects %v", subjects)
	}
}

// TestAMailShowsTheCodeOfItsProgram: a QR code, or a Code 128 if the program's settings say so.
func TestAMailShowsTheCodeOfItsProgram(t *testing.T) {
	t.Parallel()
	p := newPost(t, smtptest.Hooks{})
	p.run(1000)
	p.issue()
	p.reach(store.MessageSent, 1)
	storetest.AsOwner(t, p.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.SetProgram(t.Context(), p.program.ID, func(s *store.ProgramSettings) error {
			s.TillCode = store.TillCode128
			return nil
		})
	})
	p.issue()
	p.reach(store.MessageSent, 2)
	for i, words := range []string{"as a QR code", "as a barcode"} {
		if mail := decoded(t, p.mails.Mails()[i].Raw); !strings.Contains(mail, words) {
			t.Errorf("mail %d does not show the number %s:\n%s", i, words, mail)
		}
	}
}
