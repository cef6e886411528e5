package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
)

// VisitSuspendGiftCardResponse writes the answer.
func (a changed) VisitSuspendGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitResumeGiftCardResponse writes the answer.
func (a changed) VisitResumeGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// SuspendGiftCard stops a card for now. It takes no idempotency key, because a second
// suspension with the same body changes nothing more.
func (s *Server) SuspendGiftCard(ctx context.Context, request api.SuspendGiftCardRequestObject) (api.SuspendGiftCardResponseObject, error) {
	reason, until := line(request.Body.Reason), request.Body.SuspendedUntil
	return s.move(ctx, change{operation: suspendOperation, cardID: request.CardId},
		func(cards []*store.Card) (any, error) { return nil, cards[0].Suspend(reason, until) })
}

// ResumeGiftCard lifts the suspension of a card. The messages that waited for it are sent.
func (s *Server) ResumeGiftCard(ctx context.Context, request api.ResumeGiftCardRequestObject) (api.ResumeGiftCardResponseObject, error) {
	return s.changeCard(ctx, change{operation: resumeOperation, cardID: request.CardId}, func(tx *store.Tx, card *store.Card) (any, error) {
		if err := card.Resume(); err != nil {
			return nil, err
		}
		return nil, tx.HurryMessagesOfCard(ctx, card.ProgramID, card.ID)
	})
}
