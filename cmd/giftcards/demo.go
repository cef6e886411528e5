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

	"giftcards/store"
	"giftcards/store/password"
)

// demo is what one needs to try the server, and what demo.json holds.
type demo struct {
	BaseURL    string `json:"baseUrl"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	MerchantID string `json:"merchantId"`
	ProgramID  string `json:"programId"`
}

const demoUser = "demo@example.com"

type demoCommand struct{}

// Run makes the demo merchant, or gives an existing one a new password.
func (demoCommand) Run(s *session) error {
	return s.withStore(func(st *store.Store) error {
		made, err := makeDemo(s, st, s.config.BaseURL)
		if err != nil {
			return err
		}
		return s.printJSON(made)
	})
}

// demoPassword is the one of the environment, for those who need to know it
// beforehand, or a random one.
func demoPassword() (string, error) {
	chosen := os.Getenv("GIFTCARDS_DEMO_PASSWORD")
	switch {
	case chosen == "":
		return rand.Text(), nil
	case len(chosen) < password.MinLength || len(chosen) > password.MaxLength:
		return "", fmt.Errorf("GIFTCARDS_DEMO_PASSWORD: %w", password.ErrLength)
	case strings.ContainsAny(chosen, "\"\\") || strings.ContainsFunc(chosen, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("GIFTCARDS_DEMO_PASSWORD: want printable ASCII without quotes and backslashes")
	}
	return chosen, nil
}

// makeDemo sees to it that there are a demo merchant, user and program, and sets
// the user's password.
func makeDemo(ctx context.Context, st *store.Store, baseURL string) (demo, error) {
	secret, err := demoPassword()
	if err != nil {
		return demo{}, err
	}
	hash, err := password.Hash(secret)
	if err != nil {
		return demo{}, err
	}
	return store.Write(ctx, st, func(tx *store.Tx) (demo, error) {
		user, err := tx.FindUserByEmail(ctx, demoUser)
		switch {
		case errors.Is(err, store.ErrUserNotFound):
			if user, err = addDemoMerchant(ctx, tx, hash); err != nil {
				return demo{}, err
			}
		case err != nil:
			return demo{}, err
		default:
			if err := tx.SetPassword(ctx, demoUser, hash); err != nil {
				return demo{}, err
			}
		}
		programs, err := tx.Programs(ctx)
		if err != nil {
			return demo{}, err
		}
		for _, p := range programs {
			if p.MerchantID == user.MerchantID {
				return demo{
					BaseURL: baseURL, Username: demoUser, Password: secret,
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
	return tx.AddUser(ctx, merchant.ID, demoUser, &name, hash)
}

// demoFile keeps the demo between runs, in the state directory.
func (s *session) demoFile() string { return filepath.Join(s.config.StateDir, "demo.json") }

// ensureDemo is for a server with a private database: it makes the demo on the
// first start and finds it again on later ones.
func (s *session) ensureDemo(st *store.Store) (demo, error) {
	known, err := readDemo(s.demoFile())
	chosen := os.Getenv("GIFTCARDS_DEMO_PASSWORD")
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && chosen != "" && chosen != known.Password:
		if known, err = makeDemo(s, st, s.config.BaseURL); err != nil {
			return demo{}, err
		}
	case err != nil:
		return demo{}, err
	}
	known.BaseURL = s.config.BaseURL
	return known, writeDemo(s.demoFile(), known)
}

func readDemo(path string) (d demo, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return demo{}, err
	}
	if err := json.Unmarshal(text, &d); err != nil {
		return demo{}, fmt.Errorf("%s: %w (delete it to have it made anew)", path, err)
	}
	return d, nil
}

func writeDemo(path string, d demo) error {
	text, err := json.MarshalIndent(d, "", "  ") //nolint:gosec // the password is what the file is for, and its mode is 0600
	if err != nil {
		return err
	}
	// Not in place: a crash must not leave half a file.
	temporary := path + ".new"
	if err := os.WriteFile(temporary, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}
