package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// VisitSuspendGiftCardResponse writes the answer.
func (a changed) VisitSuspendGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitResumeGiftCardResponse writes the answer.
func (a changed) VisitResumeGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// SuspendGiftCard stops a card for now. It takes no idempotency key, because a second
// suspension with the same body changes nothing more.
func (s *Server) SuspendGiftCard(ctx context.Context, request api.SuspendGiftCardRequestObject) (api.SuspendGiftCardResponseObject, error) {
	card, err := cardID(request.CardId)
	if err != nil {
		return nil, err
	}
	reason, until := line(request.Body.Reason), request.Body.SuspendedUntil
	return s.move(ctx, change{operation: suspendOperation, cards: []id.ID{card}},
		func(program store.Program, cards []*store.Card) (any, error) {
			if err := cards[0].Suspend(reason, until); err != nil {
				return nil, err
			}
			return cardAnswer(ctx, program, cards[0]), nil
		})
}

// ResumeGiftCard lifts the suspension of a card. The messages that waited for it are sent.
func (s *Server) ResumeGiftCard(ctx context.Context, request api.ResumeGiftCardRequestObject) (api.ResumeGiftCardResponseObject, error) {
	return s.changeCard(ctx, resumeOperation, request.CardId, nil, nil, func(tx *store.Tx, card *store.Card) error {
		if err := card.Resume(); err != nil {
			return err
		}
		return tx.HurryMessagesOfCard(ctx, card.ProgramID, card.ID)
	})
}
