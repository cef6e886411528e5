package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/store"
	"giftcards/store/id"
)

// streamedReport is a report with a list of cards of any length. It is written while the cards
// are read, so that it needs little memory, and its sums come after the list in its type.
type streamedReport[Card any] struct {
	server  *Server
	ctx     context.Context
	program id.ID
	report  any    // a pointer to the report, whose list stays empty
	list    string // the empty list in the report's JSON, with its name
	cards   func(context.Context) iter.Seq2[Card, error]
	add     func(Card) any // adds a card to the sums of the report, and returns how the list shows it
}

// VisitGetExpirationWarningsResponse writes the answer.
func (r streamedReport[Card]) VisitGetExpirationWarningsResponse(w http.ResponseWriter) error {
	return r.write(w)
}

// VisitGetEscheatmentReportResponse writes the answer.
func (r streamedReport[Card]) VisitGetEscheatmentReportResponse(w http.ResponseWriter) error {
	return r.write(w)
}

// write fails as stream does: a late error breaks off the connection.
func (r streamedReport[Card]) write(w http.ResponseWriter) error {
	// All reports of a program count as downloads of the same cards.
	streaming, err := r.server.streams.take(caller(r.ctx), store.CardRange{ProgramID: r.program})
	if err != nil {
		return err
	}
	defer streaming()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), streamingTimeout)
	defer cancel()
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	client := newReadingClient(w, r.server.ReadingGrace)
	out := bufio.NewWriterSize(client, streamBuffer)
	if err := r.writeTo(ctx, out); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return err
	}
	client.end()
	return nil
}

func (r streamedReport[Card]) writeTo(ctx context.Context, out *bufio.Writer) error {
	begin, _, err := r.frame()
	if err != nil {
		return err
	}
	_, _ = out.WriteString(begin + "[") // the buffer keeps an error for the next write
	separator := ""
	for card, err := range r.cards(ctx) {
		if err != nil {
			return err
		}
		entry, err := json.Marshal(r.add(card))
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		_, _ = out.WriteString(separator)
		if _, err := out.Write(entry); err != nil {
			return err
		}
		separator = ","
	}
	// Once more, because the sums are known now.
	_, end, err := r.frame()
	if err != nil {
		return err
	}
	_, err = out.WriteString("]" + end + "\n")
	return err
}

// frame returns the JSON of the report before and after its list.
func (r streamedReport[Card]) frame() (begin, end string, err error) {
	frame, err := json.Marshal(r.report)
	if err != nil {
		return "", "", fmt.Errorf("encode report: %w", err)
	}
	begin, end, ok := strings.Cut(string(frame), r.list)
	if !ok {
		return "", "", errors.New("encode report: no list")
	}
	return begin + strings.TrimSuffix(r.list, "[]"), end, nil
}
