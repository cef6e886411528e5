package server

import (
	"context"
	"encoding/binary"
	"net/http"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
)

// A CSV link is the credential for the security codes of one batch of cards:
// program, first id, count and end, signed. Nothing of it is stored.
const csvLinkSize = 12 + 12 + 4 + 8

// csvLink returns a fresh link to the CSV of a batch.
func (s *Server) csvLink(b store.Batch) string {
	payload := make([]byte, 0, csvLinkSize)
	payload = append(payload, b.ProgramID[:]...)
	payload = append(payload, b.First[:]...)
	payload = binary.BigEndian.AppendUint32(payload, uint32(b.Count))
	payload = binary.BigEndian.AppendUint64(payload, uint64(s.Store.Now().Add(s.LinkLifetime).Unix()))
	return s.BaseURL + "/v2/giftcards/downloads/" + s.Keys.SignLink(payload)
}

var errBadLink = &refusal{status: http.StatusForbidden, detail: "Download link is invalid or has expired"}

// DownloadGiftCards streams the CSV that a link names.
func (s *Server) DownloadGiftCards(ctx context.Context, request api.DownloadGiftCardsRequestObject) (api.DownloadGiftCardsResponseObject, error) {
	payload, err := s.Keys.VerifyLink(request.Link)
	if err != nil || len(payload) != csvLinkSize {
		return nil, errBadLink
	}
	var batch store.Batch
	copy(batch.ProgramID[:], payload[0:])
	copy(batch.First[:], payload[12:])
	batch.Count = int(binary.BigEndian.Uint32(payload[24:]))
	if end := time.Unix(int64(binary.BigEndian.Uint64(payload[28:])), 0); !s.Store.Now().Before(end) {
		return nil, errBadLink
	}
	return csvDownload{server: s, ctx: ctx, batch: batch}, nil
}

type csvDownload struct {
	server *Server
	ctx    context.Context
	batch  store.Batch
}

// VisitDownloadGiftCardsResponse writes the CSV.
func (d csvDownload) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	who := caller(d.ctx)
	end, err := d.server.streams.take(who, d.batch)
	if err != nil {
		return err
	}
	defer end()
	// Before the first code leaves, but not for a download that is turned away.
	_, err = store.Write(d.ctx, d.server.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.Audit(d.ctx, who.audits("downloadGiftCards", d.batch.ProgramID, d.batch.First[:], d.batch.Count))
	})
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="gift-cards.csv"`)
	terms, err := d.server.Store.BatchTerms(d.ctx, d.batch)
	if err != nil {
		return err
	}
	return d.server.stream(d.ctx, w, d.batch, cardList{
		begin: "cardNumber,securityCode,initialValue,expiresAt,id\r\n", append: d.server.csvLine(terms),
	})
}

// csvLine returns how a card is written as a line of RFC 4180. No field can begin
// a formula or needs quotes: they are digits, decimals, times and ids of our own
// making.
func (s *Server) csvLine(terms store.BatchTerms) func([]byte, *store.IssuedCard) ([]byte, error) {
	common := "," + terms.InitialValue.String() + "," + terms.ExpiresAt.UTC().Format(time.RFC3339Nano) + ","
	return func(line []byte, card *store.IssuedCard) ([]byte, error) {
		code, err := s.Store.OpenCode(card.ID, card.SealedCode)
		if err != nil {
			return nil, err
		}
		line = append(store.AppendNumber(line, card.CardNumber), ',')
		line = append(append(line, code...), common...)
		line, err = card.ID.AppendText(line)
		return append(line, "\r\n"...), err
	}
}
