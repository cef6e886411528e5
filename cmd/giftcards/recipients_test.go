package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/transport"
	"giftcards/store"
	"giftcards/store/money"
	"giftcards/store/storetest"
)

// outbox returns the outbox of the shop's machine.
func (s *shop) outbox() string {
	return filepath.Join(strings.TrimPrefix(s.settings[1], "--state-dir="), "outbox")
}

// TestOperatorsExportAndEraseARecipient by any spelling of the address, including the files in the
// outbox. Both commands are in the audit log, without the address.
func TestOperatorsExportAndEraseARecipient(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	email, phone, other := "ada@bücher.example", "+442079460018", "bo@example.com"
	recipients := []store.Recipient{{Email: &email, Phone: &phone}, {Email: &other}}
	var cards []store.GiftCard
	s.write(func(tx *store.Tx) (err error) {
		cards, err = tx.IssueCards(t.Context(), store.Terms{ProgramID: s.program.ID, InitialValue: s.value("5")}, recipients)
		if err != nil {
			return err
		}
		_, err = tx.AddTask(t.Context(), s.access, store.Terms{ProgramID: s.program.ID, InitialValue: s.value("5")}, 2, recipients)
		return err
	})
	mails, texts := transport.NewMailOutbox(s.outbox(), "cards@example.com"), transport.NewSMSOutbox(s.outbox())
	for i, to := range []string{email, other} {
		must(t, mails.Send(t.Context(), transport.Message{ID: cards[i].ID.String(), To: to, Date: time.Now(), Text: "Hello", HTML: "Hello"}))
	}
	must(t, texts.Send(t.Context(), transport.Message{ID: cards[0].ID.String(), To: phone, Text: "Hello"}))
	must(t, os.WriteFile(filepath.Join(s.outbox(), ".new-1"), []byte("To: "+phone+"\n\nHal"), 0o600))

	s.write(func(tx *store.Tx) error {
		return tx.RefuseReceipts(t.Context(), s.program.ID, store.AddressHash("Ada@bücher.example"))
	})

	var found printedPerson
	s.do(&found, "recipients", "export", "ADA@XN--BCHER-KVA.example")
	if len(found.Refusals) != 1 || found.Refusals[0].ProgramID != s.program.ID {
		t.Errorf("refusals: %+v", found.Refusals)
	}
	if len(found.Cards) != 1 || found.Cards[0].CardID != cards[0].ID || *found.Cards[0].CustomerPhone != phone || len(found.Messages) != 1 ||
		len(found.Waiting) != 1 || *found.Waiting[0].Recipient.Phone != phone || len(found.Files) != 2 {
		t.Errorf("export: %+v", found)
	}
	s.do(&found, "recipients", "export", "tel:+44-20-7946-0018")
	if len(found.Cards) != 1 || len(found.Messages) != 1 || len(found.Waiting) != 1 || len(found.Files) != 3 {
		t.Errorf("export by number: %+v", found)
	}
	s.do(&found, "recipients", "export", "nobody@example.com")
	if len(found.Cards)+len(found.Messages)+len(found.Waiting)+len(found.Answers)+len(found.Refusals)+len(found.Files) != 0 || found.Answers == nil || found.Refusals == nil || found.Files == nil {
		t.Errorf("export of nobody: %+v", found)
	}

	var erased printedErasure
	s.do(&erased, "recipients", "erase", "Ada@BÜCHER.example")
	if erased.Cards != 1 || erased.Messages != 2 || erased.Waiting != 1 || erased.Files != 2 || erased.BeingSent == nil {
		t.Errorf("erase: %+v", erased)
	}
	if s.count("gift_cards where customer_email is not null") != 1 || s.count("gift_cards where customer_phone is not null") != 0 || s.count("messages") != 1 {
		t.Error("the wrong data is erased")
	}
	s.do(&erased, "recipients", "erase", "+44 20 7946 0018") // the half-written file is found by the number alone
	if files, err := os.ReadDir(s.outbox()); err != nil || len(files) != 1 || files[0].Name() != cards[1].ID.String()+".eml" || erased.Cards != 0 || erased.Files != 1 {
		t.Errorf("%+v; left in the outbox: %v (%v)", erased, files, err)
	}
	if n := s.count("audit_log where operation = 'recipients export' and client like '%@%'"); n != 3 {
		t.Errorf("%d exports in the audit log, want 3", n)
	}
	// There is an entry for each command, and one for each program with a card.
	if n := s.count("audit_log where operation = 'recipients erase' and (program_id is null) = (cards = 0)"); n != 3 || s.count("audit_log r where r::text like '%ada@%'") != 0 {
		t.Errorf("%d erasures in the audit log, want 3", n)
	}
	for _, args := range [][]string{{"export"}, {"erase"}, {"erase", "ada"}, {"export", "+44"}, {"erase", "a@b@c"}} {
		if code, stdout, stderr := command(t, "", append(append([]string{"recipients"}, args...), s.settings...)...); code == 0 || stderr == "" {
			t.Errorf("recipients %v: %d %s%s", args, code, stdout, stderr)
		}
	}
}

// TestAFileToAnotherLetterStaysInTheOutbox, because ſam is not Sam.
func TestAFileToAnotherLetterStaysInTheOutbox(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	mails := transport.NewMailOutbox(s.outbox(), "cards@example.com")
	for i, to := range []string{"SAM@example.com", "ſam@example.com"} {
		must(t, mails.Send(t.Context(), transport.Message{ID: s.program.ID.Plus(i).String(), To: to, Date: time.Now(), Text: "Hello", HTML: "Hello"}))
	}
	var erased printedErasure
	s.do(&erased, "recipients", "erase", "sam@example.com")
	if files, err := os.ReadDir(s.outbox()); err != nil || erased.Files != 1 || len(files) != 1 || files[0].Name() != s.program.ID.Plus(1).String()+".eml" {
		t.Errorf("%+v; left in the outbox: %v (%v)", erased, files, err)
	}
}

// TestAnErasureThatWaitsForAFrozenWorkerSaysSo, and names the task.
func TestAnErasureThatWaitsForAFrozenWorkerSaysSo(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task := s.task(s.access, 60)
	frozen, err := s.database.Begin(t.Context())
	must(t, err)
	_, err = frozen.Exec(t.Context(), "select from bulk_tasks for update")
	must(t, err)
	person := store.Person{Channel: store.ChannelEmail, Address: "ada@example.com"}
	if _, err := erase(&session{Context: t.Context(), config: &config{}}, s.store, person, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), task.ID.String()) {
		t.Errorf("%v", err)
	}
	must(t, frozen.Rollback(t.Context()))
	var erased printedErasure
	if s.do(&erased, "recipients", "erase", "ada@example.com"); erased.Waiting != 0 {
		t.Errorf("%+v", erased)
	}
	s.issue(task)
	if n := storetest.Count(t, s.store, "gift_cards where customer_email is not null"); n != 0 {
		t.Errorf("%d cards have the recipient", n)
	}
}

func (s *shop) value(text string) money.Amount {
	s.t.Helper()
	value, err := money.Parse(text)
	must(s.t, err)
	return value
}
