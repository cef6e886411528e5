package main

import (
	"errors"

	"giftcards/store"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply the missing migrations."`
	Status migrateStatus `cmd:"" help:"Print the database's schema version, and the oldest version whose programs can use it; exit code 1 unless this program can."`
}

type migrateUp struct {
	ServeRole string `env:"GIFTCARDS_SERVE_ROLE" placeholder:"ROLE" help:"Database role to grant the rights that serve needs, and no others. Default: only the owner has them."`
}

type migrateStatus struct{}

func (c migrateUp) Run(s *session) error {
	return s.withDatabase(func(url string) error {
		if err := s.migrate(url); err != nil {
			return err
		}
		// Grants come after the migrations, because they name the tables.
		if c.ServeRole != "" {
			if err := s.grant(url, c.ServeRole); err != nil {
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

// grant lets role serve on the database.
func (s *session) grant(url, role string) error {
	st, err := store.Open(s, url, store.Options{})
	if err != nil {
		return err
	}
	defer st.Close()
	return store.Do(s, st, func(tx *store.Tx) error {
		if err := tx.Grant(s, role); err != nil {
			return err
		}
		return s.audit(tx, store.AuditEntry{Operation: "migrate up --serve-role"})
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
		if !versions.Usable() {
			return errors.New("this program cannot use the database's schema")
		}
		return nil
	})
}
