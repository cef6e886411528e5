package main

import (
	"fmt"

	"giftcards/store/keyring"
)

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
