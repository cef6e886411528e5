package server

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"giftcards/gen/api"
	"giftcards/jobs/message/texts"
	"giftcards/server/downloadpage"
	"giftcards/store"
)

// downloadsRoute is the route of downloads, as echo has it.
const downloadsRoute = "/v2/giftcards/downloads/:link"

// offer returns the page for a browser. The page has no codes, so it is not in the audit
// log and does not count as a download. A link that has ended is refused. While the cards are
// being issued, the page shows how far that is.
func (s *Server) offer(ctx context.Context, link downloadLink) (api.DownloadGiftCardsResponseObject, error) {
	var program store.Program
	var terms store.CardRangeTerms
	_, err := store.Read(ctx, s.Store, func(tx *store.Tx) (_ struct{}, err error) {
		if err := tx.CheckLink(ctx, link.user, link.cards.ProgramID, link.given); err != nil {
			return struct{}{}, err
		}
		if program, err = tx.FindProgram(ctx, link.cards.ProgramID); err != nil {
			return struct{}{}, err
		}
		terms, err = tx.CardRangeTerms(ctx, link.cards)
		return struct{}{}, err
	})
	// A task that has failed gets no cards any more, so its link is refused.
	if missing, ok := errors.AsType[*store.NoCardsError](err); ok && !missing.Task.Finished() {
		style, err := s.style(program)
		return waitPage{Program: program.Name, Written: s.Store.Written(missing.Task), Wanted: link.cards.Count, Style: style}, err
	}
	if err != nil {
		return nil, err
	}
	style, err := s.style(program)
	return offerPage{
		Program: program.Name, Cards: link.cards.Count, Value: terms.InitialValue.String(), ExpiresAt: terms.ExpiresAt, Now: s.Store.Now(ctx),
		Until: link.end, Workbook: fitsWorkbook(link.cards), Limit: s.LinkDownloads, Style: style,
	}, err
}

// style is how the texts of a program are written.
func (s *Server) style(p store.Program) (texts.Style, error) {
	settings, err := texts.NewSettings(p.Locale, p.Currency, p.TimeZone)
	return s.Languages.Style(settings), err
}

type offerPage downloadpage.Offer

// VisitDownloadGiftCardsResponse writes the page.
func (p offerPage) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	return downloadpage.WriteOffer(w, downloadpage.Offer(p))
}

type waitPage downloadpage.Wait

// VisitDownloadGiftCardsResponse writes the page.
func (p waitPage) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	return downloadpage.WriteWait(w, downloadpage.Wait(p))
}

// javaAccept is the beginning of the Accept header that Java's HttpURLConnection sends by
// default. It names text/html first, although a program sends it.
const javaAccept = "text/html, image/gif, image/jpeg,"

// prefersPage reports whether an Accept header (RFC 9110) prefers HTML to CSV, as a
// browser's does.
func prefersPage(accept string) bool {
	if strings.HasPrefix(accept, javaAccept) {
		return false
	}
	html, csv := quality(accept, "text/html"), quality(accept, "text/csv")
	return html > csv
}

// quality returns the weight that an Accept header gives to a media type, from 0 to 1. The
// most specific of the ranges that match decides. A range that cannot be parsed is skipped.
func quality(accept, mediaType string) (q float64) {
	kind, _, _ := strings.Cut(mediaType, "/")
	exactness := 0
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		matches := map[string]int{"*/*": 1, kind + "/*": 2, mediaType: 3}[name]
		if matches <= exactness {
			continue
		}
		exactness, q = matches, 1
		if text, ok := parameters["q"]; ok {
			q, _ = strconv.ParseFloat(text, 64) // 0 if it is not a number
		}
	}
	return q
}
