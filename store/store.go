// Package store holds the schema, the queries, and the rules of gift cards. The handler of
// a small request and the worker of a large one apply the same rules. The package knows
// neither HTTP nor jobs.
//
// A rule is a method of Tx, which Read, Write and Do open. A few methods of Store send a
// single statement through the pool instead; do not call one inside a transaction, because
// it takes a second connection and sees nothing of the transaction.
//
// Read the files in this order:
//
//   - The frame: store.go, tx.go, errors.go, connect.go.
//   - Issuing cards: giftcard.go, number.go, cardcolumns.go and create.go (one card, with
//     share.go and package groupcommit), cardrange.go (the cards of a bulk request), limits.go,
//     idempotency.go.
//   - Changing cards: card.go (states and rules), ledger.go, savecards.go, movement.go with
//     movement_round.go, valuetotals.go (daily limits on value), codelock.go, and a file for each of
//     the other operations, such as refund.go.
//   - Reading cards: cardbynumber.go, cardfind.go, cardlist.go, cardsearch.go, report.go, balancecheck.go,
//     and issuedcards.go and physical.go for an operator's commands.
//   - People and access: program.go (merchants and programs), program_settings.go, user.go, login.go,
//     access.go, audit.go.
//   - Tasks: bulk.go, chunk.go, copy.go and recipients.go (writing the cards), progress.go, stop.go.
//   - Messages: message.go, message_new.go, cardmessages.go, message_retry.go,
//     message_origin.go, drop.go, bounce.go, and receipts.go.
//   - Recipients' data: person.go (finding it), erase.go, answers.go, retention.go.
//   - A sandbox: installation.go, clock.go, away.go, world.go.
//   - Running it: migrate.go, newschema.go, grant.go, capacity.go, backlog.go, metrics.go with
//     metrics_backlog.go and metrics_ledger.go, sweep.go, verify.go, and the
//     keys of security codes in keycheck.go, keyuses.go, reseal.go and retire.go.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"giftcards/gen/db"
	"giftcards/store/keyring"
)

// Options configure a Store.
type Options struct {
	// Keys seals security codes.
	Keys *keyring.Ring
	// CardPrefix is the beginning of every card number: 1 to 8 digits, 9 if empty.
	CardPrefix string
	// Now is the clock, time.Now if nil. Tests set it.
	Now func() time.Time
	// MaxConns is the size of the pool; if zero, it is pool_max_conns of the address, or 16.
	MaxConns int32
	// ShareTransactions lets calls of the same moment share a transaction: creates of single
	// cards, movements, and the look-ups of logins, tasks and balance checks.
	ShareTransactions bool
	// Meter publishes what the store counts; nil turns it off.
	Meter metric.Meter
	// Tracer follows the queries; nil turns it off.
	Tracer pgx.QueryTracer
}

// Store is a pool of connections to a migrated database. It is safe for
// concurrent use.
type Store struct {
	pool      *pgxpool.Pool
	q         *db.Queries // each call is a transaction of its own
	creates   group[creation, outcome]
	movements group[Movement, moved]
	logins    group[db.FindLoginParams, *db.FindLoginRow]
	tasks     group[db.FindTaskParams, *db.FindTaskRow]
	checks    group[checkedNumber, checked]
	turns     turns
	watched   watched
	decoy     atomic.Pointer[GiftCard]
	keys      *keyring.Ring
	numbers   numberSpace
	now       func() time.Time
	counts    counts
	receipts  receiptPrograms
}

const defaultMaxConns = 16

// Open returns a Store for the database at url (a pgx connection string). The database
// need not be reachable yet; CheckWritable reports whether it is.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if o.CardPrefix == "" {
		o.CardPrefix = "9"
	}
	numbers, err := newNumberSpace(o.CardPrefix)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database address: %w", err)
	}
	// pgx's own default depends on the number of processors, so it is never used.
	switch {
	case o.MaxConns > 0:
		config.MaxConns = o.MaxConns
	case !strings.Contains(url, "pool_max_conns"):
		config.MaxConns = defaultMaxConns
	}
	config.ConnConfig.Tracer = o.Tracer
	pool, err := newPool(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	s := &Store{pool: pool, q: db.New(pool), keys: o.Keys, numbers: numbers, now: o.Now}
	if o.Meter != nil {
		if err := s.registerMetrics(o.Meter); err != nil {
			pool.Close()
			return nil, fmt.Errorf("measure the store: %w", err)
		}
	}
	s.creates = sharing(s.createCards, o.ShareTransactions)
	s.movements = sharing(s.move, o.ShareTransactions)
	s.logins = sharing(s.findLogins, o.ShareTransactions)
	s.tasks = sharing(s.findTasks, o.ShareTransactions)
	s.checks = sharing(s.findChecked, o.ShareTransactions)
	return s, nil
}

// CheckURL returns an error, a sentence for the operator, unless url is empty or the address
// of a database. It refuses the query modes in which pgx does not know the types of
// parameters.
func CheckURL(url string) error {
	if url == "" {
		return nil
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return errors.New("want a PostgreSQL address such as postgres://user:password@host/database")
	}
	if mode := config.ConnConfig.DefaultQueryExecMode; mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol {
		return fmt.Errorf("default_query_exec_mode=%s does not work; behind a pooler use cache_describe", mode)
	}
	return nil
}

// DescribeStatements returns the address with a setting for a transaction pooler: sessions then
// need no statements that were prepared before. An empty address stays empty.
func DescribeStatements(url string) string {
	const setting = "default_query_exec_mode=cache_describe" // the last one in an address counts
	switch {
	case url == "":
		return ""
	case !strings.Contains(url, "://"):
		return url + " " + setting
	case strings.Contains(url, "?"):
		return url + "&" + setting
	}
	return url + "?" + setting
}

// Close waits until the running transactions have ended, and closes the connections.
func (s *Store) Close() { s.pool.Close() }

// Pool returns the store's own pool. Only River uses it.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }
