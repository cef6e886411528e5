package server

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"giftcards/store"
)

// cardList is the format in which a range of cards is written.
type cardList struct {
	begin, separator, end string
	append                func(line []byte, card *store.IssuedCard) ([]byte, error)
	// inside begins the file that the list is a part of; nil if the list is all of it.
	inside func(io.Writer) (io.WriteCloser, error)
}

// stream writes a range of cards page by page. It holds one page, and no connection to the
// database while a slow client reads. An error before the first buffer is full becomes an
// ordinary answer. A later error breaks off the connection (see handleError), so that no
// client takes a part for the whole.
func (s *Server) stream(ctx context.Context, w http.ResponseWriter, cards store.CardRange, list cardList) error {
	// WithoutCancel, because limitTime would end a long stream. A client that hangs up shows
	// when a write fails.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), streamingTimeout)
	defer cancel()
	client := newReadingClient(w, s.ReadingGrace)
	out := bufio.NewWriterSize(client, streamBuffer)
	if err := s.writeFile(ctx, out, cards, list); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	client.end()
	return nil
}

// writeFile writes the file that the list is a part of, and leaves its end in the
// buffer of out.
func (s *Server) writeFile(ctx context.Context, out *bufio.Writer, cards store.CardRange, list cardList) error {
	if list.inside == nil {
		return s.writeList(ctx, out, cards, list)
	}
	file, err := list.inside(out)
	if err != nil {
		return err
	}
	rows := bufio.NewWriterSize(file, streamBuffer)
	if err := s.writeList(ctx, rows, cards, list); err != nil {
		return err
	}
	return errors.Join(rows.Flush(), file.Close())
}

// writeList writes a range of cards and leaves its end in the buffer of out.
func (s *Server) writeList(ctx context.Context, out *bufio.Writer, cards store.CardRange, list cardList) error {
	_, _ = out.WriteString(list.begin) // the buffer keeps an error for the next write
	first := true
	for page, err := range s.Store.Pages(ctx, cards) {
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
	_, err := out.WriteString(list.end)
	return err
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
