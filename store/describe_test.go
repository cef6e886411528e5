package store_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"giftcards/store"
)

// TestNoStatementIsPreparedBehindAPooler, in whichever form the address is written.
func TestNoStatementIsPreparedBehindAPooler(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://giftcards@db.example.com/giftcards", "postgres://a@b.example.com:5432,c.example.com/giftcards?target_session_attrs=read-write&pool_max_conns=16",
		"postgres://giftcards@db.example.com/giftcards?default_query_exec_mode=cache_statement", "host=db.example.com dbname=giftcards pool_max_conns=16",
		"host=db.example.com default_query_exec_mode=cache_statement dbname=giftcards",
	} {
		config, err := pgxpool.ParseConfig(store.DescribeStatements(address))
		if err != nil || config.ConnConfig.DefaultQueryExecMode != pgx.QueryExecModeCacheDescribe || config.ConnConfig.Database != "giftcards" {
			t.Errorf("%s: %v %v", address, config, err)
		}
	}
	if address := store.DescribeStatements(""); address != "" {
		t.Errorf("the private database gets the address %q", address)
	}
}
