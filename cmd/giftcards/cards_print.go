package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/google/uuid"

	"giftcards/cmd/giftcards/sheet"
	"giftcards/jobs/barcode"
	"giftcards/jobs/message/texts"
	"giftcards/store"
	"giftcards/store/keyring"
)

type printCards struct {
	Task  uuid.UUID `required:"" placeholder:"ID" help:"The task that issued the physical cards."`
	Paper string    `enum:"a4,letter" default:"a4" help:"a4 or letter (${default})."`
	Out   string    `placeholder:"FILE" help:"File to write, which must not exist. Default: standard output."`
	Fonts string    `placeholder:"DIR" help:"Directory with fonts for names. Default: the fonts of this machine."`
}

type printedSheet struct {
	Cards int `json:"cards"`
	Pages int `json:"pages"`
	// LeftOut is the number of cards that are not on the sheet, by their state.
	LeftOut map[string]int `json:"leftOut"`
	// WithoutFont are the characters of names that no font has. A box is in their place.
	WithoutFont string `json:"withoutFont,omitempty"`
}

// mostPrinted bounds a sheet, because it is made in memory. A printer's shop takes more cards
// from the CSV.
const mostPrinted = 10_000

// Run audits the sheet before any code leaves, as a download.
func (c printCards) Run(s *session) error {
	// Before the audit entry, because nothing would leave. Writing fails for such a file, too.
	if _, err := os.Lstat(c.Out); c.Out != "" && err == nil {
		return fmt.Errorf("--out: %s exists", c.Out)
	}
	fonts, err := sheet.LoadFonts(c.Fonts)
	if err != nil {
		return fmt.Errorf("--fonts: %w", err)
	}
	languages, err := texts.Load(s.config.LanguageDir)
	if err != nil {
		return fmt.Errorf("--language-dir: %w", err)
	}
	keys, err := keyring.Open(s.config.KeysFile)
	if err != nil {
		return err
	}
	var printed printedSheet
	var pdf bytes.Buffer
	err = s.withStoreOf(store.Options{Keys: keys}, func(st *store.Store) error {
		issued, err := store.Write(s, st, func(tx *store.Tx) (store.PhysicalCards, error) { return c.read(s, tx) })
		if err != nil {
			return err
		}
		settings, err := texts.NewSettings(issued.Program.Locale, issued.Program.Currency, issued.Program.TimeZone)
		if err != nil {
			return err
		}
		style := languages.Style(settings)
		cards := make([]sheet.Card, len(issued.Cards))
		for i := range issued.Cards {
			if cards[i], err = toSheetCard(st, style, issued.Merchant, &issued.Cards[i]); err != nil {
				return err
			}
		}
		printed.Cards, printed.LeftOut = len(cards), issued.LeftOut
		printed.Pages, printed.WithoutFont, err = sheet.Write(&pdf, sheet.Paper(c.Paper), fonts, sheetDesign(issued.Program, style, len(cards)), cards)
		return err
	})
	if err != nil {
		return err
	}
	if c.Out == "" {
		_, err := s.stdout.Write(pdf.Bytes())
		return err
	}
	if err := writeNew(c.Out, pdf.Bytes()); err != nil {
		return err
	}
	return s.printJSON(printed)
}

// read returns the cards to print, and writes the entry of the audit log.
func (c printCards) read(s *session, tx *store.Tx) (store.PhysicalCards, error) {
	issued, err := tx.PhysicalCards(s, c.Task, mostPrinted)
	if err != nil {
		return issued, naming(c.Task.String(), err)
	}
	if len(issued.Cards) == 0 {
		return issued, errors.New("none of the task's cards may be printed: a sheet has pending and active ones")
	}
	return issued, s.audit(tx, store.AuditEntry{
		Operation: "cards print", ProgramID: issued.Program.ID, Subject: c.Task[:], Cards: int32(len(issued.Cards)),
	})
}

// sheetDesign returns the design of a program's sheet, with the words of its messages.
func sheetDesign(program store.Program, style texts.Style, cards int) sheet.Design {
	say := func(name string) string { return style.Text(name, nil) }
	return sheet.Design{
		Symbology: barcode.Symbology(program.TillCode), Title: say(style.Plural("page.brand", cards)),
		Number: say("label.number"), Code: say("label.code"), Until: say("label.until"), Mirrored: style.Mirrored(),
	}
}

func toSheetCard(st *store.Store, style texts.Style, merchant string, card *store.GiftCard) (sheet.Card, error) {
	code, err := st.OpenCode(card.ID, card.SealedCode)
	if err != nil {
		return sheet.Card{}, err
	}
	value := card.InitialValue
	if card.ActivatedAt != nil { // a buyer must not pay for what has been spent
		value = card.Balance
	}
	printed := sheet.Card{
		Merchant: merchant, Value: style.Text("brand", nil) + " " + style.Money(value.String()), Number: store.FormatNumber(card.CardNumber), Code: code,
		// A sheet and a message must not name different days.
		ValidUntil: style.ValidUntil(card.ExpiresAt, st.Clock()),
	}
	if card.CustomerName != nil {
		printed.Recipient = *card.CustomerName
	}
	return printed, nil
}
