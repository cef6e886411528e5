package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/store"
)

// keyHasAnswer reports whether a bulk request was accepted under the key of r. If not, the
// items of a list that is too long are not worth judging.
func (s *Server) keyHasAnswer(r *http.Request) (bool, error) {
	ctx := r.Context()
	program, err := caller(ctx).program()
	key := rules.Key(r.Header.Get("Idempotency-Key"))
	if err != nil || key == "" {
		return false, nil //nolint:nilerr // the caller cannot have succeeded in that program
	}
	return store.Read(ctx, s.Store, func(tx *store.Tx) (bool, error) {
		return tx.KeyHasAnswer(ctx, store.IdempotencyKey{ProgramID: program.ID, Operation: bulkOperation, Key: key})
	})
}

// hasKey reports whether a request has an idempotency key.
func hasKey(request *validate.Request) bool {
	return rules.Key(request.Param("header", "idempotency-key").Text()) != ""
}

// replayOnly answers a request whose faults are all provisional: time has passed or a
// setting has changed. If the request succeeded under its key before, it gets that answer
// again, else the faults. No handler runs, so the request has no effect.
func (s *Server) replayOnly(next api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		ctx := c.Request().Context()
		who := caller(ctx)
		faults := who.faults
		if len(faults) == 0 {
			return next(c, request)
		}
		// Look the access up even if it was cached: a caller who is out must not learn whether
		// the key has an answer.
		if who.cached {
			if err := s.authorize(ctx, who, false); err != nil {
				return nil, err
			}
		}
		program, err := who.program()
		if err != nil { // the caller cannot have succeeded in that program
			return nil, faults
		}
		var key *store.IdempotencyKey
		var replay func(store.Answer) (any, error)
		switch r := request.(type) {
		case api.CreateGiftCardRequestObject:
			terms, recipient := fromCreate(program, r.Body)
			key, err = createKey(who, r, terms, recipient)
			replay = func(a store.Answer) (any, error) { return s.replayedCard(who, program.ID, a) }
		case api.BulkIssueGiftCardsRequestObject:
			terms, recipients := fromBulk(program, r.Body)
			key, err = bulkKey(who, r, terms, recipients)
			replay = func(a store.Answer) (any, error) { return s.bulkAnswer(who, program.ID, r.Body.Count != nil, a) }
		default:
			return nil, faults
		}
		if err != nil {
			return nil, err
		}
		answer, err := s.firstAnswer(ctx, who, key, faults)
		if err != nil {
			return nil, err
		}
		return replay(answer)
	}
}

// firstAnswer returns the answer that the same request got under the key, or fails with
// the faults if there is none. Its transaction claims the key, so it waits for an equal
// request that is under way. The faults then roll the claim back.
func (s *Server) firstAnswer(ctx context.Context, who *principal, key *store.IdempotencyKey, faults validate.Errors) (store.Answer, error) {
	answer, err := s.once(ctx, who, key, func(*store.Tx) (int, any, error) { return 0, nil, faults })
	if _, refused := errors.AsType[validate.Errors](err); refused { // also if the key belongs to another request
		return store.Answer{}, faults
	}
	if err != nil {
		return store.Answer{}, err
	}
	_, err = who.programToIssueIn()
	return answer, err
}
