package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/klauspost/compress/s2"

	"giftcards/gen/db"
)

// insertRecipients stores a task's recipients, chunkSize of them per row, as JSON compressed
// with S2. They are deleted when the task is finished.
func (tx *Tx) insertRecipients(ctx context.Context, task Task, recipients []Recipient) error {
	next := encodeRecipients(recipients)
	for first := 0; first < len(recipients); first += chunkSize {
		row := <-next
		next = encodeRecipients(recipients[min(first+chunkSize, len(recipients)):])
		if row.err != nil {
			return row.err
		}
		err := tx.q.InsertRecipients(ctx, db.InsertRecipientsParams{
			ProgramID: task.ProgramID, TaskID: task.ID, First: int32(first), Recipients: row.encoded,
		})
		if err != nil {
			return fmt.Errorf("insert recipients: %w", err)
		}
	}
	return nil
}

type encodedRecipients struct {
	encoded []byte
	err     error
}

// encodeRecipients encodes the first chunk in a goroutine, while PostgreSQL writes the chunk
// before it.
func encodeRecipients(recipients []Recipient) <-chan encodedRecipients {
	done := make(chan encodedRecipients, 1) // buffered, so that the goroutine ends even if its caller has returned early
	go func() {
		encoded, err := json.Marshal(recipients[:min(chunkSize, len(recipients))])
		if err != nil {
			err = fmt.Errorf("encode recipients: %w", err)
		}
		done <- encodedRecipients{s2.Encode(nil, encoded), err}
	}()
	return done
}

// findRecipients returns one chunk of a task's recipients, still encoded; nil in
// count mode.
func (tx *Tx) findRecipients(ctx context.Context, task Task, start int) ([]byte, error) {
	if task.ByCount {
		return nil, nil
	}
	encoded, err := tx.q.FindRecipients(ctx, task.ProgramID, task.ID, int32(start))
	return encoded, wrap(err, "find recipients")
}

// decodeRecipients returns count recipients, without any data if encoded is nil.
func decodeRecipients(encoded []byte, count int) ([]Recipient, error) {
	if encoded == nil {
		return make([]Recipient, count), nil
	}
	recipients, err := decodeChunk(encoded)
	if err != nil {
		return nil, err
	}
	if len(recipients) != count {
		return nil, fmt.Errorf("%d recipients, want %d", len(recipients), count)
	}
	return recipients, nil
}

// decodeChunk returns the recipients of one row.
func decodeChunk(encoded []byte) ([]Recipient, error) {
	recipients := make([]Recipient, 0, chunkSize)
	decoded, err := s2.Decode(nil, encoded)
	if err == nil {
		err = json.Unmarshal(decoded, &recipients)
	}
	return recipients, wrap(err, "decode recipients")
}
