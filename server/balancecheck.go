package server

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"giftcards/gen/api"
	"giftcards/server/ratelimit"
	"giftcards/store"
	"giftcards/store/id"
)

// CheckGiftCardBalance shows anybody who knows the number and the security code of a card of
// the program what is on it.
func (s *Server) CheckGiftCardBalance(ctx context.Context, request api.CheckGiftCardBalanceRequestObject) (api.CheckGiftCardBalanceResponseObject, error) {
	program, err := id.Parse(request.ProgramId)
	if err != nil {
		return nil, err
	}
	body, err := s.checkBalance(ctx, &program, *request.Body)
	return api.CheckGiftCardBalance200JSONResponse(body), err
}

// CustomerCheckGiftCardBalance is CheckGiftCardBalance for a card of any program.
func (s *Server) CustomerCheckGiftCardBalance(ctx context.Context, request api.CustomerCheckGiftCardBalanceRequestObject) (api.CustomerCheckGiftCardBalanceResponseObject, error) {
	body, err := s.checkBalance(ctx, nil, *request.Body)
	return api.CustomerCheckGiftCardBalance200JSONResponse(body), err
}

// checkBalance checks the balance of a card of a program, or of any program if it is nil.
func (s *Server) checkBalance(ctx context.Context, program *id.ID, asked api.BalanceCheckRequest) (api.BalanceCheckResponse, error) {
	// Limits come here and not earlier, because a request that was not well-formed guesses
	// nothing.
	who, now := caller(ctx), s.Store.Clock()
	address := network(who.client, 32, 64)
	if err := s.checks.take(who.answer, address, now); err != nil {
		return api.BalanceCheckResponse{}, err
	}
	card, err := s.Store.CheckBalance(ctx, program, asked.CardNumber, asked.SecurityCode)
	if errors.Is(err, store.ErrCardNotFound) {
		s.checks.noteFailed(address, asked.CardNumber, now)
	}
	if err != nil {
		return api.BalanceCheckResponse{}, err
	}
	return toChecked(&card, s.Store.Now(ctx)), nil
}

// toChecked converts a card as it is at a time.
func toChecked(card *store.GiftCard, at time.Time) api.BalanceCheckResponse {
	number, state := store.FormatNumber(card.CardNumber), store.StateOf(card, at)
	return api.BalanceCheckResponse{
		Id: card.ID.String(), ProgramId: card.ProgramID.String(), CardNumber: number, LastFourDigits: lastFour(number),
		Balance: card.Balance, Status: api.GiftCardStatus(state), ExpiresAt: card.ExpiresAt.UTC(), IsActive: state == store.CardActive,
	}
}

const (
	// checkWindow is the window of the quota of balance checks.
	checkWindow = time.Minute
	// An address that asks in vain for four times as many different numbers as the quota,
	// within failedWindow, is refused for refusedFor: 20 numbers by default. A person may mistype a
	// number, but does not try a list of them.
	failedFactor = 4
	failedWindow = 10 * time.Minute
	refusedFor   = time.Hour
)

// balanceChecks are the limits of the balance checks of one address. A nil one has no limits.
type balanceChecks struct {
	quota   *limit[netip.Prefix]
	numbers *ratelimit.Limiter[netip.Prefix]    // different numbers that an address asks for in vain
	failed  *lru.Cache[failedNumber, time.Time] // when these were last asked for, so that each counts once
	refused *lru.Cache[netip.Prefix, time.Time] // until when
}

// failedNumber is a number that an address has asked for in vain.
type failedNumber struct {
	address netip.Prefix
	number  int64 // all texts that are not a number count as the same one
}

func newBalanceChecks(o Options) (*balanceChecks, error) {
	if o.BalanceChecks == 0 {
		return nil, nil
	}
	failed, failedErr := lru.New[failedNumber, time.Time](limitKeys)
	refused, refusedErr := lru.New[netip.Prefix, time.Time](limitKeys)
	return &balanceChecks{
		quota:   newLimit[netip.Prefix]("balance-check", o.BalanceChecks, checkWindow),
		numbers: ratelimit.New[netip.Prefix](failedFactor*o.BalanceChecks, failedWindow, limitKeys),
		failed:  failed, refused: refused,
	}, errors.Join(failedErr, refusedErr)
}

// take counts a balance check of an address and sets the headers. It fails with errTooMany,
// or with a refusal that says when the address may ask again.
func (b *balanceChecks) take(header http.Header, address netip.Prefix, now time.Time) error {
	if b == nil {
		return nil
	}
	if until, ok := b.refused.Get(address); ok && until.After(now) {
		return tooMany(until.Sub(now))
	}
	return b.quota.take(header, address, now)
}

// noteFailed notes that an address has asked for a number in vain.
func (b *balanceChecks) noteFailed(address netip.Prefix, typed string, now time.Time) {
	if b == nil {
		return
	}
	number, ok := store.ParseNumber(typed)
	if !ok {
		number = -1
	}
	key := failedNumber{address, number}
	last, known := b.failed.Get(key)
	b.failed.Add(key, now)
	// A person tries one number several times, so only different numbers count.
	if known && last.After(now.Add(-failedWindow)) {
		return
	}
	// The request that takes the last one still gets its answer; the next one is refused.
	if taken := b.numbers.Take(address, now); taken.Left == 0 {
		b.refused.Add(address, now.Add(refusedFor))
	}
}
