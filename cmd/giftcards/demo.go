package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

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

// With these errors the program leaves the demo user as it is. Setting a password would undo
// an operator's change, or end the tokens of those who use the demo.
var (
	errDemoDeactivated = errors.New("the demo's user is deactivated: giftcards user activate " + demoUser + " lets it log in again")
	errDemoChanged     = errors.New("its password is wrong, because the demo user's password was changed: set " + demoVariable + " to choose a new one")
	errDemoElsewhere   = errors.New("the demo exists, and its password may be in demo.json of another state directory: name that directory with --state-dir, or set " + demoVariable + " to choose a new password")
)

type demoCommand struct{}

// Run makes the demo if there is none, and prints it. Unlike other commands it migrates the database,
// because a demo is made in a new one.
func (demoCommand) Run(s *session) error {
	if err := s.withDatabase(s.migrate); err != nil {
		return err
	}
	return s.withStore(func(st *store.Store) error {
		made, err := s.ensureDemo(st, newDemoSecret(), false)
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

// demoSecret is a new password of the demo's user.
type demoSecret struct {
	password string
	hash     func() (string, error) // the first call takes long
}

// newDemoSecret returns the chosen password, or else a random one.
func newDemoSecret() demoSecret {
	secret := cmp.Or(os.Getenv(demoVariable), rand.Text())
	return demoSecret{secret, sync.OnceValues(func() (string, error) { return password.Hash(secret) })}
}

// resetDemo creates the demo merchant, program and user if the user does not exist. Otherwise it
// sets the user's password. It returns the demo with that password.
func resetDemo(ctx context.Context, st *store.Store, secret demoSecret) (demo, error) {
	hash, err := secret.hash()
	if err != nil {
		return demo{}, err
	}
	return store.Write(ctx, st, func(tx *store.Tx) (demo, error) {
		// Find the demo by its user, because names of merchants are not unique.
		user, err := tx.FindUserByEmail(ctx, demoUser)
		switch {
		case errors.Is(err, store.ErrUserNotFound):
			if user, err = addDemoMerchant(ctx, tx, hash); err != nil {
				return demo{}, err
			}
		case err != nil:
			return demo{}, err
		default:
			if _, err := tx.SetPassword(ctx, demoUser, hash); err != nil {
				return demo{}, err
			}
		}
		err = tx.Audit(ctx, store.AuditEntry{Operation: "demo", MerchantID: user.MerchantID, Subject: user.ID[:], Client: operator()})
		if err != nil {
			return demo{}, err
		}
		return demoOf(ctx, tx, user, secret.password)
	})
}

// findDemo returns the demo that exists, with its password.
func findDemo(ctx context.Context, st *store.Store, secret string) (demo, error) {
	return store.Read(ctx, st, func(tx *store.Tx) (demo, error) {
		user, err := tx.FindUserByEmail(ctx, demoUser)
		if err != nil {
			return demo{}, err
		}
		return demoOf(ctx, tx, user, secret)
	})
}

func demoOf(ctx context.Context, tx *store.Tx, user store.User, secret string) (demo, error) {
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

// ensureDemo returns the demo as demo.json has it afterwards. If its login works, nothing changes. If
// there is no demo user, if another password is chosen, or if a private database has lost its demo.json,
// the demo gets the fresh password. Otherwise ensureDemo fails with errDemoDeactivated, errDemoChanged
// or errDemoElsewhere, wrapped. Only a server that runs
// updates the address in the file, because the command's --listen may differ from the server's.
func (s *session) ensureDemo(st *store.Store, fresh demoSecret, serving bool) (demo, error) {
	if _, err := private.Dir(s.config.StateDir); err != nil {
		return demo{}, err
	}
	stored, err := readDemo(s.demoFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return demo{}, err
	}
	// The demo command prints the address that the server wrote.
	address := stored.BaseURL
	if serving || address == "" {
		address = s.config.BaseURL
	}
	chosen := os.Getenv(demoVariable)
	secret := cmp.Or(chosen, stored.Password)
	works, err := s.demoWorks(st, stored, secret, chosen != "")
	if err != nil {
		return demo{}, err
	}
	// Begin the file before the password is set: otherwise a file that cannot be written
	// would leave the user with a password that nobody knows.
	finish, err := beginDemoFile(s.demoFile())
	if err != nil {
		return demo{}, err
	}
	switch {
	case !works:
		stored, err = resetDemo(s, st, fresh)
	// The chosen password works, and only the file has another one. Setting the password again would end
	// the user's tokens.
	case secret != stored.Password:
		stored, err = findDemo(s, st, secret)
	}
	if err != nil {
		return demo{}, errors.Join(err, os.Remove(s.demoFile()+demoUnfinished))
	}
	stored.BaseURL = address
	return stored, finish(stored)
}

// demoWorks reports whether the demo user can log in with secret. It returns false, without
// an error, if the caller may set a new password: no user exists, the operator chose another
// password, or the password is lost with the only demo.json.
func (s *session) demoWorks(st *store.Store, stored demo, secret string, chosen bool) (bool, error) {
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
	works, err := password.Matches(secret, user.PasswordHash)
	switch {
	case err != nil || works || chosen:
		return works, err
	case stored != (demo{}):
		return false, fmt.Errorf("%s: %w", s.demoFile(), errDemoChanged)
	// A private database has one state directory, and one demo.json. Any other database may
	// have several.
	case s.config.DatabaseURL != "":
		return false, errDemoElsewhere
	}
	return false, nil
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
