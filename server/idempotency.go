package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"

	"giftcards/gen/api"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/store"
)

// The names of operations in the audit log and in the scopes of idempotency keys. Never rename
// an operation that accepts keys, because all keys stored under the old name would be free
// again.
const (
	createOperation   = "createGiftCard"
	bulkOperation     = "bulkIssueGiftCards"
	downloadOperation = "downloadGiftCards"
	loginOperation    = "createToken"
	logoutOperation   = "logout"

	activateOperation       = "activateGiftCard"
	redeemOperation         = "redeemGiftCard"
	reloadOperation         = "reloadGiftCard"
	reloadByNumberOperation = "reloadGiftCardByNumber"
	voidOperation           = "voidGiftCard"
	suspendOperation        = "suspendGiftCard"
	resumeOperation         = "resumeGiftCard"
	refundOperation         = "refundGiftCardTransaction"
	expiredOperation        = "processExpiredGiftCard"

	transferOperation    = "transferGiftCardBalance"
	consolidateOperation = "consolidateGiftCards"

	resendOperation    = "resendGiftCardSecurityCode"
	scheduleOperation  = "scheduleGiftCardDelivery"
	ownershipOperation = "transferGiftCardOwnership"
)

// idempotencyKey returns the key of a request with the hash of the request, or nil if the
// request has no key. body encodes the parts of the body that would be stored. So a
// retry may differ in white space, in the order of names, in characters that are removed, and in
// the form of Unicode. The ids in the path are always in the hash, because
// a request about one card must never get the answer about another card.
func idempotencyKey(who *principal, operation string, header *string, body func(*json.Encoder) error) (*store.IdempotencyKey, error) {
	if header == nil || rules.Key(*header) == "" {
		return nil, nil
	}
	program, err := who.program()
	if err != nil {
		return nil, err
	}
	// Form C is made while hashing, so that a large body needs no second copy.
	sum := sha256.New()
	normal := norm.NFC.Writer(sum)
	encoder := json.NewEncoder(normal)
	if err := errors.Join(encoder.Encode(who.path), body(encoder), normal.Close()); err != nil {
		return nil, fmt.Errorf("hash request: %w", err)
	}
	return &store.IdempotencyKey{
		ProgramID: program.ID, Operation: operation, Key: rules.Key(*header), RequestHash: [32]byte(sum.Sum(nil)),
	}, nil
}

func createKey(who *principal, request api.CreateGiftCardRequestObject, terms store.Terms, recipient store.Recipient) (*store.IdempotencyKey, error) {
	return idempotencyKey(who, createOperation, request.Params.IdempotencyKey, func(e *json.Encoder) error {
		return errors.Join(e.Encode(request.Body.MerchantId), e.Encode(terms), e.Encode(recipient))
	})
}

// bulkKey encodes one recipient at a time, because all at once would double the memory of a
// large request.
func bulkKey(who *principal, request api.BulkIssueGiftCardsRequestObject, terms store.Terms, recipients []store.Recipient) (*store.IdempotencyKey, error) {
	return idempotencyKey(who, bulkOperation, request.Params.IdempotencyKey, func(e *json.Encoder) error {
		err := errors.Join(e.Encode(request.Body.Count), e.Encode(terms))
		for i := 0; err == nil && i < len(recipients); i++ {
			err = e.Encode(recipients[i])
		}
		return err
	})
}

// once is store.Once for the caller and an effect that returns the status and the body of
// the answer. After store.ErrAccessChanged the operation runs once more (see access.go).
func (s *Server) once(ctx context.Context, who *principal, key *store.IdempotencyKey, effect func(*store.Tx) (int, any, error)) (store.Answer, error) {
	answer, err := store.Once(ctx, s.Store, who.access, key, func(tx *store.Tx) (store.Answer, error) {
		status, body, err := effect(tx)
		if err != nil {
			return store.Answer{}, err
		}
		return encodeAnswer(status, body)
	})
	return answer, keyFault(err, key)
}

func encodeAnswer(status int, body any) (store.Answer, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return store.Answer{}, fmt.Errorf("encode answer: %w", err)
	}
	return store.Answer{Status: status, Body: encoded}, nil
}

// keyFault turns the error of a key that was used for another request into a 422 that names
// the header. It leaves other errors as they are.
func keyFault(err error, key *store.IdempotencyKey) error {
	if errors.Is(err, store.ErrKeyReused) {
		return validate.ValueError(store.ErrKeyReused.Message).At(validate.Loc{"header", "idempotency-key"}, &key.Key)
	}
	return err
}

// replayed returns the value of the header Idempotent-Replayed, nil for no header.
func replayed(a store.Answer) *string {
	if !a.Replayed {
		return nil
	}
	yes := "true"
	return &yes
}

// decodeAnswer decodes the body of a kept answer.
func decodeAnswer[T any](a store.Answer) (body T, err error) {
	if err := json.Unmarshal(a.Body, &body); err != nil {
		return body, fmt.Errorf("decode answer: %w", err)
	}
	return body, nil
}
