package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"giftcards/gen/api"
	"giftcards/server/validate"
	"giftcards/store"
)

// bareKey is an idempotency key without the quotes it may come in.
func bareKey(header string) string {
	if quoted := len(header) >= 2 && strings.HasPrefix(header, `"`) && strings.HasSuffix(header, `"`); quoted {
		return header[1 : len(header)-1]
	}
	return header
}

// idempotencyKey returns the key of a request in its scope, nil without one. The
// request is the validated one, so a retry may differ in white space or in the
// order of its names.
func idempotencyKey(program store.Program, operation string, header *string, hash func(*json.Encoder) error) (*store.Key, error) {
	if header == nil || bareKey(*header) == "" {
		return nil, nil
	}
	sum := sha256.New()
	if err := hash(json.NewEncoder(sum)); err != nil {
		return nil, fmt.Errorf("hash request: %w", err)
	}
	return &store.Key{
		ProgramID: program.ID, Operation: operation, Key: bareKey(*header), RequestHash: [32]byte(sum.Sum(nil)),
	}, nil
}

func hashCreate(body *api.CreateGiftCardRequest) func(*json.Encoder) error {
	return func(e *json.Encoder) error { return e.Encode(body) }
}

// hashBulk encodes one recipient at a time: all at once would double the memory
// of a large request.
func hashBulk(body *api.BulkIssueGiftCardRequest) func(*json.Encoder) error {
	return func(e *json.Encoder) error {
		terms := *body
		terms.Recipients = nil
		if err := e.Encode(terms); err != nil {
			return err
		}
		for _, recipient := range body.Recipients {
			if err := e.Encode(recipient); err != nil {
				return err
			}
		}
		return nil
	}
}

// answer is what a request is answered: a status, a body of one of several
// types, and whether it was given before.
type answer struct {
	status   int
	body     json.RawMessage
	replayed *string // the value of Idempotent-Replayed
}

// once carries out effect in one transaction, together with its key, or returns
// the answer that was given under the key before. Without a key it just carries
// it out. effect returns the status and the body of the answer.
func (s *Server) once(ctx context.Context, key *store.Key, effect func(*store.Tx) (int, any, error)) (answer, error) {
	done, err := store.Write(ctx, s.Store, func(tx *store.Tx) (answer, error) {
		if key != nil {
			prior, err := tx.ClaimKey(ctx, *key)
			if err != nil {
				return answer{}, err
			}
			if prior != nil {
				yes := "true"
				return answer{status: prior.Status, body: prior.Body, replayed: &yes}, nil
			}
		}
		status, body, err := effect(tx)
		if err != nil {
			return answer{}, err
		}
		encoded, err := json.Marshal(body)
		if err != nil {
			return answer{}, fmt.Errorf("encode answer: %w", err)
		}
		if key != nil {
			err = tx.SaveAnswer(ctx, *key, store.Answer{Status: status, Body: encoded})
		}
		return answer{status: status, body: encoded}, err
	})
	if errors.Is(err, store.ErrKeyReused) {
		return answer{}, validate.ValueError(store.ErrKeyReused.Message).At(validate.Loc{"header", "idempotency-key"}, &key.Key)
	}
	return done, err
}

// as decodes the answer's body.
func as[T any](a answer) (body T, err error) {
	if err := json.Unmarshal(a.body, &body); err != nil {
		return body, fmt.Errorf("decode answer: %w", err)
	}
	return body, nil
}
