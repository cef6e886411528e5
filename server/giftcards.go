package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/id"
)

// CreateGiftCard issues one card and schedules its messages.
func (s *Server) CreateGiftCard(ctx context.Context, request api.CreateGiftCardRequestObject) (api.CreateGiftCardResponseObject, error) {
	who := caller(ctx)
	program, err := who.programToIssueIn()
	if err != nil {
		return nil, err
	}
	if err := merchantOf(program, request.Body.MerchantId); err != nil {
		return nil, err
	}
	terms, recipient := fromCreate(program, request.Body)
	key, err := createKey(who, request, terms, recipient)
	if err != nil {
		return nil, err
	}
	// CreateCard encodes the answer before its statement, which stores it with the key.
	entry := who.auditEntry(createOperation, program.ID, nil, 1)
	var issued id.ID
	answer, err := s.Store.CreateCard(ctx, who.access, terms, recipient, key, entry, func(card *store.GiftCard) (store.Answer, error) {
		issued = card.ID
		shown := toGiftCard(card, card.CreatedAt, newIssuer(program.ID, program.MerchantID, who.access.MerchantName))
		return store.Answer{Status: http.StatusCreated, Body: appendGiftCard(make([]byte, 0, cardBytes), &shown)}, nil
	})
	if err != nil {
		return nil, keyFault(err, key)
	}
	if answer.Replayed { // then the card is that of the first answer
		return s.replayedCard(who, program.ID, answer)
	}
	return createdCard{changed{answer}, s.cardLink(who, program.ID, issued)}, nil
}

// merchantOf fails unless merchant, of the body, is the program's.
func merchantOf(program store.Program, merchant string) error {
	if merchant != program.MerchantID.String() {
		return validate.ValueError("merchantId must be the program's merchant").At(validate.Loc{"body", "merchantId"}, &merchant)
	}
	return nil
}

// replayedCard is the first answer to a create, with a fresh link.
func (s *Server) replayedCard(who *principal, program id.ID, answer store.Answer) (api.CreateGiftCardResponseObject, error) {
	card, err := cardOf(answer)
	return createdCard{changed{answer}, s.cardLink(who, program, card)}, err
}

// cardLink is a fresh link to the code of one card.
func (s *Server) cardLink(who *principal, program, card id.ID) string {
	return s.csvLink(who, store.CardRange{ProgramID: program, First: card, Count: 1})
}

// cardOf is the id of the card in the answer to a create.
func cardOf(a store.Answer) (id.ID, error) {
	card, err := decodeAnswer[api.GiftCardResponse](a)
	if err != nil {
		return id.ID{}, err
	}
	return id.Parse(card.Id)
}

// createdCard is the answer to a create, with a fresh link to the card's code.
type createdCard struct {
	changed
	link string
}

// VisitCreateGiftCardResponse writes the answer.
func (a createdCard) VisitCreateGiftCardResponse(w http.ResponseWriter) error {
	w.Header().Set("Link", csvLinkHeader(a.link))
	return a.write(w)
}
