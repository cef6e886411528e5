package main

import (
	"errors"

	"giftcards/store"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing."`
	Status migrateStatus `cmd:"" help:"Say how the database stands; exit code 1 unless it is current."`
}

type migrateUp struct {
	ServeRole string `env:"GIFTCARDS_SERVE_ROLE" placeholder:"ROLE" help:"Database role that may serve, and no more, from then on. Default: only the owner may."`
}

type migrateStatus struct{}

func (c migrateUp) Run(s *session) error {
	return s.withDatabase(func(url string) error {
		if err := s.migrate(url); err != nil {
			return err
		}
		if c.ServeRole != "" {
			if err := store.Grant(s, url, c.ServeRole); err != nil {
				return err
			}
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
