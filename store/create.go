package store

import (
	"context"
	"fmt"

	"giftcards/gen/db"
	"giftcards/store/id"
)

// CreateCard issues one card: pending, with an empty balance, a number of its own
// and a sealed security code. Its messages are scheduled, and the answer that
// encode makes of it is kept under the key; key may be nil. If the key has an
// answer already, it returns that one, and nothing is issued. entry says who asked,
// for the audit log; it names the same operation as the key. It fails with
// ErrKeyReused if that was the answer to another request.
func (s *Store) CreateCard(ctx context.Context, terms Terms, recipient Recipient, key *Key, entry AuditEntry, encode func(*GiftCard) (Answer, error)) (Answer, error) {
	terms, recipients := sanitised(terms, []Recipient{recipient})
	now := s.Now()
	cards, err := s.newCards(now, terms, id.New(now), recipients)
	if err != nil {
		return Answer{}, err
	}
	card := &cards[0]
	for range maxNumberRounds {
		answer, err := encode(card)
		if err != nil {
			return Answer{}, err
		}
		created, err := s.creates.do(ctx, createParams(card, key, answer, entry))
		if violates(err, constraintCardNumber) {
			card.CardNumber = s.numbers.random()
			continue
		}
		if err != nil {
			return Answer{}, classify(fmt.Errorf("create card: %w", err))
		}
		if created {
			s.counts[cardsAtOnce].Add(1)
			return answer, nil
		}
		prior, err := priorAnswer(ctx, s.q, *key)
		if err != nil {
			return Answer{}, classify(err)
		}
		if prior != nil {
			return *prior, nil
		}
	}
	return Answer{}, errNumbersExhausted
}

func createParams(c *GiftCard, key *Key, answer Answer, entry AuditEntry) db.CreateGiftCardParams {
	create := db.CreateGiftCardParams{
		ProgramID: c.ProgramID, ID: c.ID, CardNumber: c.CardNumber, SealedCode: c.SealedCode,
		InitialValue: c.InitialValue, IsPhysical: c.IsPhysical, DesignTemplate: c.DesignTemplate,
		CustomerEmail: c.CustomerEmail, CustomerPhone: c.CustomerPhone, CustomerName: c.CustomerName,
		SenderName: c.SenderName, CustomMessage: c.CustomMessage,
		DeliverAt: c.DeliverAt, ExpiresAt: c.ExpiresAt, CreatedAt: c.CreatedAt,
		Operation: entry.Operation, UserID: entry.UserID, MerchantID: entry.MerchantID, Client: entry.Client, RequestID: entry.RequestID,
	}
	if key != nil {
		create.Key, create.RequestHash = &key.Key, key.RequestHash[:]
		create.Status, create.Answer = int16(answer.Status), answer.Body
	}
	return create
}

// createCards creates all of them in one transaction, or fails and creates none.
func (s *Store) createCards(ctx context.Context, cards []db.CreateGiftCardParams) ([]bool, error) {
	created := make([]bool, len(cards))
	var failed error
	s.q.CreateGiftCard(ctx, cards).QueryRow(func(i int, done bool, err error) {
		created[i] = done
		if failed == nil { // those after the first only echo it
			failed = err
		}
	})
	return created, failed
}
