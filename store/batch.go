package store

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"giftcards/store/id"
	"giftcards/store/money"
)

// Batch names the cards of one bulk request: consecutive ids in one program.
type Batch struct {
	ProgramID id.ID
	First     id.ID
	Count     int
}

// BatchTerms are what all cards of a batch have in common.
type BatchTerms struct {
	InitialValue money.Amount
	ExpiresAt    time.Time
}

// BatchTerms returns the terms of the batch.
func (s *Store) BatchTerms(ctx context.Context, b Batch) (BatchTerms, error) {
	row, err := s.q.FindCardTerms(ctx, b.ProgramID, b.First)
	if err != nil {
		return BatchTerms{}, classify(fmt.Errorf("find terms of cards: %w", err))
	}
	return BatchTerms(row), nil
}

// IssuedCard is what of a card its merchant gets in a list. The code is still
// sealed: see OpenCode.
type IssuedCard struct {
	ID         id.ID
	CardNumber int64
	SealedCode []byte
}

// pageSize is how many cards are read at a time: enough that the round trip does
// not show, few enough that memory stays flat.
const pageSize = 1_000

// Pages returns the cards of the batch in the order asked for, some at a time,
// and reads the next while the last is being used. It ends with the first error,
// one if cards are missing. No connection is held while a page is being used;
// none of this changes after the issue, so that pages are one state.
func (s *Store) Pages(ctx context.Context, b Batch) iter.Seq2[[]IssuedCard, error] {
	return func(yield func([]IssuedCard, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type result struct {
			page []IssuedCard
			err  error
		}
		next := make(chan result)
		go func() {
			defer close(next)
			for from := 0; from < b.Count; from += pageSize {
				page, err := s.page(ctx, b, from, min(pageSize, b.Count-from))
				select {
				case next <- result{page, err}:
				case <-ctx.Done():
					return
				}
			}
		}()
		for left := b.Count; left > 0; {
			read, ok := <-next
			if !ok {
				read.err = ctx.Err()
			}
			if !yield(read.page, read.err) || read.err != nil {
				return
			}
			left -= len(read.page)
		}
	}
}

func (s *Store) page(ctx context.Context, b Batch, from, count int) ([]IssuedCard, error) {
	// By hand: generated code would make a slice of its own of every sealed code.
	rows, err := s.pool.Query(ctx, `select id, card_number, sealed_code from gift_cards
		where program_id = $1 and id between $2 and $3 order by id`,
		b.ProgramID, b.First.Plus(from), b.First.Plus(from+count-1))
	if err != nil {
		return nil, classify(fmt.Errorf("read cards: %w", err))
	}
	defer rows.Close()
	cards := make([]IssuedCard, 0, count)
	var codes []byte // of all cards in one piece
	var sealed pgtype.DriverBytes
	for rows.Next() {
		var card IssuedCard
		if err := rows.Scan(&card.ID, &card.CardNumber, &sealed); err != nil {
			return nil, fmt.Errorf("read cards: %w", err)
		}
		if codes == nil {
			codes = make([]byte, 0, count*len(sealed))
		}
		start := len(codes)
		codes = append(codes, sealed...)
		card.SealedCode = codes[start:len(codes):len(codes)]
		cards = append(cards, card)
	}
	if err := rows.Err(); err != nil {
		return nil, classify(fmt.Errorf("read cards: %w", err))
	}
	if len(cards) != count {
		return nil, fmt.Errorf("%d cards from position %d of a batch, want %d", len(cards), from, count)
	}
	return cards, nil
}
