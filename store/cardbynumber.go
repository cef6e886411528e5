package store

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// The statements in this file find cards by gift_cards_number_idx, without a lock.

var cardsByNumberSQL = fmt.Sprintf("select id, card_number from gift_cards where %s = any ($1::bigint[]) and program_id = $2", numberOrderSQL)

// CardByNumber returns the id of the card of a program with a number, as people type it. It
// fails with ErrCardNotFound.
func (s *Store) CardByNumber(ctx context.Context, program id.ID, typed string) (id.ID, error) {
	cards, err := s.CardsByNumber(ctx, program, []string{typed})
	if err != nil {
		return id.ID{}, err
	}
	return cards[0], nil
}

// CardsByNumber is CardByNumber for several numbers. It returns the ids in the order of the
// numbers, and fails with ErrCardNotFound if one card is missing.
func (s *Store) CardsByNumber(ctx context.Context, program id.ID, typed []string) ([]id.ID, error) {
	numbers := make([]int64, len(typed))
	for i, text := range typed {
		number, ok := ParseNumber(text)
		if !ok {
			return nil, ErrCardNotFound
		}
		numbers[i] = number
	}
	rows, err := s.pool.Query(ctx, cardsByNumberSQL, each(numbers, numberOrder), program)
	if err != nil {
		return nil, classify(fmt.Errorf("find cards by number: %w", err))
	}
	found := map[int64]id.ID{}
	var card id.ID
	var number int64
	_, err = pgx.ForEachRow(rows, []any{&card, &number}, func() error {
		found[number] = card
		return nil
	})
	if err != nil {
		return nil, classify(fmt.Errorf("find cards by number: %w", err))
	}
	// A number that was not found gives the zero id, which no card has.
	cards := each(numbers, func(number int64) id.ID { return found[number] })
	if slices.Contains(cards, id.ID{}) {
		return nil, ErrCardNotFound
	}
	return cards, nil
}

// TransferCards are the two cards of a transfer.
type TransferCards struct {
	SourceNumber int64 // noNumber if the program has no such source
	Destination  id.ID // zero if the program has no such destination
}

// transferCardsSQL finds both cards in one round trip.
var transferCardsSQL = fmt.Sprintf(`select coalesce((select s.card_number from gift_cards s where s.program_id = $1 and s.id = $2), %d),
    (select d.id from gift_cards d where d.program_id = $1 and %s = $3)`, noNumber, numberOrderSQL)

// TransferCards returns the number of the source, a card of the program, and the id of the
// destination, whose number is as people type it. It does not fail if a card is missing,
// because the security code is judged first.
func (s *Store) TransferCards(ctx context.Context, program, source id.ID, destination string) (TransferCards, error) {
	number, ok := ParseNumber(destination)
	if !ok {
		number = noNumber
	}
	var found TransferCards
	err := s.pool.QueryRow(ctx, transferCardsSQL, program, source, numberOrder(number)).Scan(&found.SourceNumber, &found.Destination)
	return found, classify(wrap(err, "find cards of transfer"))
}
