package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/server/validate"
	"giftcards/store"
)

// CreateGiftCard issues one card and schedules its messages.
func (s *Server) CreateGiftCard(ctx context.Context, request api.CreateGiftCardRequestObject) (api.CreateGiftCardResponseObject, error) {
	who := caller(ctx)
	program, err := who.issuing()
	if err != nil {
		return nil, err
	}
	if request.Body.MerchantId != program.MerchantID.String() {
		return nil, validate.ValueError("merchantId must be the program's merchant").At(validate.Loc{"body", "merchantId"}, &request.Body.MerchantId)
	}
	key, err := idempotencyKey(program, "createGiftCard", request.Params.IdempotencyKey, hashCreate(request.Body))
	if err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, key, func(tx *store.Tx) (int, any, error) {
		terms, recipient := fromCreate(program, request.Body)
		cards, err := tx.IssueCards(ctx, terms, []store.Recipient{recipient})
		if err != nil {
			return 0, nil, err
		}
		if err := tx.Audit(ctx, who.audits("createGiftCard", program.ID, cards[0].ID[:], 1)); err != nil {
			return 0, nil, err
		}
		return http.StatusCreated, toGiftCard(cards[0], program, who.access.MerchantName), nil
	})
	if err != nil {
		return nil, err
	}
	card, err := as[api.GiftCardResponse](answer)
	return api.CreateGiftCard201JSONResponse{
		Body: card, Headers: api.CreateGiftCard201ResponseHeaders{IdempotentReplayed: answer.replayed},
	}, err
}
