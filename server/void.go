package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
)

// VisitVoidGiftCardResponse writes the answer.
func (a changed) VisitVoidGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitProcessExpiredGiftCardResponse writes the answer.
func (a changed) VisitProcessExpiredGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VoidGiftCard ends a card for good. A request without a body, and one with null, have no
// reason.
func (s *Server) VoidGiftCard(ctx context.Context, request api.VoidGiftCardRequestObject) (api.VoidGiftCardResponseObject, error) {
	var reason *string
	if request.Body != nil {
		reason = line(request.Body.Reason)
	}
	return s.move(ctx, change{
		operation: voidOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: reason,
	}, func(cards []*store.Card) (any, error) {
		_, err := cards[0].Void(reason)
		return nil, err
	})
}

// The actions of ProcessExpiredGiftCard.
const (
	extendAction = "extend"
	refundAction = "refund"
	voidAction   = "void"
)

// ProcessExpiredGiftCard settles an expired card. Fields of the body that belong to another
// action have no effect.
func (s *Server) ProcessExpiredGiftCard(ctx context.Context, request api.ProcessExpiredGiftCardRequestObject) (api.ProcessExpiredGiftCardResponseObject, error) {
	body := request.Body
	lifetime, reference := store.DefaultLifetime, line(body.RefundReference)
	if body.ExtensionDays != nil {
		lifetime = time.Duration(*body.ExtensionDays) * day
	}
	stored := map[string][]any{extendAction: {lifetime}, refundAction: {reference}}[body.Action]
	return s.move(ctx, change{
		operation: expiredOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: append(stored, body.Action),
	}, func(cards []*store.Card) (any, error) { return settle(cards[0], body.Action, lifetime, reference) })
}

// settle carries out an action on an expired card and returns the answer.
func settle(card *store.Card, action string, lifetime time.Duration, reference *string) (any, error) {
	answer := api.ProcessExpiredCardResponse{Success: true, CardId: card.ID.String(), Action: action}
	var entry store.Entry
	var err error
	switch action {
	case extendAction:
		err = card.Extend(lifetime)
		// After an error nobody reads the answer, so it may be filled in.
		expiresAt := card.ExpiresAt.UTC()
		answer.Message, answer.NewExpiresAt = "Gift card extended", &expiresAt
	case refundAction:
		entry, err = card.PayOut(reference)
		answer.Message = "Gift card refunded"
	case voidAction:
		entry, err = card.VoidExpired()
		answer.Message = "Gift card voided"
	default:
		err = fmt.Errorf("the document has no action %q", action)
	}
	// An extension moves no money, so it has no entry.
	if !entry.ID.IsZero() {
		answer.TransactionId = new(entry.ID.String())
	}
	return answer, err
}
