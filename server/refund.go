package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// VisitRefundGiftCardTransactionResponse writes the answer.
func (a changed) VisitRefundGiftCardTransactionResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// RefundGiftCardTransaction gives back a redemption, or a part of it.
func (s *Server) RefundGiftCardTransaction(ctx context.Context, request api.RefundGiftCardTransactionRequestObject) (api.RefundGiftCardTransactionResponseObject, error) {
	redemption, err := id.Parse(request.TransactionId)
	if err != nil {
		return nil, err
	}
	amount := request.Body.Amount
	details := store.Details{Description: line(request.Body.Reason), PosTransactionID: line(request.Body.PosTransactionId)}
	return s.changeCard(ctx, change{
		operation: refundOperation, cardID: request.CardId, entry: redemption, key: request.Params.IdempotencyKey, stored: []any{amount, details},
	}, func(tx *store.Tx, card *store.Card) (any, error) {
		// The card is locked by now, so no other refund is under way.
		refundable, err := tx.Refundable(ctx, card, redemption)
		if err != nil {
			return nil, err
		}
		refund, err := card.Refund(refundable, amount, details)
		if err != nil {
			return nil, err
		}
		return api.RefundTransactionResponse{
			TransactionId: refund.ID.String(), GiftCardId: refund.CardID.String(), RefundedAmount: refund.Amount.String(),
			RemainingBalance: refund.BalanceAfter, Success: true, Message: "Transaction refunded",
		}, nil
	})
}
