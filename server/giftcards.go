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
	program, err := who.programToIssueIn()
	if err != nil {
		return nil, err
	}
	if request.Body.MerchantId != program.MerchantID.String() {
		return nil, validate.ValueError("merchantId must be the program's merchant").At(validate.Loc{"body", "merchantId"}, &request.Body.MerchantId)
	}
	terms, recipient := fromCreate(program, request.Body)
	key, err := createKey(who, request, terms, recipient)
	if err != nil {
		return nil, err
	}
	// CreateCard encodes the answer before its statement, which stores it with the key.
	entry := who.auditEntry(createOperation, program.ID, nil, 1)
	answer, err := s.Store.CreateCard(ctx, who.access, terms, recipient, key, entry, func(card *store.GiftCard) (store.Answer, error) {
		return encodeAnswer(http.StatusCreated, toGiftCard(card, program, who.access.MerchantName))
	})
	if err != nil {
		return nil, keyFault(err, key)
	}
	return createdCard(answer), nil
}

// createdCard is the answer to a create. Its bytes are the ones that the database keeps
// for a replay.
type createdCard store.Answer

// VisitCreateGiftCardResponse writes the answer.
func (a createdCard) VisitCreateGiftCardResponse(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	if a.Replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}
