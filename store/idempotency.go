package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// IdempotencyKey is an idempotency key in its scope, with the hash of its request.
type IdempotencyKey struct {
	ProgramID   id.ID // implies the merchant
	Operation   string
	Key         string // 1 to 255 printable ASCII characters
	Subject     []byte // what the request acts on: ids one after the other; nil if it issues cards
	RequestHash [32]byte
}

// subject is Subject for a column that is not null.
func (k *IdempotencyKey) subject() []byte {
	if k.Subject == nil {
		return []byte{}
	}
	return k.Subject
}

// Answer is the answer to a request: a status and a JSON body.
type Answer struct {
	Status   int
	Body     []byte
	Replayed bool // the answer was given before, under the same key
}

// Once runs effect in one transaction and stores its answer under the key. If the key has an
// answer already, Once returns that and does not run effect. Without a key it only runs
// effect. Once writes nothing and fails with ErrAccessChanged if token or user have changed,
// and with ErrKeyReused if the key was used for another request.
//
// CreateCard does the same in a single statement, and Move for movements: both share a
// transaction with other callers. Every other operation uses Once.
func Once(ctx context.Context, s *Store, access Access, key *IdempotencyKey, effect func(*Tx) (Answer, error)) (Answer, error) {
	return Write(ctx, s, func(tx *Tx) (Answer, error) {
		prior, err := tx.claimKey(ctx, key)
		if err != nil {
			return Answer{}, err
		}
		// Check after the claim, which may have waited for another request. The body may have
		// taken a minute to arrive, too, after the access was read.
		if err := tx.checkAccess(ctx, access); err != nil {
			return Answer{}, err
		}
		if prior != nil { // after the check: a user who is out must not see the answer
			return *prior, nil
		}
		answer, err := effect(tx)
		if err != nil {
			return Answer{}, err
		}
		// Check once more, because the effect may have waited for the totals of a daily limit
		// or for another task of the merchant.
		if err := tx.checkAccess(ctx, access); err != nil {
			return Answer{}, err
		}
		return answer, tx.saveAnswer(ctx, key, answer)
	})
}

// claimKey takes the key for this transaction and returns nil, or returns the answer that
// was given under it before. It waits for a concurrent transaction that has claimed the
// key. It fails with ErrKeyReused if the key was used for another request. A transaction
// that has claimed a key must save the answer.
func (tx *Tx) claimKey(ctx context.Context, key *IdempotencyKey) (*Answer, error) {
	if key == nil {
		return nil, nil
	}
	claim := db.ClaimKeyParams{
		ProgramID: key.ProgramID, Operation: key.Operation, Key: key.Key, Subject: key.subject(),
		RequestHash: key.RequestHash[:], CreatedAt: tx.clock,
	}
	// Again, if the key expires between the two statements.
	for {
		claimed, err := tx.q.ClaimKey(ctx, claim)
		if err != nil {
			return nil, fmt.Errorf("claim key: %w", err)
		}
		if claimed == 1 {
			return nil, nil
		}
		prior, err := priorAnswer(ctx, tx.q, *key)
		if prior != nil || err != nil {
			return prior, err
		}
	}
}

// KeyHasAnswer reports whether a request was answered under the key, whatever request
// it was.
func (tx *Tx) KeyHasAnswer(ctx context.Context, key IdempotencyKey) (bool, error) {
	has, err := tx.q.KeyHasAnswer(ctx, db.KeyHasAnswerParams{ProgramID: key.ProgramID, Operation: key.Operation, Key: key.Key, Subject: key.subject()})
	return has, wrap(err, "look for key")
}

// priorAnswer returns the answer that was given under the key. It returns nil if there is
// none, because a key may expire just after it was found taken.
func priorAnswer(ctx context.Context, q *db.Queries, key IdempotencyKey) (*Answer, error) {
	row, err := q.FindKey(ctx, db.FindKeyParams{ProgramID: key.ProgramID, Operation: key.Operation, Key: key.Key, Subject: key.subject()})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("find key: %w", err)
	case [32]byte(row.RequestHash) != key.RequestHash:
		return nil, ErrKeyReused
	}
	return &Answer{Status: int(row.Status), Body: row.Answer, Replayed: true}, nil
}

// saveAnswer keeps the answer under a claimed key, for retries of the request.
func (tx *Tx) saveAnswer(ctx context.Context, key *IdempotencyKey, answer Answer) error {
	if key == nil {
		return nil
	}
	return wrap(tx.q.SetKeyAnswer(ctx, db.SetKeyAnswerParams{
		ProgramID: key.ProgramID, Operation: key.Operation, Key: key.Key, Subject: key.subject(),
		Status: int16(answer.Status), Answer: answer.Body,
	}), "save answer")
}
