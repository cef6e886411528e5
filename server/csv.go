package server

import (
	"context"
	"encoding/binary"
	"net/http"
	"time"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// csvLink is the credential for the security codes of one batch of cards. The database
// stores nothing of it. It works until its end, or until its user's tokens are ended.
type csvLink struct {
	user  id.ID     // who asked for it
	given time.Time // when the user's token was given
	batch store.Batch
	end   time.Time
}

// csvLinkSize is the length of what is signed. A link of any other size is refused.
const csvLinkSize = 12 + 8 + 12 + 12 + 4 + 8

// payload is what is signed of a link: times in whole seconds, numbers in network
// byte order.
func (l csvLink) payload() (signed [csvLinkSize]byte) {
	payload := append(signed[:0], l.user[:]...)
	payload = binary.BigEndian.AppendUint64(payload, uint64(l.given.Unix()))
	payload = append(payload, l.batch.ProgramID[:]...)
	payload = append(payload, l.batch.First[:]...)
	payload = binary.BigEndian.AppendUint32(payload, uint32(l.batch.Count))
	binary.BigEndian.AppendUint64(payload, uint64(l.end.Unix()))
	return signed
}

// fromPayload is the link whose payload was signed.
func fromPayload(signed [csvLinkSize]byte) (l csvLink) {
	payload := signed[:]
	copy(l.user[:], payload)
	l.given = time.Unix(int64(binary.BigEndian.Uint64(payload[12:])), 0)
	copy(l.batch.ProgramID[:], payload[20:])
	copy(l.batch.First[:], payload[32:])
	l.batch.Count = int(binary.BigEndian.Uint32(payload[44:]))
	l.end = time.Unix(int64(binary.BigEndian.Uint64(payload[48:])), 0)
	return l
}

// csvLink returns a fresh link to the CSV of a batch for the caller. It says when the
// caller's token was given, not when the link was made: a change that ends the token
// then ends the link too, even if it happens while the link is made.
func (s *Server) csvLink(who *principal, b store.Batch) string {
	link := csvLink{user: who.access.User.ID, given: who.claims.IssuedAt, batch: b, end: s.Store.Now().Add(s.LinkLifetime)}
	payload := link.payload()
	return s.BaseURL + "/v2/giftcards/downloads/" + s.Keys.SignLink(payload[:])
}

var errBadLink = &refusal{status: http.StatusForbidden, detail: store.ErrLinkEnded.Message}

// DownloadGiftCards streams the CSV that a link names.
func (s *Server) DownloadGiftCards(ctx context.Context, request api.DownloadGiftCardsRequestObject) (api.DownloadGiftCardsResponseObject, error) {
	payload, err := s.Keys.VerifyLink(request.Link)
	if err != nil || len(payload) != csvLinkSize {
		return nil, errBadLink
	}
	signed, now := [csvLinkSize]byte(payload), s.Store.Now()
	link := fromPayload(signed)
	if !now.Before(link.end) {
		return nil, errBadLink
	}
	who := *caller(ctx)
	who.access.User.ID = link.user
	download := csvDownload{server: s, ctx: ctx, who: &who, link: link, headOnly: who.head}
	// A HEAD hands out no code, so it writes no audit entry and uses no quota.
	if download.headOnly {
		_, err := store.Read(ctx, s.Store, func(tx *store.Tx) (struct{}, error) { return struct{}{}, download.check(tx) })
		return download, err
	}
	return download, nil
}

// csvDownload is the answer to a good link.
type csvDownload struct {
	server   *Server
	ctx      context.Context
	who      *principal // the link's user
	link     csvLink
	headOnly bool // without the body
}

// check fails with store.ErrLinkEnded if the link's user may no longer see the codes.
func (d csvDownload) check(tx *store.Tx) error {
	return tx.CheckLink(d.ctx, d.link.user, d.link.batch.ProgramID, d.link.given)
}

// VisitDownloadGiftCardsResponse writes the CSV.
func (d csvDownload) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	header := w.Header()
	if !d.headOnly {
		end, err := d.begin(header)
		if err != nil {
			return err
		}
		defer end()
	}
	header.Set("Content-Type", "text/csv; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="gift-cards.csv"`)
	if d.headOnly {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	terms, err := d.server.Store.BatchTerms(d.ctx, d.link.batch)
	if err != nil {
		return err
	}
	return d.server.stream(d.ctx, w, d.link.batch, cardList{
		begin: "cardNumber,securityCode,initialValue,expiresAt,id\r\n", append: d.server.csvLine(terms),
	})
}

// begin counts the download and writes it to the audit log. It does so before the first
// code leaves, but after the limits, so that a refused download leaves no entry. The
// caller calls end when the download is over.
func (d csvDownload) begin(header http.Header) (end func(), err error) {
	batch := d.link.batch
	end, err = d.server.streams.take(d.who, batch)
	if err != nil {
		return nil, err
	}
	// The stream's place first: a download that finds none must not use up the link's quota.
	giveBack, err := d.server.takeDownload(header, d.link.payload())
	if err == nil {
		_, err = store.Write(d.ctx, d.server.Store, func(tx *store.Tx) (struct{}, error) {
			if err := d.check(tx); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, tx.Audit(d.ctx, d.who.auditEntry(downloadOperation, batch.ProgramID, batch.First[:], batch.Count))
		})
		if err != nil {
			giveBack() // nothing was written to the audit log
		}
	}
	if err != nil {
		end()
		return nil, err
	}
	return end, nil
}

// csvLine returns a function that appends a card as a line of RFC 4180. No field needs
// quotes or can be taken for a formula, because all are digits, decimals, times and ids
// that the server made.
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
