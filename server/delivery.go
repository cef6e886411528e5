package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"giftcards/gen/api"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

// This file has the operations that send a card to its holder again, at another time, or to
// another holder.

// VisitResendGiftCardSecurityCodeResponse writes the answer.
func (a changed) VisitResendGiftCardSecurityCodeResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitScheduleGiftCardDeliveryResponse writes the answer.
func (a changed) VisitScheduleGiftCardDeliveryResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// VisitTransferGiftCardOwnershipResponse writes the answer.
func (a changed) VisitTransferGiftCardOwnershipResponse(w http.ResponseWriter) error {
	return a.write(w)
}

// ResendGiftCardSecurityCode gives a card a new security code and sends it to the recipient.
func (s *Server) ResendGiftCardSecurityCode(ctx context.Context, request api.ResendGiftCardSecurityCodeRequestObject) (api.ResendGiftCardSecurityCodeResponseObject, error) {
	to := store.Recipient{
		Email: request.Body.CustomerEmail, Phone: request.Body.CustomerPhone, Name: cleaned(request.Body.CustomerName, text.Line),
	}
	return s.changeCard(ctx, change{
		operation: resendOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: to,
	}, func(tx *store.Tx, card *store.Card) (any, error) { return nil, tx.ResendCode(ctx, card, to) })
}

// ScheduleGiftCardDelivery moves the time at which the recipient is told of a card.
func (s *Server) ScheduleGiftCardDelivery(ctx context.Context, request api.ScheduleGiftCardDeliveryRequestObject) (api.ScheduleGiftCardDeliveryResponseObject, error) {
	at := request.Body.DeliverAt
	return s.changeCard(ctx, change{operation: scheduleOperation, cardID: request.CardId}, func(tx *store.Tx, card *store.Card) (any, error) {
		err := tx.ScheduleDelivery(ctx, card, at)
		// This rule is about the request, but only the card has the other half of it.
		if errors.Is(err, store.ErrDeliveryAfterExpiry) {
			sent := at.Format(time.RFC3339Nano)
			err = validate.ValueError(store.ErrDeliveryAfterExpiry.Message).At(validate.Loc{"body", "deliverAt"}, &sent)
		}
		return nil, err
	})
}

// TransferGiftCardOwnership gives a card to another holder.
func (s *Server) TransferGiftCardOwnership(ctx context.Context, request api.TransferGiftCardOwnershipRequestObject) (api.TransferGiftCardOwnershipResponseObject, error) {
	body, customer := request.Body, id.ID{}
	if body.NewOwnerCustomerId != nil {
		var err error
		if customer, err = id.Parse(*body.NewOwnerCustomerId); err != nil {
			return nil, err
		}
	}
	name := rules.OwnerName(body.NewOwnerName)
	return s.changeCard(ctx, change{
		operation: ownershipOperation, cardID: request.CardId, key: request.Params.IdempotencyKey, stored: []any{name, body.NewOwnerEmail, customer},
	}, func(tx *store.Tx, card *store.Card) (any, error) {
		return nil, tx.TransferOwnership(ctx, card, name, body.NewOwnerEmail, customer)
	})
}
