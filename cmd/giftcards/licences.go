package main

import (
	_ "embed"
	"io"
)

// licences are the texts and notices of all software in the program. `make licences`
// writes them.
//
//go:embed licences.txt
var licences string

type licencesCommand struct{}

func (licencesCommand) Run(s *session) error {
	_, err := io.WriteString(s.stdout, licences)
	return err
}
