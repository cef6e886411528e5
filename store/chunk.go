package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// chunkSize is how many cards one COPY writes, and how many recipients are in one row. More
// would need more memory; fewer would cost more round trips. A version with another size
// could not read the recipients of unfinished tasks.
const chunkSize = 10_000

// writeChunks writes and counts all cards of the task, and writes their messages. It makes a chunk while
// PostgreSQL writes the chunk before it.
func (tx *Tx) writeChunks(ctx context.Context, task Task, terms Terms, written func(cards int)) error {
	next, err := tx.makeChunk(ctx, task, terms, 0)
	if err != nil {
		return err
	}
	for end := chunkSize; next != nil; end += chunkSize {
		chunk := <-next
		if chunk.err != nil {
			return chunk.err
		}
		if next, err = tx.makeChunk(ctx, task, terms, end); err != nil {
			return err
		}
		// Before each chunk, because all chunks together can take a minute, and a cancelled
		// task need not go on for so long.
		if err := tx.checkTask(ctx, task); err != nil {
			return err
		}
		if err := tx.copyCards(ctx, chunk.cards); err != nil {
			return err
		}
		if len(chunk.messages) > 0 {
			if err := copyRows(ctx, tx.tx, "messages", messageColumns, chunk.messages); err != nil {
				return fmt.Errorf("copy messages: %w", err)
			}
		}
		tx.store.counts[cardsWritten].Add(int64(len(chunk.cards)))
		sofar := min(end, int(task.CardCount))
		// The worker tells it within its own transaction, because a row of another one would cost
		// a commit for each chunk.
		if err := tx.tellProgress(ctx, task.ID, sofar); err != nil {
			return err
		}
		written(sofar)
	}
	return tx.countCards(ctx, task.ProgramID, int(task.CardCount))
}

// chunk is rows that are not written yet, or the error that prevented them.
type chunk struct {
	cards    []*GiftCard
	messages []*Message
	err      error
}

// makeChunk reads the recipients of one chunk, and makes its rows in a goroutine, while
// PostgreSQL writes the chunk before it. It returns nil after the last chunk.
func (tx *Tx) makeChunk(ctx context.Context, task Task, terms Terms, start int) (<-chan chunk, error) {
	if start >= int(task.CardCount) {
		return nil, nil
	}
	count := min(chunkSize, int(task.CardCount)-start)
	recipients, err := tx.findRecipients(ctx, task, start)
	if err != nil {
		return nil, err
	}
	made := make(chan chunk, 1) // buffered, so that the goroutine ends even if its caller has returned early
	go func() { made <- tx.makeRows(task, terms, recipients, start, count) }()
	return made, nil
}

func (tx *Tx) makeRows(task Task, terms Terms, encoded []byte, start, count int) chunk {
	recipients, err := decodeRecipients(encoded, count)
	if err != nil {
		return chunk{err: err}
	}
	cards, err := tx.store.newCards(tx.now, terms, task.FirstCardID.Plus(start), recipients)
	if err != nil {
		return chunk{err: err}
	}
	// In the order of the ids, in which they are read. Stored in the order of the numbers, a page of
	// cards cost PostgreSQL two thirds more.
	rows := make([]*GiftCard, len(cards))
	for i := range cards {
		rows[i] = &cards[i]
	}
	return chunk{cards: rows, messages: tx.newMessages(cards, MessageCard, true)}
}

// copyCards writes cards by COPY. COPY has no ON CONFLICT, so if a number is taken, the whole
// chunk goes back to the savepoint and gets new numbers.
func (tx *Tx) copyCards(ctx context.Context, cards []*GiftCard) error {
	for range maxNumberRounds {
		// A savepoint, because an error would otherwise end the whole transaction.
		err := pgx.BeginFunc(ctx, tx.tx, func(savepoint pgx.Tx) error {
			return copyRows(ctx, savepoint, "gift_cards", cardColumns, cards)
		})
		if err == nil {
			return nil
		}
		if !violates(err, constraintCardNumber) {
			return fmt.Errorf("copy cards: %w", err)
		}
		for i := range cards {
			cards[i].CardNumber = tx.store.numbers.random()
		}
	}
	return errNumbersExhausted
}
