package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

type showProgram struct {
	Program id.ID `arg:"" name:"program-id" help:"The program."`
}

// setProgram has a pointer for each setting: nil leaves it as it is, and an empty value unsets it.
type setProgram struct {
	Program            id.ID   `arg:"" name:"program-id" help:"The program."`
	Currency           *string `placeholder:"CODE" help:"Currency of the amounts in messages and downloads, such as EUR. An empty value unsets this and each of the others: --currency=."`
	Locale             *string `placeholder:"TAG" help:"Language and region of messages and downloads, such as fr or fr-CH."`
	TimeZone           *string `placeholder:"ZONE" help:"Zone in which the days in messages begin and end, such as Europe/Paris."`
	Activation         *string `placeholder:"WHO" help:"Who activates cards. The only value is merchant, because nobody else can activate a card."`
	SenderName         *string `placeholder:"NAME" help:"Name of the sender of mails, instead of the merchant's name."`
	ReplyTo            *string `placeholder:"ADDRESS" help:"Mail address to which answers go."`
	Design             *string `placeholder:"NAME" help:"Design of messages of cards without a designTemplate."`
	Code               *string `placeholder:"KIND" help:"Code of the number for the scanner of a till, in mails and on printed cards: qr or code128."`
	Receipts           *string `placeholder:"LIST" help:"Receipts for recipients, with commas between them: activated, redeemed, reloaded, expiring."`
	RecipientRetention *string `placeholder:"DURATION" help:"How long names and addresses of recipients are kept after a card has ended, such as 2160h."`
}

type renameProgram struct {
	Program id.ID  `arg:"" name:"program-id" help:"The program."`
	Name    string `arg:"" help:"The program's new name."`
}

type renameMerchant struct {
	Merchant id.ID  `arg:"" name:"merchant-id" help:"The merchant."`
	Name     string `arg:"" help:"The merchant's new name, which recipients read."`
}

// printedSettings is a program with all that can be set. null is not set.
type printedSettings struct {
	printedProgram
	Currency      *string         `json:"currency"`
	Locale        *string         `json:"locale"`
	Activation    string          `json:"activation"`
	SenderName    *string         `json:"senderName"`
	ReplyTo       *string         `json:"replyTo"`
	DefaultDesign *string         `json:"defaultDesign"`
	TillCode      string          `json:"tillCode"`
	Receipts      map[string]bool `json:"receipts"`
	// RecipientRetention is a duration such as 2160h0m0s.
	RecipientRetention *string `json:"recipientRetention"`
}

// printSettings returns the program as show prints it.
func printSettings(s *session, tx *store.Tx, program store.Program) (printedSettings, error) {
	limits, err := tx.Limits(s)
	if err != nil {
		return printedSettings{}, err
	}
	settings := store.Settings(program)
	printed := printedSettings{
		printedProgram: toPrintedProgram(program, limits[program.ID]), Currency: settings.Currency, Locale: settings.Locale,
		Activation: settings.Activation, SenderName: settings.SenderName, ReplyTo: settings.ReplyTo, DefaultDesign: settings.DefaultDesign,
		TillCode: settings.TillCode,
		Receipts: map[string]bool{},
	}
	for _, receipt := range store.Receipts {
		printed.Receipts[receipt] = slices.Contains(settings.Receipts, receipt)
	}
	if settings.RecipientRetention != nil {
		kept := settings.RecipientRetention.String()
		printed.RecipientRetention = &kept
	}
	return printed, nil
}

func (c showProgram) Run(s *session) error {
	return printRead(s, func(tx *store.Tx) (printedSettings, error) {
		program, err := tx.FindProgram(s, c.Program)
		if err != nil {
			return printedSettings{}, naming(c.Program.String(), err)
		}
		return printSettings(s, tx, program)
	})
}

func (c setProgram) Run(s *session) error {
	if c == (setProgram{Program: c.Program}) {
		return errors.New("name a setting, such as --currency=EUR: see giftcards program set --help")
	}
	return printWritten(s, func(tx *store.Tx) (printedSettings, error) {
		program, err := tx.SetProgram(s, c.Program, c.apply)
		if err != nil {
			return printedSettings{}, naming(c.Program.String(), err)
		}
		printed, err := printSettings(s, tx, program)
		if err != nil {
			return printedSettings{}, err
		}
		return printed, s.audit(tx, ofProgram("program set", program))
	})
}

// ofProgram is the audit entry of a change of a program.
func ofProgram(operation string, program store.Program) store.AuditEntry {
	return store.AuditEntry{Operation: operation, MerchantID: program.MerchantID, ProgramID: program.ID, Subject: program.ID[:]}
}

// apply changes the settings that were named. The store judges the result.
func (c setProgram) apply(settings *store.ProgramSettings) error {
	text := func(value *string, setting **string) {
		if value != nil {
			*setting = set(*value)
		}
	}
	text(c.Currency, &settings.Currency)
	text(c.Locale, &settings.Locale)
	text(c.SenderName, &settings.SenderName)
	text(c.Design, &settings.DefaultDesign)
	// These three always have a value.
	if c.TimeZone != nil {
		settings.TimeZone = cmp.Or(*c.TimeZone, time.UTC.String())
	}
	if c.Activation != nil {
		settings.Activation = cmp.Or(*c.Activation, store.ActivationMerchant)
	}
	if c.Code != nil {
		settings.TillCode = cmp.Or(*c.Code, store.TillCodeQR)
	}
	if c.ReplyTo != nil {
		settings.ReplyTo = set(*c.ReplyTo)
		if settings.ReplyTo != nil {
			address, err := senderAddress(*c.ReplyTo)
			if err != nil {
				return fmt.Errorf("--reply-to: %w", err)
			}
			settings.ReplyTo = &address
		}
	}
	if c.Receipts != nil {
		settings.Receipts = strings.FieldsFunc(*c.Receipts, func(r rune) bool { return r == ',' || r == ' ' })
	}
	if c.RecipientRetention != nil {
		settings.RecipientRetention = nil
		if *c.RecipientRetention != "" {
			kept, err := time.ParseDuration(*c.RecipientRetention)
			if err != nil {
				return errors.New("--recipient-retention: want a duration such as 2160h")
			}
			settings.RecipientRetention = &kept
		}
	}
	return nil
}

// set returns nil for an empty value.
func set(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

func (c renameProgram) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedSettings, error) {
		program, err := tx.RenameProgram(s, c.Program, c.Name)
		if err != nil {
			return printedSettings{}, naming(c.Program.String(), err)
		}
		printed, err := printSettings(s, tx, program)
		if err != nil {
			return printedSettings{}, err
		}
		return printed, s.audit(tx, ofProgram("program rename", program))
	})
}

func (c renameMerchant) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedMerchant, error) {
		merchant, err := tx.RenameMerchant(s, c.Merchant, c.Name)
		if err != nil {
			return printedMerchant{}, naming(c.Merchant.String(), err)
		}
		return printedMerchant(merchant), s.audit(tx, store.AuditEntry{Operation: "merchant rename", MerchantID: merchant.ID, Subject: merchant.ID[:]})
	})
}
