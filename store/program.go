package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // because not every machine has the zones
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/text"
)

type (
	// Merchant is a row of merchants.
	Merchant = db.Merchant
	// Program is a row of programs.
	Program = db.Program
)

// CheckName returns the name without what cannot be stored. It fails with ErrBadName unless 1
// to 255 characters are left.
func CheckName(name string) (string, error) {
	name = strings.TrimSpace(text.Line(name))
	if n := utf8.RuneCountInString(name); n < 1 || n > 255 {
		return "", ErrBadName
	}
	return name, nil
}

// AddMerchant adds a merchant. It fails with ErrBadName.
func (tx *Tx) AddMerchant(ctx context.Context, name string) (Merchant, error) {
	name, err := CheckName(name)
	if err != nil {
		return Merchant{}, err
	}
	merchant := Merchant{ID: id.New(tx.now), Name: name, CreatedAt: tx.now}
	if err := tx.q.InsertMerchant(ctx, merchant.ID, merchant.Name, merchant.CreatedAt); err != nil {
		return Merchant{}, fmt.Errorf("insert merchant: %w", err)
	}
	return merchant, nil
}

// AddProgram adds a gift-card program of a merchant. It fails with
// ErrMerchantNotFound or ErrBadName.
func (tx *Tx) AddProgram(ctx context.Context, merchant id.ID, name string) (Program, error) {
	name, err := CheckName(name)
	if err != nil {
		return Program{}, err
	}
	if merchant.IsZero() { // it would be written as null
		return Program{}, ErrMerchantNotFound
	}
	program := Program{
		ID: id.New(tx.now), MerchantID: merchant, Name: name, CreatedAt: tx.now, TimeZone: time.UTC.String(),
		Activation: ActivationMerchant, Receipts: []string{},
	}
	err = tx.q.InsertProgram(ctx, db.InsertProgramParams{
		ID: program.ID, MerchantID: merchant, Name: name, TimeZone: program.TimeZone, CreatedAt: tx.now,
	})
	if violates(err, constraintProgramMerchant) {
		return Program{}, ErrMerchantNotFound
	}
	if err != nil {
		return Program{}, fmt.Errorf("insert program: %w", err)
	}
	return program, nil
}

// FindProgram returns the program, or ErrProgramNotFound.
func (tx *Tx) FindProgram(ctx context.Context, program id.ID) (Program, error) {
	found, err := tx.q.FindProgram(ctx, program)
	if errors.Is(err, pgx.ErrNoRows) {
		return Program{}, ErrProgramNotFound
	}
	return found, wrap(err, "find program")
}

// FindProgramMerchant is FindProgram with the name of the program's merchant.
func (tx *Tx) FindProgramMerchant(ctx context.Context, program id.ID) (Program, string, error) {
	found, err := tx.q.FindProgramMerchant(ctx, program)
	if errors.Is(err, pgx.ErrNoRows) {
		return Program{}, "", ErrProgramNotFound
	}
	return found.Program, found.MerchantName, wrap(err, "find program")
}

// SetProgramZone sets the zone, an IANA name such as Europe/Paris, in which the days of a
// program's messages begin and end. It fails with ErrProgramNotFound or ErrBadZone.
func (tx *Tx) SetProgramZone(ctx context.Context, program id.ID, zone string) (Program, error) {
	return tx.SetProgram(ctx, program, func(s *ProgramSettings) error {
		s.TimeZone = zone
		return nil
	})
}

// Merchants returns all merchants, oldest first.
func (tx *Tx) Merchants(ctx context.Context) ([]Merchant, error) { return tx.q.ListMerchants(ctx) }

// Programs returns all programs, oldest first.
func (tx *Tx) Programs(ctx context.Context) ([]Program, error) { return tx.q.ListPrograms(ctx) }

// MerchantProgram is a program with its merchant's name.
type MerchantProgram = db.ListProgramsOfMerchantRow

// ProgramsOf returns the programs of a merchant, oldest first.
func (s *Store) ProgramsOf(ctx context.Context, merchant id.ID) ([]MerchantProgram, error) {
	programs, err := s.q.ListProgramsOfMerchant(ctx, merchant)
	return programs, classify(wrap(err, "list programs of merchant"))
}
