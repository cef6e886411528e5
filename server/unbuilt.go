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

// GetGiftCardDetails is not built yet.
func (s *Server) GetGiftCardDetails(context.Context, api.GetGiftCardDetailsRequestObject) (api.GetGiftCardDetailsResponseObject, error) {
	return nil, errNotBuilt
}

// SearchGiftCards is not built yet.
func (s *Server) SearchGiftCards(context.Context, api.SearchGiftCardsRequestObject) (api.SearchGiftCardsResponseObject, error) {
	return nil, errNotBuilt
}

// GetGiftCards is not built yet.
func (s *Server) GetGiftCards(context.Context, api.GetGiftCardsRequestObject) (api.GetGiftCardsResponseObject, error) {
	return nil, errNotBuilt
}

// GetBusinessReports is not built yet.
func (s *Server) GetBusinessReports(context.Context, api.GetBusinessReportsRequestObject) (api.GetBusinessReportsResponseObject, error) {
	return nil, errNotBuilt
}

// GetExpirationWarnings is not built yet.
func (s *Server) GetExpirationWarnings(context.Context, api.GetExpirationWarningsRequestObject) (api.GetExpirationWarningsResponseObject, error) {
	return nil, errNotBuilt
}

// GetEscheatmentReport is not built yet.
func (s *Server) GetEscheatmentReport(context.Context, api.GetEscheatmentReportRequestObject) (api.GetEscheatmentReportResponseObject, error) {
	return nil, errNotBuilt
}
