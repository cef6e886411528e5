package store

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"time"

	"github.com/bojanz/currency"
	"github.com/jackc/pgx/v5"
	"golang.org/x/text/language"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// ActivationMerchant means that the merchant activates cards, with the API's operation. It is
// the only value of the setting: there is no operation with which anybody else could.
const ActivationMerchant = "merchant"

// The codes by which a mail or a printed card shows its number to the scanner of a till. Each is
// the name of a barcode.Symbology.
const (
	TillCodeQR  = "qr"
	TillCode128 = "code128"
)

// The receipts that a program may ask for. All are sent to a card's recipient.
const (
	ReceiptActivated = "activated"
	ReceiptRedeemed  = "redeemed"
	ReceiptReloaded  = "reloaded"
	ReceiptExpiring  = "expiring" // the card is about to expire
)

// Receipts are all receipts, and numReceiptKinds is how many.
var Receipts = []string{ReceiptActivated, ReceiptRedeemed, ReceiptReloaded, ReceiptExpiring}

const numReceiptKinds = 4

// ProgramSettings are what an operator may set for a program. nil is not set. They change
// messages and downloads, and no answer of the API.
type ProgramSettings struct {
	Currency      *string  // a code of ISO 4217, such as EUR
	Locale        *string  // a tag of BCP 47, such as fr-FR
	TimeZone      string   // an IANA name, such as Europe/Paris
	Activation    string   // ActivationMerchant
	SenderName    *string  // the name of the sender of mails
	ReplyTo       *string  // a mail address in ASCII; the caller has checked it
	DefaultDesign *string  // the design of cards without one
	TillCode      string   // TillCodeQR or TillCode128
	Receipts      []string // some of Receipts
	// RecipientRetention is how long names and addresses of recipients are kept after a card
	// has ended; nil: for ever.
	RecipientRetention *time.Duration
}

// Settings returns the settings of a program.
func Settings(p Program) ProgramSettings {
	return ProgramSettings{
		Currency: p.Currency, Locale: p.Locale, TimeZone: p.TimeZone, Activation: p.Activation, SenderName: p.SenderName,
		ReplyTo: p.ReplyTo, DefaultDesign: p.DefaultDesign, TillCode: p.TillCode, Receipts: p.Receipts, RecipientRetention: p.RecipientRetention,
	}
}

// designSlug matches the name of a design of messages.
var designSlug = regexp.MustCompile(`^[a-z0-9-]{1,100}$`)

// SetProgram changes the settings of a program, which change edits in place. Later messages and
// downloads have the new ones, on every instance. It fails with ErrProgramNotFound, with the
// error of a setting that cannot be, or with what change fails with.
func (tx *Tx) SetProgram(ctx context.Context, program id.ID, change func(*ProgramSettings) error) (Program, error) {
	// The lock keeps two commands from undoing each other's change.
	row, err := tx.q.LockProgram(ctx, program)
	if errors.Is(err, pgx.ErrNoRows) {
		return Program{}, ErrProgramNotFound
	}
	if err != nil {
		return Program{}, wrap(err, "lock program")
	}
	settings := Settings(row)
	if err := change(&settings); err != nil {
		return Program{}, err
	}
	if err := settings.check(); err != nil {
		return Program{}, err
	}
	changed, err := tx.q.SetProgramSettings(ctx, db.SetProgramSettingsParams{
		ID: program, Currency: settings.Currency, Locale: settings.Locale, TimeZone: settings.TimeZone, Activation: settings.Activation,
		SenderName: settings.SenderName, ReplyTo: settings.ReplyTo, DefaultDesign: settings.DefaultDesign, TillCode: settings.TillCode,
		Receipts: settings.Receipts, RecipientRetention: settings.RecipientRetention,
	})
	return changed, wrap(err, "set settings of program")
}

// check brings settings into the form in which they are stored, or refuses one of them.
func (s *ProgramSettings) check() error {
	// CLDR's list is that of ISO 4217.
	if s.Currency != nil && (*s.Currency == "" || !currency.IsValid(*s.Currency)) {
		return ErrBadCurrency
	}
	if s.Locale != nil {
		tag, err := language.Parse(*s.Locale)
		if base, _ := tag.Base(); err != nil || tag == language.Und || base.String() == "und" {
			return ErrBadLocale
		}
		canonical := tag.String()
		s.Locale = &canonical
	}
	if !isZone(s.TimeZone) {
		return ErrBadZone
	}
	if s.Activation != ActivationMerchant {
		return ErrBadActivation
	}
	if s.SenderName != nil {
		name, err := CheckName(*s.SenderName)
		if err != nil {
			return err
		}
		s.SenderName = &name
	}
	if s.DefaultDesign != nil && !designSlug.MatchString(*s.DefaultDesign) {
		return ErrBadDesign
	}
	if s.TillCode != TillCodeQR && s.TillCode != TillCode128 {
		return ErrBadTillCode
	}
	for _, receipt := range s.Receipts {
		if !slices.Contains(Receipts, receipt) {
			return ErrBadReceipt
		}
	}
	s.Receipts = slices.Compact(slices.Sorted(slices.Values(s.Receipts)))
	if s.Receipts == nil {
		s.Receipts = []string{} // the column is not null
	}
	if s.RecipientRetention != nil && *s.RecipientRetention < 0 {
		return ErrBadRetention
	}
	return nil
}

// isZone reports whether a text is a name of the IANA database.
func isZone(zone string) bool {
	// "Local" would be a different zone on each server.
	_, err := time.LoadLocation(zone)
	return err == nil && zone != "" && zone != "Local"
}

// RenameMerchant gives a merchant another name. Messages that are sent later have it, on every
// instance. It fails with ErrMerchantNotFound or ErrBadName.
func (tx *Tx) RenameMerchant(ctx context.Context, merchant id.ID, name string) (Merchant, error) {
	name, err := CheckName(name)
	if err != nil {
		return Merchant{}, err
	}
	renamed, err := tx.q.RenameMerchant(ctx, name, merchant)
	if errors.Is(err, pgx.ErrNoRows) {
		return Merchant{}, ErrMerchantNotFound
	}
	return renamed, wrap(err, "rename merchant")
}

// RenameProgram gives a program another name. It fails with ErrProgramNotFound or ErrBadName.
func (tx *Tx) RenameProgram(ctx context.Context, program id.ID, name string) (Program, error) {
	name, err := CheckName(name)
	if err != nil {
		return Program{}, err
	}
	renamed, err := tx.q.RenameProgram(ctx, name, program)
	if errors.Is(err, pgx.ErrNoRows) {
		return Program{}, ErrProgramNotFound
	}
	return renamed, wrap(err, "rename program")
}
