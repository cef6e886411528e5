package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/text"
)

// Terms are the properties that all cards of one request share.
type Terms struct {
	ProgramID      id.ID
	InitialValue   money.Amount // 0.01 to 10,000
	IsPhysical     bool
	DesignTemplate *text.Clean
	ExpiresAt      *time.Time // nil: DefaultLifetime from now
	DeliverAt      *time.Time // nil or past: at once
	// IssuedBy is the user whose daily limit applies in addition to the program's; zero: none.
	// It is no part of the request, because a colleague's retry is the same request.
	IssuedBy id.ID `json:"-"`
}

// Recipient is the person that a card is for; unknown fields are nil. Names and message are
// clean (contract: "sanitizes the provided custom message to prevent XSS"). PostgreSQL cannot
// store some other texts.
type Recipient struct {
	Email   *string     `json:"email,omitempty"`
	Phone   *string     `json:"phone,omitempty"`
	Name    *text.Clean `json:"name,omitempty"`
	Sender  *text.Clean `json:"sender,omitempty"`
	Message *text.Clean `json:"message,omitempty"`
}

// DefaultLifetime is the lifetime of a card whose request has no expiry (document: "defaults
// to +365 days").
const DefaultLifetime = 365 * 24 * time.Hour

// LatestExpiry is the last moment at which a card issued now may expire
// (document: "must not exceed 5 years"; calendar years).
func LatestExpiry(now time.Time) time.Time { return now.AddDate(5, 0, 0) }

// expiry returns when a card issued now on these terms expires.
func (t Terms) expiry(now time.Time) time.Time {
	if t.ExpiresAt != nil {
		return *t.ExpiresAt
	}
	return now.Add(DefaultLifetime)
}

// IssueCards issues one card for each recipient, in order: pending, with an empty balance, a
// number of its own and a sealed security code. It schedules messages to the recipients
// that have an address. It is for requests that are answered at once; IssueTask is for the
// larger ones. It fails with a Forbidden error that names a daily limit if the cards would
// go over it.
func (tx *Tx) IssueCards(ctx context.Context, terms Terms, recipients []Recipient) ([]GiftCard, error) {
	// Before any card is made, because a refused request should cost little.
	if _, err := tx.countIssued(ctx, terms, len(recipients)); err != nil {
		return nil, err
	}
	cards, err := tx.store.newCards(tx.now, terms, id.NewBlock(tx.now, len(recipients)), recipients)
	if err != nil {
		return nil, err
	}
	if err := tx.insertCards(ctx, cards); err != nil {
		return nil, err
	}
	if err := tx.insertMessages(ctx, tx.newMessages(cards, MessageCard, false)); err != nil {
		return nil, err
	}
	tx.tally.issued(cardsAtOnce, valueAtOnce, len(cards), terms.InitialValue)
	return cards, nil
}

// newCards returns the rows of cards with the ids from first on.
func (s *Store) newCards(now time.Time, terms Terms, first id.ID, recipients []Recipient) ([]GiftCard, error) {
	cards := make([]GiftCard, len(recipients))
	expiresAt := terms.expiry(now)
	for i, r := range recipients {
		cardID := first.Plus(i)
		// Sealed with the card's id, so that a code cannot be moved to another card.
		sealed, err := s.keys.Seal(securityCode(), cardID[:])
		if err != nil {
			return nil, fmt.Errorf("seal security code: %w", err)
		}
		cards[i] = GiftCard{
			ProgramID:      terms.ProgramID,
			ID:             cardID,
			CardNumber:     s.numbers.random(),
			SealedCode:     sealed,
			Status:         CardPending,
			InitialValue:   terms.InitialValue,
			IsPhysical:     terms.IsPhysical,
			DesignTemplate: (*string)(terms.DesignTemplate),
			CustomerEmail:  r.Email,
			CustomerPhone:  r.Phone,
			CustomerName:   (*string)(r.Name),
			SenderName:     (*string)(r.Sender),
			CustomMessage:  (*string)(r.Message),
			DeliverAt:      terms.DeliverAt,
			ExpiresAt:      expiresAt,
			CreatedAt:      now,
		}
	}
	return cards, nil
}

// maxNumberRounds is how often numbers are drawn until none is taken. A second round is
// rare; if ten do not suffice, the prefix leaves too few numbers.
const maxNumberRounds = 10

var errNumbersExhausted = errors.New("no free card numbers found: the prefix leaves too few")

// countCards counts cards of a program that this transaction has inserted. Each statement that
// inserts cards needs it.
func (tx *Tx) countCards(ctx context.Context, program id.ID, cards int) error {
	return wrap(tx.q.CountCards(ctx, program, int64(cards)), "count cards")
}

// insertCards inserts and counts cards of one program, and gives a new number to each card whose number is taken.
func (tx *Tx) insertCards(ctx context.Context, cards []GiftCard) error {
	pending := make([]int, len(cards))
	for i := range cards {
		pending[i] = i
	}
	for range maxNumberRounds {
		var taken []int
		batch := &pgx.Batch{}
		for _, at := range pending {
			batch.Queue(insertCardSQL, values(cardColumns, &cards[at])...).Exec(func(inserted pgconn.CommandTag) error {
				if inserted.RowsAffected() == 0 {
					taken = append(taken, at)
				}
				return nil
			})
		}
		if err := tx.tx.SendBatch(ctx, batch).Close(); err != nil {
			return fmt.Errorf("insert cards: %w", err)
		}
		if len(taken) == 0 {
			return tx.countCards(ctx, cards[0].ProgramID, len(cards))
		}
		for _, at := range taken {
			cards[at].CardNumber = tx.store.numbers.random()
		}
		pending = taken // the other cards are inserted
	}
	return errNumbersExhausted
}

// OpenCode returns the 6 digits of a card's sealed security code. They leave the
// program in messages to recipients, in the merchant's downloads, and on sheets that an operator
// prints. A sandbox also has them in the answer to a state.
func (s *Store) OpenCode(card id.ID, sealed []byte) (string, error) {
	code, err := s.keys.Unseal(sealed, card[:])
	if err != nil {
		return "", fmt.Errorf("card %s: %w", card, err)
	}
	return code, nil
}
