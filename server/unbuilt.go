package server

import (
	"context"
	"errors"

	"giftcards/gen/api"
)

// Not built yet: each method moves into the file of its subject.

var errNotBuilt = errors.New("not built yet")

// SuspendGiftCard is not built yet.
func (s *Server) SuspendGiftCard(context.Context, api.SuspendGiftCardRequestObject) (api.SuspendGiftCardResponseObject, error) {
	return nil, errNotBuilt
}

// ResumeGiftCard is not built yet.
func (s *Server) ResumeGiftCard(context.Context, api.ResumeGiftCardRequestObject) (api.ResumeGiftCardResponseObject, error) {
	return nil, errNotBuilt
}

// VoidGiftCard is not built yet.
func (s *Server) VoidGiftCard(context.Context, api.VoidGiftCardRequestObject) (api.VoidGiftCardResponseObject, error) {
	return nil, errNotBuilt
}

// TransferGiftCardBalance is not built yet.
func (s *Server) TransferGiftCardBalance(context.Context, api.TransferGiftCardBalanceRequestObject) (api.TransferGiftCardBalanceResponseObject, error) {
	return nil, errNotBuilt
}

// TransferGiftCardOwnership is not built yet.
func (s *Server) TransferGiftCardOwnership(context.Context, api.TransferGiftCardOwnershipRequestObject) (api.TransferGiftCardOwnershipResponseObject, error) {
	return nil, errNotBuilt
}

// ResendGiftCardSecurityCode is not built yet.
func (s *Server) ResendGiftCardSecurityCode(context.Context, api.ResendGiftCardSecurityCodeRequestObject) (api.ResendGiftCardSecurityCodeResponseObject, error) {
	return nil, errNotBuilt
}

// ScheduleGiftCardDelivery is not built yet.
func (s *Server) ScheduleGiftCardDelivery(context.Context, api.ScheduleGiftCardDeliveryRequestObject) (api.ScheduleGiftCardDeliveryResponseObject, error) {
	return nil, errNotBuilt
}

// ProcessExpiredGiftCard is not built yet.
func (s *Server) ProcessExpiredGiftCard(context.Context, api.ProcessExpiredGiftCardRequestObject) (api.ProcessExpiredGiftCardResponseObject, error) {
	return nil, errNotBuilt
}

// ConsolidateGiftCards is not built yet.
func (s *Server) ConsolidateGiftCards(context.Context, api.ConsolidateGiftCardsRequestObject) (api.ConsolidateGiftCardsResponseObject, error) {
	return nil, errNotBuilt
}

// RefundGiftCardTransaction is not built yet.
func (s *Server) RefundGiftCardTransaction(context.Context, api.RefundGiftCardTransactionRequestObject) (api.RefundGiftCardTransactionResponseObject, error) {
	return nil, errNotBuilt
}

// CheckGiftCardBalance is not built yet.
func (s *Server) CheckGiftCardBalance(context.Context, api.CheckGiftCardBalanceRequestObject) (api.CheckGiftCardBalanceResponseObject, error) {
	return nil, errNotBuilt
}

// CustomerCheckGiftCardBalance is not built yet.
func (s *Server) CustomerCheckGiftCardBalance(context.Context, api.CustomerCheckGiftCardBalanceRequestObject) (api.CustomerCheckGiftCardBalanceResponseObject, error) {
	return nil, errNotBuilt
}
