package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// VisitTransferGiftCardBalanceResponse writes the answer.
func (a changed) VisitTransferGiftCardBalanceResponse(w http.ResponseWriter) error { return a.write(w) }

// TransferGiftCardBalance moves an amount from one active card of the program to another. The
// caller must give the security code of the first one.
func (s *Server) TransferGiftCardBalance(ctx context.Context, request api.TransferGiftCardBalanceRequestObject) (api.TransferGiftCardBalanceResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	source, err := id.Parse(request.CardId)
	if err != nil {
		return nil, err
	}
	body := request.Body
	// No lock is needed yet, because a card never changes its program or its number.
	found, err := s.Store.TransferCards(ctx, program.ID, source, body.DestinationCardNumber)
	if err != nil {
		return nil, err
	}
	details := store.Details{ReferenceID: line(body.ReferenceId), Description: line(body.Description)}
	return s.move(ctx, change{
		operation: transferOperation, cards: []id.ID{source, found.Destination}, key: request.Params.IdempotencyKey,
		// A replay comes before the code is judged, so stored does not have the code.
		stored: []any{body.Amount, details},
		code:   &store.GivenCode{CardNumber: found.SourceNumber, Code: body.SecurityCode},
	}, func(cards []*store.Card) (any, error) {
		// Move has refused a missing source. A missing destination is nil, and Transfer refuses it.
		from, to := cards[0], cards[1]
		transfer := id.New(from.At())
		if _, _, err := from.Transfer(to, transfer, body.Amount, details); err != nil {
			return nil, err
		}
		return api.TransferBalanceResponse{
			Success: true, Message: "Gift card balance transferred", TransferId: transfer.String(), AmountTransferred: body.Amount,
			SourceCard:      api.TransferBalanceSourceCard{Id: from.ID.String(), CardNumber: store.FormatNumber(from.CardNumber), RemainingBalance: from.Balance},
			DestinationCard: api.TransferBalanceDestCard{Id: to.ID.String(), CardNumber: store.FormatNumber(to.CardNumber), NewBalance: to.Balance},
		}, nil
	})
}
