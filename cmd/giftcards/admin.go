package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"giftcards/server/validate/email"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/password"
)

// printJSON prints what a command made or found, for people and for jq.
func (s *session) printJSON(value any) error {
	encoder := json.NewEncoder(s.stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// write runs do in a transaction and prints what it returns.
func write[T any](s *session, do func(*store.Tx) (T, error)) error {
	return s.withStore(func(st *store.Store) error {
		result, err := store.Write(s, st, do)
		if err != nil {
			return err
		}
		return s.printJSON(result)
	})
}

// each turns rows into what is printed of them; no rows are an empty list.
func each[R, P any](rows []R, err error, convert func(R) P) ([]P, error) {
	printed := make([]P, len(rows))
	for i, row := range rows {
		printed[i] = convert(row)
	}
	return printed, err
}

type merchantCommand struct {
	Create createMerchant `cmd:"" help:"Create a merchant."`
	List   listMerchants  `cmd:"" help:"List all merchants."`
}

type createMerchant struct {
	Name string `arg:"" help:"As recipients read it."`
}

type listMerchants struct{}

type printedMerchant struct {
	ID        id.ID     `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"createdAt"`
}

func (c createMerchant) Run(s *session) error {
	return write(s, func(tx *store.Tx) (printedMerchant, error) {
		merchant, err := tx.AddMerchant(s, c.Name)
		return printedMerchant(merchant), err
	})
}

func (listMerchants) Run(s *session) error {
	return write(s, func(tx *store.Tx) ([]printedMerchant, error) {
		rows, err := tx.Merchants(s)
		return each(rows, err, func(m store.Merchant) printedMerchant { return printedMerchant(m) })
	})
}

type programCommand struct {
	Create createProgram `cmd:"" help:"Create a gift-card program of a merchant."`
	List   listPrograms  `cmd:"" help:"List all programs."`
}

type createProgram struct {
	Merchant id.ID  `required:"" placeholder:"ID" help:"Whose it is."`
	Name     string `arg:"" help:"What it is called."`
}

type listPrograms struct{}

type printedProgram struct {
	ID         id.ID     `json:"id"`
	MerchantID id.ID     `json:"merchantId"`
	Name       string    `json:"name"`
	CreatedAt  time.Time `json:"createdAt"`
}

func (c createProgram) Run(s *session) error {
	return write(s, func(tx *store.Tx) (printedProgram, error) {
		program, err := tx.AddProgram(s, c.Merchant, c.Name)
		return printedProgram(program), err
	})
}

func (listPrograms) Run(s *session) error {
	return write(s, func(tx *store.Tx) ([]printedProgram, error) {
		rows, err := tx.Programs(s)
		return each(rows, err, func(p store.Program) printedProgram { return printedProgram(p) })
	})
}

type userCommand struct {
	Create   createUser   `cmd:"" help:"Create a user of a merchant; the password comes from the terminal or standard input."`
	List     listUsers    `cmd:"" help:"List all users."`
	Password changeSecret `cmd:"" help:"Change a user's password; it comes from the terminal or standard input."`
}

type createUser struct {
	Merchant id.ID  `required:"" placeholder:"ID" help:"Whom the user works for."`
	Name     string `help:"The user's own name."`
	Email    string `arg:"" help:"E-mail address, which is the user name."`
}

type listUsers struct{}

type changeSecret struct {
	Email string `arg:"" help:"E-mail address of the user."`
}

type printedUser struct {
	ID         id.ID     `json:"id"`
	MerchantID id.ID     `json:"merchantId"`
	Email      string    `json:"email"`
	Name       *string   `json:"name"`
	Active     bool      `json:"active"`
	CreatedAt  time.Time `json:"createdAt"`
}

// toPrintedUser leaves out the password hash.
func toPrintedUser(u store.User) printedUser {
	return printedUser{ID: u.ID, MerchantID: u.MerchantID, Email: u.Email, Name: u.Name, Active: u.Active, CreatedAt: u.CreatedAt}
}

func (c createUser) Run(s *session) error {
	address, reason := email.Normalize(c.Email)
	if reason != "" {
		return fmt.Errorf("%q is not an e-mail address: %s", c.Email, reason)
	}
	hash, err := s.askPassword()
	if err != nil {
		return err
	}
	var name *string
	if c.Name != "" {
		name = &c.Name
	}
	return write(s, func(tx *store.Tx) (printedUser, error) {
		user, err := tx.AddUser(s, c.Merchant, address, name, hash)
		return toPrintedUser(user), err
	})
}

func (listUsers) Run(s *session) error {
	return write(s, func(tx *store.Tx) ([]printedUser, error) {
		rows, err := tx.Users(s)
		return each(rows, err, toPrintedUser)
	})
}

func (c changeSecret) Run(s *session) error {
	hash, err := s.askPassword()
	if err != nil {
		return err
	}
	return write(s, func(tx *store.Tx) (printedUser, error) {
		if err := tx.SetPassword(s, c.Email, hash); err != nil {
			return printedUser{}, err
		}
		user, err := tx.FindUserByEmail(s, c.Email)
		return toPrintedUser(user), err
	})
}

// askPassword reads a new password, without echo from a terminal and otherwise
// as the first line of standard input, and returns its hash.
func (s *session) askPassword() (string, error) {
	if file, ok := s.stdin.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		first, err := s.prompt(file, "New password: ")
		if err != nil {
			return "", err
		}
		second, err := s.prompt(file, "The same again: ")
		if err != nil {
			return "", err
		}
		if first != second {
			return "", errors.New("the two passwords differ")
		}
		return password.Hash(first)
	}
	line, err := bufio.NewReader(s.stdin).ReadString('\n')
	if line == "" && err != nil {
		return "", fmt.Errorf("no password on standard input: %w", err)
	}
	return password.Hash(strings.TrimRight(line, "\r\n"))
}

// prompt reads a line without echo. An interrupt gives the terminal back as it was.
func (s *session) prompt(terminal *os.File, question string) (string, error) {
	state, err := term.GetState(int(terminal.Fd()))
	if err != nil {
		return "", err
	}
	fmt.Fprint(s.stderr, question)
	defer fmt.Fprintln(s.stderr)
	type answer struct {
		secret []byte
		err    error
	}
	answered := make(chan answer, 1)
	go func() {
		secret, err := term.ReadPassword(int(terminal.Fd()))
		answered <- answer{secret, err}
	}()
	select {
	case a := <-answered:
		return string(a.secret), a.err
	case <-s.Done():
		return "", errors.Join(errors.New("interrupted"), term.Restore(int(terminal.Fd()), state))
	}
}

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing."`
	Status migrateStatus `cmd:"" help:"Say how the database stands; exit code 1 unless it is current."`
}

type (
	migrateUp     struct{}
	migrateStatus struct{}
)

func (migrateUp) Run(s *session) error {
	return s.withDatabase(func(url string) error {
		if err := s.migrate(url); err != nil {
			return err
		}
		versions, err := store.MigrationVersions(s, url)
		if err != nil {
			return err
		}
		return s.printJSON(versions)
	})
}

func (migrateStatus) Run(s *session) error {
	return s.withDatabase(func(url string) error {
		versions, err := store.MigrationVersions(s, url)
		if err != nil {
			return err
		}
		if err := s.printJSON(versions); err != nil {
			return err
		}
		if !versions.Current() {
			return errors.New("the database is not at this program's schema")
		}
		return nil
	})
}

type keysCommand struct {
	Rotate rotateKeys `cmd:"" help:"Add a new key of each kind; the old ones go on opening what they closed."`
}

type rotateKeys struct{}

func (rotateKeys) Run(s *session) error {
	if err := keyring.Rotate(s.config.KeysFile); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.stdout, "%s has a new key of each kind; running servers use them within a second or two\n", s.config.KeysFile)
	return err
}
