package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"giftcards/store"
	"giftcards/store/id"
)

// printJSON prints a command's result, indented, for people and for jq.
func (s *session) printJSON(value any) error {
	encoder := json.NewEncoder(s.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// printRead runs do in a read-only transaction and prints its result.
func printRead[T any](s *session, do func(*store.Tx) (T, error)) error {
	return printResult(s, func(st *store.Store) (T, error) { return store.Read(s, st, do) })
}

// printWritten runs do in a transaction and prints its result after the commit.
func printWritten[T any](s *session, do func(*store.Tx) (T, error)) error {
	return printResult(s, func(st *store.Store) (T, error) { return store.Write(s, st, do) })
}

func printResult[T any](s *session, run func(*store.Store) (T, error)) error {
	return s.withStore(func(st *store.Store) error {
		result, err := run(st)
		if err != nil {
			return err
		}
		return s.printJSON(result)
	})
}

// naming adds the name that the operator gave to an error of kind NotFound.
func naming(name string, err error) error {
	if refused, ok := errors.AsType[*store.Error](err); ok && refused.Kind == store.NotFound {
		return fmt.Errorf("%w: %s", err, name)
	}
	return err
}

// each converts rows for printing. Without rows the list is empty, not null.
func each[R, P any](rows []R, err error, convert func(R) P) ([]P, error) {
	// make and not nil, because nil would print null.
	printed := make([]P, len(rows))
	for i, row := range rows {
		printed[i] = convert(row)
	}
	return printed, err
}

// ofMerchant keeps the rows of one merchant. It fails if there is no such merchant.
func ofMerchant[R any](s *session, tx *store.Tx, merchant id.ID, rows []R, owner func(R) id.ID) ([]R, error) {
	merchants, err := tx.Merchants(s)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(merchants, func(m store.Merchant) bool { return m.ID == merchant }) {
		return nil, naming(merchant.String(), store.ErrMerchantNotFound)
	}
	return slices.DeleteFunc(rows, func(r R) bool { return owner(r) != merchant }), nil
}

type merchantCommand struct {
	Create createMerchant `cmd:"" help:"Create a merchant."`
	List   listMerchants  `cmd:"" help:"List all merchants."`
	Rename renameMerchant `cmd:"" help:"Give a merchant another name."`
}

type createMerchant struct {
	Name string `arg:"" help:"The merchant's name, which recipients read."`
}

type listMerchants struct{}

type printedMerchant struct {
	ID        id.ID     `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

func (c createMerchant) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedMerchant, error) {
		merchant, err := tx.AddMerchant(s, c.Name)
		if err != nil {
			return printedMerchant{}, err
		}
		return printedMerchant(merchant), s.audit(tx, store.AuditEntry{Operation: "merchant create", MerchantID: merchant.ID, Subject: merchant.ID[:]})
	})
}

func (listMerchants) Run(s *session) error {
	return printRead(s, func(tx *store.Tx) ([]printedMerchant, error) {
		rows, err := tx.Merchants(s)
		return each(rows, err, func(m store.Merchant) printedMerchant { return printedMerchant(m) })
	})
}

type programCommand struct {
	Create createProgram `cmd:"" help:"Create a gift-card program of a merchant."`
	List   listPrograms  `cmd:"" help:"List all programs, or those of a merchant."`
	Limits limitProgram  `cmd:"" help:"Limit how much may be issued and reloaded in a program a day."`
	Show   showProgram   `cmd:"" help:"Print a program with all of its settings."`
	Set    setProgram    `cmd:"" help:"Change a program's settings: currency, language, time zone, mails, receipts, retention."`
	Rename renameProgram `cmd:"" help:"Give a program another name."`
	Zone   programZone   `cmd:"" help:"Set the time zone in which the days of a program's messages begin and end."`
}

type createProgram struct {
	Merchant id.ID  `required:"" placeholder:"ID" help:"The program's merchant."`
	Name     string `arg:"" help:"The program's name."`
}

type listPrograms struct {
	Merchant *id.ID `placeholder:"ID" help:"Only programs of this merchant."`
}

type limitProgram struct {
	Program     id.ID `arg:"" placeholder:"ID" help:"The program."`
	dailyLimits `embed:""`
}

type printedProgram struct {
	ID         id.ID     `json:"id"`
	MerchantID id.ID     `json:"merchantId"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"createdAt"`
	TimeZone   string    `json:"timeZone"`
	printedLimits
}

func toPrintedProgram(p store.Program, limits store.Limits) printedProgram {
	return printedProgram{
		ID: p.ID, MerchantID: p.MerchantID, Name: p.Name, CreatedAt: p.CreatedAt, TimeZone: p.TimeZone, printedLimits: printedLimits(limits),
	}
}

func (c createProgram) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedProgram, error) {
		program, err := tx.AddProgram(s, c.Merchant, c.Name)
		if err != nil {
			return printedProgram{}, naming(c.Merchant.String(), err)
		}
		return toPrintedProgram(program, store.Limits{}), s.audit(tx, store.AuditEntry{Operation: "program create", ProgramID: program.ID, Subject: program.ID[:]})
	})
}

func (c listPrograms) Run(s *session) error {
	return printRead(s, func(tx *store.Tx) ([]printedProgram, error) {
		limits, err := tx.Limits(s)
		if err != nil {
			return nil, err
		}
		rows, err := tx.Programs(s)
		if c.Merchant != nil && err == nil {
			rows, err = ofMerchant(s, tx, *c.Merchant, rows, func(p store.Program) id.ID { return p.MerchantID })
		}
		return each(rows, err, func(p store.Program) printedProgram { return toPrintedProgram(p, limits[p.ID]) })
	})
}

func (c limitProgram) Run(s *session) error {
	limits, err := c.parse()
	if err != nil {
		return err
	}
	return printWritten(s, func(tx *store.Tx) (printedProgram, error) {
		program, err := tx.FindProgram(s, c.Program)
		if err != nil {
			return printedProgram{}, naming(c.Program.String(), err)
		}
		if err := setLimits(s, tx, program.ID, limits); err != nil {
			return printedProgram{}, err
		}
		// They are read again, because a limit that was not named stays as it was.
		all, err := tx.Limits(s)
		if err != nil {
			return printedProgram{}, err
		}
		return toPrintedProgram(program, all[program.ID]), s.audit(tx, store.AuditEntry{Operation: "program limits", ProgramID: program.ID, Subject: program.ID[:]})
	})
}

type programZone struct {
	Program id.ID  `arg:"" name:"program-id" help:"The program."`
	Zone    string `arg:"" name:"zone" help:"The zone's IANA name, such as Europe/Paris."`
}

func (c programZone) Run(s *session) error {
	return printWritten(s, func(tx *store.Tx) (printedProgram, error) {
		program, err := tx.SetProgramZone(s, c.Program, c.Zone)
		if err != nil {
			return printedProgram{}, naming(c.Program.String(), err)
		}
		all, err := tx.Limits(s)
		if err != nil {
			return printedProgram{}, err
		}
		return toPrintedProgram(program, all[program.ID]), s.audit(tx, store.AuditEntry{
			Operation: "program zone", MerchantID: program.MerchantID, ProgramID: program.ID, Subject: program.ID[:],
		})
	})
}
