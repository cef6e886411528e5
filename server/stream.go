package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"giftcards/store"
)

// cardList is how a batch of cards is written.
type cardList struct {
	begin, separator, end string
	card                  func(*bufio.Writer, *store.GiftCard) error
}

// stream writes a batch, a page at a time: it holds no more of it, and no
// connection to the database while a slow client reads. An error before the first
// buffer is full is an answer like any other; a later one breaks off the
// connection (see handleError), so that nobody takes a part for the whole.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, batch store.Batch, list cardList) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StreamingTimeout)
	defer cancel()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(StreamingTimeout)); err != nil {
		return fmt.Errorf("extend the time to write: %w", err)
	}
	out := bufio.NewWriterSize(toClient{w}, streamBuffer)
	_, _ = out.WriteString(list.begin) // the buffer keeps an error for Flush
	for from := 0; from < batch.Count; from += streamPage {
		page, err := store.Read(ctx, s.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
			return tx.Page(ctx, batch, from, streamPage)
		})
		if err != nil {
			return err
		}
		if want := min(streamPage, batch.Count-from); len(page) != want {
			return fmt.Errorf("%d cards from position %d of a batch of %d", len(page), from, batch.Count)
		}
		for i := range page {
			if from+i > 0 {
				_, _ = out.WriteString(list.separator)
			}
			if err := list.card(out, &page[i]); err != nil {
				return err
			}
		}
	}
	_, _ = out.WriteString(list.end)
	return out.Flush()
}

// streamPage is how many cards are read at a time.
const streamPage = 2_000

const streamBuffer = 32 << 10

// errClientGone is no fault of ours, nor of the database.
var errClientGone = errors.New("the client has gone")

// toClient tells a client that hung up from a database that did.
type toClient struct{ http.ResponseWriter }

func (w toClient) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	if err != nil {
		return n, fmt.Errorf("%w: %s", errClientGone, err.Error()) // not to be taken for the database's
	}
	return n, nil
}
