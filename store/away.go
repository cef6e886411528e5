package store

import (
	"context"
	"fmt"
	"net"
)

type awayKey struct{}

// WithoutDatabase returns a context in which every statement fails as if the database were
// away. Only a sandbox uses it.
func WithoutDatabase(ctx context.Context) context.Context {
	return context.WithValue(ctx, awayKey{}, errAway)
}

var errAway = fmt.Errorf("the client of a sandbox wants the database to be away: %w", net.ErrClosed)

// away returns an error if the database is away for a caller with this context.
func away(ctx context.Context) error {
	err, _ := ctx.Value(awayKey{}).(error)
	return err
}
