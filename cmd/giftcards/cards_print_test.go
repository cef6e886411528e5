package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"giftcards/cmd/giftcards/sheet"
	"giftcards/jobs/barcode"
	"giftcards/jobs/message/texts"
	"giftcards/store"
	"giftcards/store/text"
)

// physical issues a task of cards, which are physical if physical says so.
func (s *shop) physical(cards int, physical bool) (task store.Task) {
	s.t.Helper()
	name := text.Clean("Ada 🎁")
	recipients := make([]store.Recipient, cards)
	for i := range recipients {
		recipients[i].Name = &name
	}
	s.write(func(tx *store.Tx) (err error) {
		task, err = tx.AddTask(s.t.Context(), s.access, store.Terms{ProgramID: s.program.ID, InitialValue: s.value("5"), IsPhysical: physical}, cards, recipients)
		return err
	})
	return task
}

// TestOperatorsPrintPhysicalCards that can still be used. Only the operator can read the file, and it
// appears whole. Each sheet is in the audit log.
func TestOperatorsPrintPhysicalCards(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.settings = append(s.settings, "--keys-file="+s.keyFile)
	task, digital, waiting := s.physical(12, true), s.physical(2, false), s.physical(1, true)
	s.issue(task)
	s.issue(digital)
	s.activate(s.access, task.FirstCardID, task.FirstCardID.Plus(1))
	s.spend(task.FirstCardID)
	dir := t.TempDir()
	file := filepath.Join(dir, "cards.pdf")
	var printed printedSheet
	s.do(&printed, "cards", "print", "--task="+task.ID.String(), "--out="+file, "--fonts="+dir)
	if printed.Cards != 11 || printed.Pages != 2 || printed.LeftOut["depleted"] != 1 || printed.WithoutFont != "🎁" {
		t.Errorf("%+v", printed)
	}
	content, err := os.ReadFile(file)
	must(t, err)
	info, err := os.Stat(file)
	must(t, err)
	if info.Mode().Perm() != 0o600 || !bytes.HasPrefix(content, []byte("%PDF-")) || !bytes.HasSuffix(bytes.TrimSpace(content), []byte("%%EOF")) {
		t.Errorf("the file has mode %o and %d bytes", info.Mode().Perm(), len(content))
	}
	code, stdout, stderr := command(t, "", append([]string{"cards", "print", "--task=" + task.ID.String(), "--paper=letter"}, s.settings...)...)
	if code != 0 || !strings.HasPrefix(stdout, "%PDF-") {
		t.Errorf("to standard output: %d %.20s %s", code, stdout, stderr)
	}
	if n := s.count("audit_log where operation = 'cards print' and cards = 11 and subject = uuid_send('" + task.ID.String() + "') and program_id is not null and client like '%@%'"); n != 2 {
		t.Errorf("%d sheets are in the audit log, want 2", n)
	}

	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an old file":   {[]string{"--task=" + task.ID.String(), "--out=" + file}, "exists"},
		"nowhere":       {[]string{"--task=" + task.ID.String(), "--out=" + filepath.Join(dir, "no", "x.pdf")}, "no such file"},
		"digital cards": {[]string{"--task=" + digital.ID.String()}, "digital"},
		"no cards yet":  {[]string{"--task=" + waiting.ID.String()}, "not issued yet"},
		"no task":       {[]string{"--task=06dea928-7b55-480f-8090-06c2b7a92fcd"}, "Task not found: 06dea928-7b55-480f-8090-06c2b7a92fcd"},
		"no paper":      {[]string{"--task=" + task.ID.String(), "--paper=a5"}, "--paper"},
		"no fonts":      {[]string{"--task=" + task.ID.String(), "--fonts=/nowhere"}, "--fonts"},
		"nothing named": {nil, "--task"},
	} {
		code, stdout, stderr := command(t, "", append(append([]string{"cards", "print"}, c.args...), s.settings...)...)
		if code == 0 || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: %d %.20s %s", name, code, stdout, stderr)
		}
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, content) {
		t.Error("a refused sheet has changed the file")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
		t.Errorf("left behind: %v (%v)", files, err)
	}
}

// TestASheetSpeaksTheLanguageOfItsProgram, with its currency, its code and the operator's own texts.
func TestASheetSpeaksTheLanguageOfItsProgram(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.settings = append(s.settings, "--keys-file="+s.keyFile)
	task := s.physical(2, true)
	s.issue(task)
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "fr.txt"), []byte("label.code = Code secret\n"), 0o600))
	var shown printedSettings
	s.do(&shown, "program", "set", s.program.ID.String(), "--locale=fr-FR", "--currency=EUR", "--code=code128")
	issued, err := store.Read(t.Context(), s.store, func(tx *store.Tx) (store.PhysicalCards, error) { return tx.PhysicalCards(t.Context(), task.ID, 10) })
	must(t, err)
	languages, err := texts.Load(dir)
	must(t, err)
	settings, err := texts.NewSettings(issued.Program.Locale, issued.Program.Currency, issued.Program.TimeZone)
	must(t, err)
	style := languages.Style(settings)
	want := sheet.Design{Symbology: barcode.Code128, Title: "Cartes cadeaux", Number: "Numéro de carte", Code: "Code secret", Until: "Valable jusqu’au"}
	if got := sheetDesign(issued.Program, style, 2); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	card, err := toSheetCard(s.store, style, "La Boutique", &issued.Cards[0])
	must(t, err)
	if plain := strings.ReplaceAll(card.Value, "\u00a0", " "); plain != "Carte cadeau 5,00 €" {
		t.Errorf("the value is %q", card.Value)
	}
	pdf := func(args ...string) (int, string, string) {
		return command(t, "", append(append([]string{"cards", "print", "--task=" + task.ID.String(), "--fonts=" + dir}, args...), s.settings...)...)
	}
	title := func(words string) string { // encoded as in a PDF
		var b strings.Builder
		for _, unit := range utf16.Encode([]rune(words)) {
			b.Write([]byte{byte(unit >> 8), byte(unit)})
		}
		return b.String()
	}
	if code, stdout, stderr := pdf("--language-dir=" + dir); code != 0 || !strings.Contains(stdout, title("Cartes cadeaux")) {
		t.Errorf("in French: %d %s", code, stderr)
	}
	if code, stdout, _ := pdf(); code != 0 || !strings.Contains(stdout, title("Cartes cadeaux")) {
		t.Errorf("in French without texts of one's own: %d", code)
	}
	must(t, os.WriteFile(filepath.Join(dir, "fr.txt"), []byte("\nlabel.cod = x\n"), 0o600))
	if code, stdout, stderr := pdf("--language-dir=" + dir); code == 0 || stdout != "" || !strings.Contains(stderr, "--language-dir: fr.txt:2: label.cod") {
		t.Errorf("with a broken file: %d %.20s %s", code, stdout, stderr)
	}
	if n := s.count("audit_log where operation = 'cards print'"); n != 2 {
		t.Errorf("%d sheets are in the audit log, want 2", n)
	}
}

// TestAPrintedCardHasTheValueThatIsLeft, as the ledger has it: with every digit, after a redemption
// and after a reload. A card that was not activated has the value that it will get.
func TestAPrintedCardHasTheValueThatIsLeft(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	task := s.physical(3, true)
	s.issue(task)
	used, reloaded := task.FirstCardID, task.FirstCardID.Plus(1)
	s.activate(s.access, used, reloaded)
	s.write(func(tx *store.Tx) error {
		cards, err := tx.LockCards(t.Context(), s.program.ID, used, reloaded)
		if err != nil {
			return err
		}
		if _, err := cards[0].Redeem(s.value("3.0005"), store.Details{}); err != nil {
			return err
		}
		if _, err := cards[1].Reload(s.value("10"), store.Details{}); err != nil {
			return err
		}
		return tx.SaveCards(t.Context(), cards...)
	})
	issued, err := store.Read(t.Context(), s.store, func(tx *store.Tx) (store.PhysicalCards, error) { return tx.PhysicalCards(t.Context(), task.ID, 10) })
	must(t, err)
	languages, err := texts.Load("")
	must(t, err)
	for i, want := range []string{"Gift card 1.9995", "Gift card 15.00", "Gift card 5.00"} {
		if card, err := toSheetCard(s.store, languages.Style(texts.Settings{Zone: time.UTC}), "Bookshop", &issued.Cards[i]); err != nil || card.Value != want {
			t.Errorf("card %d: %q, want %q (%v)", i, card.Value, want, err)
		}
	}
}

// TestAFileOfASheetAppearsWholeOrNotAtAll in both ways of writing it.
func TestAFileOfASheetAppearsWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(string, []byte) error{"without a name": writeNew, "linked": writeLinked} {
		dir := t.TempDir()
		file := filepath.Join(dir, "x")
		must(t, write(file, []byte("first")))
		if err := write(file, []byte("second")); !os.IsExist(err) {
			t.Errorf("%s: over an old file: %v", name, err)
		}
		content, err := os.ReadFile(file)
		must(t, err)
		info, err := os.Stat(file)
		must(t, err)
		files, err := os.ReadDir(dir)
		must(t, err)
		if string(content) != "first" || info.Mode().Perm() != 0o600 || len(files) != 1 {
			t.Errorf("%s: %q, mode %o, %d files", name, content, info.Mode().Perm(), len(files))
		}
	}
}
