package server

import (
	"context"
	"encoding/json"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

// change is a request to change cards that exist.
type change struct {
	operation string           // as idempotency keys and the audit log have it
	cards     []id.ID          // what it acts on, which is also the subject of its key
	entry     id.ID            // the entry that it acts on, the rest of the subject; zero for none
	key       *string          // the header idempotency-key; nil for none
	stored    any              // what would be stored of the body; a retry must have the same
	code      *store.GivenCode // of the first card; nil: none is asked for. Only move judges it
}

// move carries out a change of the caller's that depends on the cards alone, and returns the
// answer that apply makes. See store.Movement.
func (s *Server) move(ctx context.Context, c change, apply func(program store.Program, cards []*store.Card) (any, error)) (changed, error) {
	who := caller(ctx)
	program, err := who.program()
	if err != nil {
		return changed{}, err
	}
	key, err := c.idempotencyKey(who)
	if err != nil {
		return changed{}, err
	}
	answer, err := s.Store.Move(ctx, store.Movement{
		Access: who.access, ProgramID: program.ID, Cards: c.cards, Key: key, Code: c.code,
		Entry: who.auditEntry(c.operation, program.ID, c.subject(), 0),
		Apply: func(cards []*store.Card) (store.Answer, error) {
			body, err := apply(program, cards)
			if err != nil {
				return store.Answer{}, err
			}
			return encodeAnswer(http.StatusOK, body)
		},
	})
	return changed{answer}, keyFault(err, key)
}

// changeIn carries out a change of the caller's in a transaction of its own: effect locks the
// cards, changes and saves them. The audit entry and the key are written with it.
func (s *Server) changeIn(ctx context.Context, c change, effect func(tx *store.Tx, program store.Program) (any, error)) (changed, error) {
	who := caller(ctx)
	program, err := who.program()
	if err != nil {
		return changed{}, err
	}
	key, err := c.idempotencyKey(who)
	if err != nil {
		return changed{}, err
	}
	answer, err := s.once(ctx, who, key, func(tx *store.Tx) (int, any, error) {
		body, err := effect(tx, program)
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, body, tx.Audit(ctx, who.auditEntry(c.operation, program.ID, c.subject(), 0))
	})
	return changed{answer}, err
}

func (c change) idempotencyKey(who *principal) (*store.IdempotencyKey, error) {
	key, err := idempotencyKey(who, c.operation, c.key, func(e *json.Encoder) error { return e.Encode(c.stored) })
	if key != nil {
		key.Subject = c.subject()
		if !c.entry.IsZero() {
			key.Subject = append(key.Subject, c.entry[:]...)
		}
	}
	return key, err
}

// subject is the ids of the cards, one after the other.
func (c change) subject() []byte {
	var subject []byte
	for _, card := range c.cards {
		subject = append(subject, card[:]...)
	}
	return subject
}

// changed is the answer to a change: the bytes that the database keeps for a replay.
type changed struct{ store.Answer }

func (a changed) write(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "application/json")
	if a.Replayed {
		w.Header().Set("Idempotent-Replayed", "true")
	}
	w.WriteHeader(a.Status)
	_, err := w.Write(a.Body)
	return err
}

// VisitActivateGiftCardResponse writes the answer.
func (a changed) VisitActivateGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitRedeemGiftCardResponse writes the answer.
func (a changed) VisitRedeemGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitReloadGiftCardResponse writes the answer.
func (a changed) VisitReloadGiftCardResponse(w http.ResponseWriter) error { return a.write(w) }

// VisitReloadGiftCardByNumberResponse writes the answer.
func (a changed) VisitReloadGiftCardByNumberResponse(w http.ResponseWriter) error { return a.write(w) }

// cardID returns the id of a card in the path. The validator has checked its form.
func cardID(text string) (id.ID, error) { return id.Parse(text) }

// line returns a text of one line as it is stored, nil without one.
func line(s *string) *string {
	return (*string)(cleaned(s, text.Line))
}

// ActivateGiftCard makes a pending card active, with its initial value as its balance.
func (s *Server) ActivateGiftCard(ctx context.Context, request api.ActivateGiftCardRequestObject) (api.ActivateGiftCardResponseObject, error) {
	card, err := cardID(request.CardId)
	if err != nil {
		return nil, err
	}
	email, name := request.Body.CustomerEmail, line(request.Body.CustomerName)
	return s.move(ctx, change{
		operation: activateOperation, cards: []id.ID{card}, key: request.Params.IdempotencyKey, stored: []any{email, name},
	}, func(program store.Program, cards []*store.Card) (any, error) {
		if err := cards[0].Activate(email, name); err != nil {
			return nil, err
		}
		return cardAnswer(ctx, program, cards[0]), nil
	})
}

// cardAnswer is a card after a change, as the answer has it.
func cardAnswer(ctx context.Context, program store.Program, card *store.Card) api.GiftCardResponse {
	return toGiftCard(&card.GiftCard, card.At(), program, caller(ctx).access.MerchantName)
}

// RedeemGiftCard takes an amount from an active card.
func (s *Server) RedeemGiftCard(ctx context.Context, request api.RedeemGiftCardRequestObject) (api.RedeemGiftCardResponseObject, error) {
	card, err := cardID(request.CardId)
	if err != nil {
		return nil, err
	}
	body := request.Body
	details := store.Details{
		Description: line(body.Description), PosTransactionID: line(body.PosTransactionId), CashierID: line(body.CashierId), TerminalID: line(body.TerminalId),
	}
	return s.move(ctx, change{
		operation: redeemOperation, cards: []id.ID{card}, key: request.Params.IdempotencyKey, stored: []any{body.Amount, details},
	}, func(_ store.Program, cards []*store.Card) (any, error) {
		entry, err := cards[0].Redeem(body.Amount, details)
		if err != nil {
			return nil, err
		}
		return api.RedeemResponse{
			TransactionId: entry.ID.String(), GiftCardId: entry.CardID.String(), AmountRedeemed: body.Amount,
			RemainingBalance: entry.BalanceAfter, Success: true, Message: "Gift card redeemed",
		}, nil
	})
}

// ReloadGiftCard adds an amount to an active card.
func (s *Server) ReloadGiftCard(ctx context.Context, request api.ReloadGiftCardRequestObject) (api.ReloadGiftCardResponseObject, error) {
	card, err := cardID(request.CardId)
	if err != nil {
		return nil, err
	}
	return s.reload(ctx, reloadOperation, card, request.Params.IdempotencyKey, *request.Body)
}

// ReloadGiftCardByNumber adds an amount to the active card with a number.
func (s *Server) ReloadGiftCardByNumber(ctx context.Context, request api.ReloadGiftCardByNumberRequestObject) (api.ReloadGiftCardByNumberResponseObject, error) {
	program, err := caller(ctx).program()
	if err != nil {
		return nil, err
	}
	card, err := s.Store.CardByNumber(ctx, program.ID, request.Body.CardNumber)
	if err != nil {
		return nil, err
	}
	return s.reload(ctx, reloadByNumberOperation, card, request.Params.IdempotencyKey, api.ReloadRequest{
		Amount: request.Body.Amount, ReferenceId: request.Body.ReferenceId, Description: request.Body.Description,
	})
}

func (s *Server) reload(ctx context.Context, operation string, card id.ID, key *string, body api.ReloadRequest) (changed, error) {
	details := store.Details{ReferenceID: line(body.ReferenceId), Description: line(body.Description)}
	return s.move(ctx, change{
		operation: operation, cards: []id.ID{card}, key: key, stored: []any{body.Amount, details},
	}, func(program store.Program, cards []*store.Card) (any, error) {
		if _, err := cards[0].Reload(body.Amount, details); err != nil {
			return nil, err
		}
		return cardAnswer(ctx, program, cards[0]), nil
	})
}
