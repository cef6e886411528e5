package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store"
	"giftcards/store/storetest"
)

// TestPassingDatabaseErrorsAreUnavailable, so that the caller may retry. All other errors are
// faults of the server.
func TestPassingDatabaseErrorsAreUnavailable(t *testing.T) {
	t.Parallel()
	for code, passes := range map[string]bool{
		"08000": true, "08006": true, "08P01": true, // connection
		"25006": true,                // read-only: a standby
		"25P03": true, "25P04": true, // idle_in_transaction_session_timeout, transaction_timeout
		"40001": true, "40P01": true, "40003": true, // serialization, deadlock, unknown end
		"53000": true, "53100": true, "53200": true, "53300": true, "53400": true, // memory, disk, connections
		"55P03": true,                // lock_timeout
		"57014": true, "57P01": true, // statement_timeout, shutdown by the administrator
		"57P02": true, "57P03": true, "57P05": true, // crash, starting up, idle_session_timeout
		"58030": true, // the disk fails
		"22001": false, "23505": false, "23503": false, "25001": false, "25P02": false, "28P01": false,
		"42501": false, "42P01": false, "42703": false, "57000": false, "XX000": false, "": false,
	} {
		err := fmt.Errorf("create: %w", &pgconn.PgError{Code: code})
		if got := store.IsUnavailable(err); got != passes {
			t.Errorf("SQLSTATE %q: %v, want %v", code, got, passes)
		}
	}
}

// TestDefaultsOfADatabaseChangeNothing: the store's settings win over those of the database and
// of the role.
func TestDefaultsOfADatabaseChangeNothing(t *testing.T) {
	t.Parallel()
	url := storetest.URL(t)
	for _, setting := range []string{
		"default_transaction_isolation = 'serializable'", "default_transaction_deferrable = on", "client_encoding = 'LATIN1'",
		"default_transaction_read_only = on", // the last one, because it refuses others
	} {
		execute(t, url, "do $$ begin execute format('alter database %I set "+strings.ReplaceAll(setting, "'", "''")+"', current_database()); end $$")
	}
	st, err := store.Open(t.Context(), url, store.Options{})
	must(t, err)
	defer st.Close()
	ask := func(tx *store.Tx) (got [4]string, err error) {
		return got, tx.Unwrap().QueryRow(t.Context(), `select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
			current_setting('transaction_deferrable'), current_setting('client_encoding')`).Scan(&got[0], &got[1], &got[2], &got[3])
	}
	written, err := store.Write(t.Context(), st, ask)
	must(t, err)
	if want := [4]string{"read committed", "off", "off", "UTF8"}; written != want {
		t.Errorf("to write: %v, want %v", written, want)
	}
	read, err := store.Read(t.Context(), st, ask)
	must(t, err)
	if want := [4]string{"repeatable read", "on", "off", "UTF8"}; read != want {
		t.Errorf("to read: %v, want %v", read, want)
	}
	// A statement outside of a transaction, such as the one that creates a card.
	var alone [4]string
	must(t, st.Pool().QueryRow(t.Context(), `select current_setting('transaction_isolation'), current_setting('transaction_read_only'),
		current_setting('transaction_deferrable'), current_setting('client_encoding')`).Scan(&alone[0], &alone[1], &alone[2], &alone[3]))
	if want := [4]string{"read committed", "off", "off", "UTF8"}; alone != want {
		t.Errorf("alone: %v, want %v", alone, want)
	}
	must(t, st.CheckWritable(t.Context()))
	_, err = store.Write(t.Context(), st, func(tx *store.Tx) (store.Merchant, error) { return tx.AddMerchant(t.Context(), "Zoë 🎁") })
	must(t, err)
}

// TestAConnectionThatCannotWriteIsNotKept, whether it is in use or idle.
func TestAConnectionThatCannotWriteIsNotKept(t *testing.T) {
	t.Parallel()
	st, err := store.Open(t.Context(), storetest.URL(t), store.Options{MaxConns: 3})
	must(t, err)
	defer st.Close()
	// Like sessions on a standby, each of them refuses to write until it ends.
	readOnly := func() {
		var held []interface{ Release() }
		for range 3 {
			conn, err := st.Pool().Acquire(t.Context())
			must(t, err)
			_, err = conn.Exec(t.Context(), "set default_transaction_read_only = on")
			must(t, err)
			held = append(held, conn)
		}
		for _, conn := range held {
			conn.Release()
		}
	}
	readOnly()
	add := func() error {
		_, err := store.Write(t.Context(), st, func(tx *store.Tx) (store.Merchant, error) { return tx.AddMerchant(t.Context(), "A") })
		return err
	}
	if err := add(); !store.IsUnavailable(err) {
		t.Errorf("in a read-only session: %v", err)
	}
	for range 6 {
		if err := add(); err != nil {
			t.Errorf("after that: %v", err)
		}
	}
	readOnly()
	if err := st.CheckWritable(t.Context()); !errors.Is(err, store.ErrNotWritable) {
		t.Errorf("a check in a read-only session: %v", err)
	}
	for range 6 {
		if err := st.CheckWritable(t.Context()); err != nil {
			t.Errorf("the next check: %v", err)
		}
	}
}
