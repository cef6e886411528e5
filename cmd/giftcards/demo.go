package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"giftcards/server/password"
	"giftcards/store"
	"giftcards/store/private"
)

// demo is the content of demo.json: everything that a client needs to try the server.
type demo struct {
	BaseURL    string `json:"baseUrl"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	MerchantID string `json:"merchantId"`
	ProgramID  string `json:"programId"`
}

const demoUser = "demo@example.com"

// These errors keep an operator's change to the demo user: the program does not undo it.
var (
	errDemoDeactivated = errors.New("the demo's user is deactivated: giftcards user activate " + demoUser + " lets it log in again")
	errDemoChanged     = errors.New("its password is wrong, because the demo user's password was changed: delete the file to get a new password")
)

type demoCommand struct{}

// Run prints the demo, and makes the missing parts.
func (demoCommand) Run(s *session) error {
	if err := s.withDatabase(s.migrate); err != nil {
		return err
	}
	return s.withStore(func(st *store.Store) error {
		made, err := s.ensureDemo(st, false)
		if err != nil {
			return err
		}
		return s.printJSON(made)
	})
}

// demoVariable holds the demo user's password if the operator chooses one. It is not a
// flag, because every account on the machine can read a process's arguments.
const demoVariable = "GIFTCARDS_DEMO_PASSWORD"

// demoPasswordFault returns the fault of the chosen password, "" if it is fit or empty.
func demoPasswordFault(chosen string) string {
	switch {
	case chosen == "":
		return ""
	case len(chosen) < password.MinLength || len(chosen) > password.MaxLength:
		return password.ErrLength.Error()
	// The greeting's commands read the password out of demo.json with sed.
	case strings.ContainsAny(chosen, "\"\\") || strings.ContainsFunc(chosen, func(r rune) bool { return r < ' ' || r > '~' }):
		return "want printable ASCII without quotes and backslashes"
	}
	return ""
}

// makeDemo creates the demo merchant, user and program unless they exist, and sets the
// user's password.
func makeDemo(ctx context.Context, st *store.Store, secret string) (demo, error) {
	hash, err := password.Hash(secret)
	if err != nil {
		return demo{}, err
	}
	return store.Write(ctx, st, func(tx *store.Tx) (demo, error) {
		// The user comes first, because its merchant identifies the demo: names are not unique.
		user, err := tx.FindUserByEmail(ctx, demoUser)
		switch {
		case errors.Is(err, store.ErrUserNotFound):
			if user, err = addDemoMerchant(ctx, tx, hash); err != nil {
				return demo{}, err
			}
		case err != nil:
			return demo{}, err
		// The user exists, but its password is unknown or another one was chosen.
		default:
			if _, err := tx.SetPassword(ctx, demoUser, hash); err != nil {
				return demo{}, err
			}
		}
		err = tx.Audit(ctx, store.AuditEntry{Operation: "demo", MerchantID: user.MerchantID, Subject: user.ID[:], Client: operator()})
		if err != nil {
			return demo{}, err
		}
		programs, err := tx.Programs(ctx)
		if err != nil {
			return demo{}, err
		}
		for _, p := range programs {
			if p.MerchantID == user.MerchantID {
				return demo{
					Username: demoUser, Password: secret,
					MerchantID: user.MerchantID.String(), ProgramID: p.ID.String(),
				}, nil
			}
		}
		return demo{}, errors.New("the demo merchant has no program")
	})
}

func addDemoMerchant(ctx context.Context, tx *store.Tx, hash string) (store.User, error) {
	merchant, err := tx.AddMerchant(ctx, "Demo merchant")
	if err != nil {
		return store.User{}, err
	}
	if _, err := tx.AddProgram(ctx, merchant.ID, "Demo gift cards"); err != nil {
		return store.User{}, err
	}
	name := "Demo user"
	return tx.AddUser(ctx, store.User{MerchantID: merchant.ID, Email: demoUser, Name: &name, PasswordHash: hash, Role: store.RoleIssuer})
}

// demoFile keeps the demo between runs, in the state directory.
func (s *session) demoFile() string { return filepath.Join(s.config.StateDir, "demo.json") }

// ensureDemo returns the demo of demo.json if its login still works. It makes a new one
// if there is none, or if another password is chosen. Otherwise it fails with
// errDemoDeactivated or errDemoChanged, wrapped. Only a server that runs updates the
// address in the file, because the command's --listen may differ from the server's.
func (s *session) ensureDemo(st *store.Store, serving bool) (demo, error) {
	chosen := os.Getenv(demoVariable)
	if _, err := private.Dir(s.config.StateDir); err != nil {
		return demo{}, err
	}
	known, err := readDemo(s.demoFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return demo{}, err
	}
	// The demo command prints the address that the server wrote.
	address := known.BaseURL
	if serving || address == "" {
		address = s.config.BaseURL
	}
	works, err := s.demoWorks(st, known, chosen)
	if err != nil {
		return demo{}, err
	}
	// Begin the file before the password is set: otherwise a file that cannot be written
	// would leave the user with a password that nobody knows.
	finish, err := beginDemoFile(s.demoFile())
	if err != nil {
		return demo{}, err
	}
	if !works || chosen != "" && chosen != known.Password {
		if chosen == "" {
			chosen = rand.Text()
		}
		if known, err = makeDemo(s, st, chosen); err != nil {
			return demo{}, errors.Join(err, os.Remove(s.demoFile()+demoUnfinished))
		}
	}
	known.BaseURL = address
	return known, finish(known)
}

// demoWorks reports whether the known demo can log in. It returns false, without an
// error, if the caller may set a new password: no user exists, no password is known, or
// the operator chose another one.
func (s *session) demoWorks(st *store.Store, known demo, chosen string) (bool, error) {
	user, err := store.Read(s, st, func(tx *store.Tx) (store.User, error) {
		return tx.FindUserByEmail(s, demoUser)
	})
	if errors.Is(err, store.ErrUserNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !user.Active {
		return false, errDemoDeactivated
	}
	works, err := password.Matches(known.Password, user.PasswordHash)
	// An operator has changed the password: the program must not change it back.
	if err == nil && !works && known != (demo{}) && chosen == "" {
		err = fmt.Errorf("%s: %w", s.demoFile(), errDemoChanged)
	}
	return works, err
}

func readDemo(path string) (d demo, err error) {
	text, err := private.ReadFile(path)
	if err != nil {
		return demo{}, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return demo{}, fmt.Errorf("%s: %w (delete the file to get a new one)", path, err)
	}
	return d, nil
}

// demoUnfinished is the suffix of a demo.json that is being written.
const demoUnfinished = ".new"

// beginDemoFile makes path's directory, and checks that path can be written. The returned
// finish replaces the file atomically: a crash leaves the old file or the new one.
func beginDemoFile(path string) (finish func(demo) error, err error) {
	if _, err := private.Dir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	temporary := path + demoUnfinished
	if err := private.WriteFile(temporary, nil); err != nil {
		return nil, err
	}
	return func(d demo) error {
		text, err := json.MarshalIndent(d, "", "  ") //nolint:gosec // the password is what the file is for, and its mode is 0600
		if err != nil {
			return err
		}
		if err := private.WriteFile(temporary, append(text, '\n')); err != nil {
			return err
		}
		return os.Rename(temporary, path)
	}, nil
}
