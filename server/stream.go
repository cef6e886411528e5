package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"

	"giftcards/store"
)

// cardList is the format in which a batch of cards is written.
type cardList struct {
	begin, separator, end string
	append                func(line []byte, card *store.IssuedCard) ([]byte, error)
}

// stream writes a batch page by page. It holds one page, and no connection to the
// database while a slow client reads. An error before the first buffer is full becomes an
// ordinary answer. A later error breaks off the connection (see handleError), so that no
// client takes a part for the whole.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, batch store.Batch, list cardList) error {
	// WithoutCancel, because limitTime would end a long stream. A client that hangs up shows
	// when a write fails.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamingTimeout)
	defer cancel()
	client := newReadingClient(w)
	out := bufio.NewWriterSize(client, streamBuffer)
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
	if err := out.Flush(); err != nil {
		return err
	}
	client.end()
	return nil
}

const streamBuffer = 32 << 10

// errClientGone says that the client hung up, which is no fault of the server.
var errClientGone = errors.New("the client has gone")

// asClientGone marks an error of writing to the client. The text alone stays of the error,
// because store would take a network error for one of the database's connection.
func asClientGone(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %s", errClientGone, err.Error())
}
