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

// CardRange names the cards of one bulk request, which have consecutive ids in one program.
type CardRange struct {
	ProgramID id.ID
	First     id.ID
	Count     int
}

// CardRangeTerms are what all cards of a range have in common.
type CardRangeTerms struct {
	InitialValue money.Amount
	ExpiresAt    time.Time
}

// CardRangeTerms returns the terms of the range. If a task has not issued the cards, it fails
// with a *NoCardsError.
func (tx *Tx) CardRangeTerms(ctx context.Context, b CardRange) (CardRangeTerms, error) {
	row, err := tx.q.FindCardTerms(ctx, b.ProgramID, b.First)
	if isNone(err) {
		task, found := tx.q.FindTaskOfCards(ctx, b.ProgramID, b.First)
		if found == nil && task.Status != TaskCompleted { // it may have been completed between the two statements
			return CardRangeTerms{}, &NoCardsError{Task{task}}
		}
		if found == nil {
			row, err = tx.q.FindCardTerms(ctx, b.ProgramID, b.First)
		}
	}
	return CardRangeTerms(row), wrap(err, "find terms of cards")
}

// NoCardsError means that a task has not issued its cards: it is unfinished, or it has failed.
type NoCardsError struct{ Task Task }

// Error returns the sentence of the answer.
func (e *NoCardsError) Error() string {
	if e.Task.Status == TaskFailed {
		return "The task has failed and has no cards"
	}
	return "The cards are not issued yet"
}

// IssuedCard is the part of a card that a merchant gets in a list. The code is still
// sealed; OpenCode opens it.
type IssuedCard struct {
	ID         id.ID
	CardNumber int64
	SealedCode []byte
}

// pageSize is how many cards one query reads. More would need more memory; fewer would make
// the round trips noticeable.
const pageSize = 1_000

// Pages returns the cards of the range in the order of the request, in pages. It reads the
// next page while the caller uses one, and holds no connection meanwhile. It ends with the
// first error. A missing card is an error. The pages need no common transaction, because
// cards are never deleted and keep their ids.
func (s *Store) Pages(ctx context.Context, b CardRange) iter.Seq2[[]IssuedCard, error] {
	return func(yield func([]IssuedCard, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		type result struct {
			page []IssuedCard
			err  error
		}
		next := make(chan result) // unbuffered: one page ahead is enough
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
			if !ok { // the goroutine stopped early, because ctx has ended
				read.err = ctx.Err()
			}
			if !yield(read.page, read.err) || read.err != nil {
				return
			}
			left -= len(read.page)
		}
	}
}

func (s *Store) page(ctx context.Context, b CardRange, from, count int) ([]IssuedCard, error) {
	// Not a query of sqlc, because its code would allocate a slice for every sealed code.
	rows, err := s.pool.Query(ctx, `select id, card_number, sealed_code from gift_cards
		where program_id = $1 and id between $2 and $3 order by id`,
		b.ProgramID, b.First.Plus(from), b.First.Plus(from+count-1))
	if err != nil {
		return nil, classify(fmt.Errorf("read cards: %w", err))
	}
	defer rows.Close()
	cards := make([]IssuedCard, 0, count)
	var codes []byte // all codes of the page in one allocation
	var card IssuedCard
	var sealed pgtype.DriverBytes
	targets := []any{&card.ID, &card.CardNumber, &sealed} // once, because each row would allocate them
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
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
		return nil, fmt.Errorf("%d cards from position %d of a range, want %d", len(cards), from, count)
	}
	return cards, nil
}
