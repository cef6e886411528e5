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
	append                func(line []byte, card *store.IssuedCard) ([]byte, error)
}

// stream writes a batch, a page at a time: it holds no more of it, and no
// connection to the database while a slow client reads. An error before the first
// buffer is full is an answer like any other; a later one breaks off the
// connection (see handleError), so that nobody takes a part for the whole.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, batch store.Batch, list cardList) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamingTimeout)
	defer cancel()
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(streamingTimeout)); err != nil {
		return fmt.Errorf("extend the time to write: %w", err)
	}
	out := bufio.NewWriterSize(toClient{w}, streamBuffer)
	_, _ = out.WriteString(list.begin) // the buffer keeps an error for Flush
	first := true
	for page, err := range s.Store.Pages(ctx, batch) {
		if err != nil {
			return err
		}
		for i := range page {
			if !first {
				_, _ = out.WriteString(list.separator)
			}
			first = false
			line, err := list.append(out.AvailableBuffer(), &page[i])
			if err != nil {
				return err
			}
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
	}
	_, _ = out.WriteString(list.end)
	return out.Flush()
}

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
