package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// VisitActivateGiftCardResponse writes the answer.
func (a changed) VisitActivateGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRedeemGiftCardResponse writes the answer.
func (a changed) VisitRedeemGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitReloadGiftCardResponse writes the answer.
func (a changed) VisitReloadGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitReloadGiftCardByNumberResponse writes the answer.
func (a changed) VisitReloadGiftCardByNumberResponse(w http.ResponseWriter) error { return a.write(w) }

// ActivateGiftCard makes a pending card active, with its initial value as its balance.
func (s *Server) ActivateGiftCard(ctx context.Context, request api.ActivateGiftCardRequestObject) (api.ActivateGiftCardResponseObject, error) {
	email, name := request.Body.CustomerEmail, line(request.Body.CustomerName)
	return s.move(ctx, change{
		operation: activateOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: []any{email, name},
	}, func(cards []*store.Card) (any, error) { return nil, cards[0].Activate(email, name) })
}

// RedeemGiftCard takes an amount from an active card.
func (s *Server) RedeemGiftCard(ctx context.Context, request api.RedeemGiftCardRequestObject) (api.RedeemGiftCardResponseObject, error) {
	body := request.Body
	details := store.Details{
		Description: line(body.Description), PosTransactionID: line(body.PosTransactionId), CashierID: line(body.CashierId), TerminalID: line(body.TerminalId),
	}
	return s.move(ctx, change{
		operation: redeemOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: []any{body.Amount, details},
	}, func(cards []*store.Card) (any, error) {
		entry, err := cards[0].Redeem(body.Amount, details)
		if err != nil {
			return nil, err
		}
		return api.RedeemResponse{
			TransactionId: entry.ID.String(), GiftCardId: entry.CardID.String(), AmountRedeemed: body.Amount,
			RemainingBalance: entry.BalanceAfter, Success: true, Message: "Gift card redeemed",
		}, nil
	})
}

// ReloadGiftCard adds an amount to an active card.
func (s *Server) ReloadGiftCard(ctx context.Context, request api.ReloadGiftCardRequestObject) (api.ReloadGiftCardResponseObject, error) {
	return s.reload(ctx, change{operation: reloadOperation, cardID: request.CardId, key: request.Params.IdempotencyKey}, *request.Body)
}

// ReloadGiftCardByNumber adds an amount to the active card with a number.
func (s *Server) ReloadGiftCardByNumber(ctx context.Context, request api.ReloadGiftCardByNumberRequestObject) (api.ReloadGiftCardByNumberResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	card, err := s.Store.CardByNumber(ctx, program.ID, request.Body.CardNumber)
	if err != nil {
		return nil, err
	}
	return s.reload(ctx, change{operation: reloadByNumberOperation, cards: []id.ID{card}, key: request.Params.IdempotencyKey}, api.ReloadRequest{
		Amount: request.Body.Amount, ReferenceId: request.Body.ReferenceId, Description: request.Body.Description,
	})
}

func (s *Server) reload(ctx context.Context, c change, body api.ReloadRequest) (changed, error) {
	details := store.Details{ReferenceID: line(body.ReferenceId), Description: line(body.Description)}
	c.stored, c.adds = []any{body.Amount, details}, body.Amount
	return s.move(ctx, c, func(cards []*store.Card) (any, error) {
		_, err := cards[0].Reload(body.Amount, details)
		return nil, err
	})
}
