package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"

	"giftcards/server/password"
)

// askPassword reads a new password and returns its hash. It asks twice at a terminal, without
// echo. Otherwise it reads the first line of standard input.
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
	// The last line need not end with a newline.
	line, err := bufio.NewReader(s.stdin).ReadString('\n')
	if line == "" && err != nil {
		return "", fmt.Errorf("no password on standard input: %w", err)
	}
	return password.Hash(strings.TrimRight(line, "\r\n"))
}

// prompt reads a line without echo. On an interrupt it restores the terminal's state.
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
	// ReadPassword cannot be interrupted. Its goroutine ends with the program.
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
