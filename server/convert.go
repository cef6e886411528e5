package server

import (
	"encoding/json"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/text"
)

// This file converts between the contract's shapes and the store's rows, both ways.

// issuer has the fields that the answers about all cards of a program share.
type issuer struct{ programID, merchantID, merchantName string }

func newIssuer(program, merchant id.ID, merchantName string) *issuer {
	return &issuer{program.String(), merchant.String(), merchantName}
}

// toGiftCard converts a card of the issuer as it is at a time.
func toGiftCard(card *store.GiftCard, at time.Time, of *issuer) api.GiftCardResponse {
	number := store.FormatNumber(card.CardNumber)
	answer := api.GiftCardResponse{
		Id:             card.ID.String(),
		CardNumber:     number,
		LastFourDigits: lastFour(number),
		Balance:        card.Balance,
		InitialValue:   card.InitialValue,
		Status:         api.GiftCardStatus(store.StateOf(card, at)),
		CreatedAt:      card.CreatedAt.UTC(),
		UpdatedAt:      card.UpdatedAt,
		ActivatedAt:    card.ActivatedAt,
		ExpiresAt:      card.ExpiresAt.UTC(),
		CustomerEmail:  card.CustomerEmail,
		CustomerPhone:  card.CustomerPhone,
		CustomerName:   card.CustomerName,
		SenderName:     card.SenderName,
		MerchantId:     of.merchantID,
		MerchantName:   &of.merchantName,
		IsPhysical:     card.IsPhysical,
		DesignTemplate: card.DesignTemplate,
		CustomMessage:  card.CustomMessage,
		ProgramId:      of.programID,
		DeliverAt:      card.DeliverAt,
		Delivered:      card.Delivered,
	}
	// The row keeps a suspension that is over, and the answer must not show it.
	if store.IsSuspended(card, at) {
		answer.SuspendedReason, answer.SuspendedUntil, answer.SuspendedAt = card.SuspendedReason, card.SuspendedUntil, card.SuspendedAt
	}
	return answer
}

// toTransaction converts an entry of the ledger of a merchant's card.
func toTransaction(entry *store.Entry, merchant string) api.GiftCardTransactionResponse {
	return api.GiftCardTransactionResponse{
		Id: entry.ID.String(), TransactionType: api.GiftCardTransactionType(entry.Type),
		Amount: entry.Amount, BalanceBefore: entry.BalanceBefore, BalanceAfter: entry.BalanceAfter,
		ReferenceId: entry.ReferenceID, Description: entry.Description,
		CreatedAt: entry.CreatedAt.UTC(), ProcessedAt: entry.CreatedAt.UTC(), MerchantId: merchant,
		PosTransactionId: entry.PosTransactionID, CashierId: entry.CashierID, TerminalId: entry.TerminalID,
	}
}

// toReloadRefusal converts an error to the answer to a reload over the largest balance. Its amounts
// are JSON numbers (contract: the example of the vendor's page).
func toReloadRefusal(e *store.ReloadLimitError) api.ReloadRefusal {
	number := func(a money.Amount) json.Number { return json.Number(a.String()) }
	return api.ReloadRefusal{
		Detail: e.Error(), CurrentBalance: number(e.Balance), ReloadAmount: number(e.Amount),
		MaxBalance: number(store.MaxBalance), AvailableReloadAmount: number(e.Available()),
	}
}

func toSummary(card id.ID, cardNumber int64) api.BulkIssuedCardSummary {
	number := store.FormatNumber(cardNumber)
	return api.BulkIssuedCardSummary{Id: card.String(), CardNumber: number, LastFourDigits: lastFour(number)}
}

func lastFour(number string) string { return number[len(number)-4:] }

func fromCreate(program store.Program, body *api.CreateGiftCardRequest) (store.Terms, store.Recipient) {
	return store.Terms{
			ProgramID: program.ID, InitialValue: body.InitialValue, IsPhysical: body.IsPhysical,
			DesignTemplate: cleaned(body.DesignTemplate, text.Line), ExpiresAt: body.ExpiresAt, DeliverAt: body.DeliverAt,
		}, store.Recipient{
			Email: body.CustomerEmail, Phone: body.CustomerPhone, Name: cleaned(body.CustomerName, text.Line),
			Sender: cleaned(body.SenderName, text.Line), Message: cleaned(body.CustomMessage, text.Message),
		}
}

func fromBulk(program store.Program, body *api.BulkIssueGiftCardRequest) (store.Terms, []store.Recipient) {
	terms := store.Terms{
		ProgramID: program.ID, InitialValue: body.InitialValue, IsPhysical: body.IsPhysical,
		DesignTemplate: cleaned(body.DesignTemplate, text.Line), ExpiresAt: body.ExpiresAt,
	}
	recipients := make([]store.Recipient, len(body.Recipients))
	for i, r := range body.Recipients {
		recipients[i] = store.Recipient{
			Email: r.CustomerEmail, Phone: r.CustomerPhone, Name: cleaned(r.CustomerName, text.Line),
			Sender: cleaned(r.SenderName, text.Line), Message: cleaned(r.CustomMessage, text.Message),
		}
	}
	return terms, recipients
}

// line returns a text of one line as it is stored, nil without one.
func line(s *string) *string { return (*string)(cleaned(s, text.Line)) }

// cleaned removes from a text what must not be stored or shown, by text.Line or text.Message.
func cleaned(s *string, by func(string) string) *text.Clean {
	if s == nil {
		return nil
	}
	clean := text.Clean(by(*s))
	return &clean
}
