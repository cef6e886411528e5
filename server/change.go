package server

import (
	"context"
	"encoding/json"
	"net/http"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
)

// change is a request to change cards that exist.
type change struct {
	operation string           // as idempotency keys and the audit log have it
	cardID    string           // the card in the path; "" if cards has all of them
	cards     []id.ID          // what it acts on, which is also the subject of its key
	entry     id.ID            // the entry that it acts on, the rest of the subject; zero for none
	key       *string          // the header idempotency-key; nil for none
	stored    any              // what would be stored of the body; a retry must have the same
	code      *store.GivenCode // of the first card; nil: none is asked for. Only move judges it
	adds      money.Amount     // that no card had before; 0: none. Only move counts it
}

// begin adds the card in the path to the cards, and returns the caller's program and the
// idempotency key.
func (c *change) begin(who *principal) (store.Program, *store.IdempotencyKey, error) {
	program, err := who.program()
	if err != nil {
		return store.Program{}, nil, err
	}
	if c.cardID != "" {
		card, err := id.Parse(c.cardID) // never fails, because the validator has checked its form
		if err != nil {
			return store.Program{}, nil, err
		}
		c.cards = append(c.cards, card)
	}
	key, err := idempotencyKey(who, c.operation, c.key, func(e *json.Encoder) error { return e.Encode(c.stored) })
	if key != nil {
		key.Subject = c.subject()
		if !c.entry.IsZero() {
			key.Subject = append(key.Subject, c.entry[:]...)
		}
	}
	return program, key, err
}

// subject is the ids of the cards, one after the other.
func (c *change) subject() []byte {
	var subject []byte
	for _, card := range c.cards {
		subject = append(subject, card[:]...)
	}
	return subject
}

// move carries out a change that depends on the cards alone. apply changes the cards and
// returns the answer, nil for the first card as it is then. See store.Movement.
func (s *Server) move(ctx context.Context, c change, apply func(cards []*store.Card) (any, error)) (changed, error) {
	who := caller(ctx)
	program, key, err := c.begin(who)
	if err != nil {
		return changed{}, err
	}
	// After begin, because only then do the cards and the subject have the card in the path.
	answer, err := s.Store.Move(ctx, store.Movement{
		Access: who.access, ProgramID: program.ID, Cards: c.cards, Key: key, Code: c.code, Adds: c.adds,
		Entry: who.auditEntry(c.operation, program.ID, c.subject(), 0),
		Apply: func(cards []*store.Card) (store.Answer, error) {
			body, err := apply(cards)
			if err != nil {
				return store.Answer{}, err
			}
			if body == nil {
				body = cardAnswer(ctx, program, cards[0])
			}
			return encodeAnswer(http.StatusOK, body)
		},
	})
	return changed{answer}, keyFault(err, key)
}

// changeCard carries out a change of the card in the path that needs other rows too, in a
// transaction of its own. effect changes the locked card and returns the answer, nil for the
// card as it is then.
func (s *Server) changeCard(ctx context.Context, c change, effect func(*store.Tx, *store.Card) (any, error)) (changed, error) {
	return s.changeIn(ctx, &c, func(tx *store.Tx, program store.Program) (any, error) {
		card, err := tx.LockCard(ctx, program.ID, c.cards[0])
		if err != nil {
			return nil, err
		}
		body, err := effect(tx, card)
		if err != nil {
			return nil, err
		}
		if body == nil {
			body = cardAnswer(ctx, program, card)
		}
		return body, tx.SaveCards(ctx, card)
	})
}

// changeIn carries out a change in a transaction of its own. effect locks, changes and saves
// the cards, and returns the answer. The audit entry and the key are written with it.
func (s *Server) changeIn(ctx context.Context, c *change, effect func(tx *store.Tx, program store.Program) (any, error)) (changed, error) {
	who := caller(ctx)
	program, key, err := c.begin(who)
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

// cardAnswer is a card after a change, as the answer has it.
func cardAnswer(ctx context.Context, program store.Program, card *store.Card) api.GiftCardResponse {
	return toGiftCard(&card.GiftCard, card.At(), newIssuer(program.ID, program.MerchantID, caller(ctx).access.MerchantName))
}
