// Package store is the shop: the schema, the queries, and the rules of cards,
// which the handler of a small request and the worker of a large one apply
// alike. It knows neither HTTP nor jobs. Statements that belong together run on
// a Tx, in Read or Write; methods of Store itself send statements that stand
// alone. What looks at the schema or changes it connects by itself.
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/metric"

	"giftcards/gen/db"
	"giftcards/store/groupcommit"
	"giftcards/store/keyring"
)

// Options are what a Store needs beside the database.
type Options struct {
	// Keys seals security codes.
	Keys *keyring.Ring
	// CardPrefix is how every card number begins: 1 to 8 digits, 9 if empty.
	CardPrefix string
	// Now is the clock, time.Now if nil. Tests own it.
	Now func() time.Time
	// MaxConns bounds the pool; if zero, pool_max_conns in the address does, else 16.
	MaxConns int32
	// ShareTransactions lets calls that wait at the same moment share a transaction:
	// cards created one by one, and the lookups of logins and of tasks.
	ShareTransactions bool
	// Meter publishes what the store counts; nil turns it off.
	Meter metric.Meter
	// Tracer follows the queries; nil turns it off.
	Tracer pgx.QueryTracer
}

// Store is a pool of connections to a migrated database. It is safe for
// concurrent use.
type Store struct {
	pool    *pgxpool.Pool
	q       *db.Queries // each call a transaction of its own
	creates *groupcommit.Group[creation, outcome]
	logins  *groupcommit.Group[db.FindLoginParams, *db.FindLoginRow]
	tasks   *groupcommit.Group[db.FindTaskParams, *db.FindTaskRow]
	keys    *keyring.Ring
	numbers numberSpace
	now     func() time.Time
	counts  counts
}

const defaultMaxConns = 16

// Open connects to the database at url (a pgx connection string). The database
// need not be reachable yet: CheckWritable says.
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
	s.logins = sharing(s.findLogins, o.ShareTransactions)
	s.tasks = sharing(s.findTasks, o.ShareTransactions)
	return s, nil
}

// CheckURL refuses what is no address of a database, and modes in which the types
// of parameters are not known; an empty one is fine.
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

// Close waits for transactions under way and closes the connections.
func (s *Store) Close() { s.pool.Close() }

// Pool is the store's own pool. It is River's way in, nobody else's.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Now is the store's clock, in UTC and in the microseconds that PostgreSQL keeps.
func (s *Store) Now() time.Time { return s.now().UTC().Truncate(time.Microsecond) }
