package server

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"giftcards/gen/api"
	"giftcards/jobs/message"
	"giftcards/server/downloadpage"
	"giftcards/store"
)

// downloadsRoute is the route of downloads, as echo has it.
const downloadsRoute = "/v2/giftcards/downloads/:link"

// offer is the page for a browser. It has no codes, and so is neither written to the
// audit log nor counted as a download; a link that has ended gets none.
func (s *Server) offer(ctx context.Context, link csvLink) (api.DownloadGiftCardsResponseObject, error) {
	program, err := store.Read(ctx, s.Store, func(tx *store.Tx) (store.Program, error) {
		if err := tx.CheckLink(ctx, link.user, link.batch.ProgramID, link.given); err != nil {
			return store.Program{}, err
		}
		return tx.FindProgram(ctx, link.batch.ProgramID)
	})
	if err != nil {
		return nil, err
	}
	terms, err := s.Store.CardRangeTerms(ctx, link.batch)
	if err != nil {
		return nil, err
	}
	zone, err := time.LoadLocation(program.TimeZone)
	return offerPage{
		Program: program.Name, Cards: link.batch.Count, Value: terms.InitialValue.String(),
		// The page and the message must not name different days.
		ValidUntil: message.ValidUntil(terms.ExpiresAt, s.Store.Now(), zone),
		Until:      link.end, Workbook: fitsWorkbook(link.batch), Limit: s.LinkDownloads,
	}, err
}

type offerPage downloadpage.Offer

// VisitDownloadGiftCardsResponse writes the page.
func (p offerPage) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	return downloadpage.WriteOffer(w, downloadpage.Offer(p))
}

// javaAccept begins what programs in Java send that set no Accept header of their own
// (HttpURLConnection). They name text/html first, but are no browsers.
const javaAccept = "text/html, image/gif, image/jpeg,"

// prefersPage reports whether an Accept header (RFC 9110) wants HTML rather than CSV,
// as those of browsers do.
func prefersPage(accept string) bool {
	if strings.HasPrefix(accept, javaAccept) {
		return false
	}
	html, csv := quality(accept, "text/html"), quality(accept, "text/csv")
	return html > csv
}

// quality is how much an Accept header wants a media type, from 0 to 1. The most exact
// of the ranges that match decides. It skips ranges that it cannot read.
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
			q, _ = strconv.ParseFloat(text, 64) // what is no number is 0
		}
	}
	return q
}
