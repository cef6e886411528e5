package server

import (
	"context"
	"net/http"
	"slices"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

// VisitConsolidateGiftCardsResponse writes the answer.
func (a changed) VisitConsolidateGiftCardsResponse(w http.ResponseWriter) error { return a.write(w) }

// ConsolidateGiftCards merges 2 to 10 active cards of one customer into a new active card.
func (s *Server) ConsolidateGiftCards(ctx context.Context, request api.ConsolidateGiftCardsRequestObject) (api.ConsolidateGiftCardsResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	body := request.Body
	if err := merchantOf(program, body.MerchantId); err != nil {
		return nil, err
	}
	cards, err := s.Store.CardsByNumber(ctx, program.ID, body.CardNumbers)
	if err != nil {
		return nil, err
	}
	// The subject of the key does not depend on the order of the cards. The order is part of
	// the request, because it decides whose address the new card gets.
	sorted := slices.SortedFunc(slices.Values(cards), id.ID.Compare)
	if len(slices.Compact(slices.Clone(sorted))) < len(cards) {
		return nil, store.ErrCardTwice
	}
	asked := fromConsolidate(cards, body)
	return s.changeIn(ctx, &change{
		operation: consolidateOperation, cards: sorted, key: request.Params.IdempotencyKey, stored: asked,
	}, func(tx *store.Tx, program store.Program) (any, error) {
		merged, err := tx.Consolidate(ctx, program.ID, asked)
		if err != nil {
			return nil, err
		}
		// The new card has an entry of its own, so that giftcards messages drop --user finds its
		// messages.
		if err := tx.Audit(ctx, caller(ctx).auditEntry(consolidateOperation, program.ID, merged.Card.ID[:], 1)); err != nil {
			return nil, err
		}
		return toConsolidated(cards, merged, cardAnswer(ctx, program, merged.Card), body.ReferenceId), nil
	})
}

func fromConsolidate(cards []id.ID, body *api.ConsolidateRequest) store.Consolidation {
	holder := store.Recipient{
		Email: body.CustomerEmail, Name: cleaned(body.CustomerName, text.Line), Sender: cleaned(body.SenderName, text.Line), Message: cleaned(body.CustomMessage, text.Message),
	}
	return store.Consolidation{
		Cards: cards, Holder: holder, IsPhysical: body.IsPhysical, DesignTemplate: cleaned(body.DesignTemplate, text.Line),
		Details: store.Details{ReferenceID: line(body.ReferenceId), Description: line(body.Description)},
	}
}

func toConsolidated(sources []id.ID, merged store.Consolidated, card api.GiftCardResponse, reference *string) api.ConsolidateResponse {
	answer := api.ConsolidateResponse{
		Success: true, Message: "Gift cards consolidated", NewCard: card, TotalConsolidatedAmount: card.Balance, ReferenceId: reference,
	}
	for _, source := range sources {
		answer.VoidedCards = append(answer.VoidedCards, source.String())
	}
	for _, entry := range merged.Entries {
		answer.ConsolidationTransactions = append(answer.ConsolidationTransactions, entry.ID.String())
	}
	return answer
}
