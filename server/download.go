package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/server/validate"
	"giftcards/server/workbook"
	"giftcards/store"
	"giftcards/store/id"
)

// csvLink is the credential for the security codes of one range of cards. The database
// stores nothing of it. It works until its end, unless the tokens of its user are ended before.
type csvLink struct {
	user  id.ID     // who asked for it
	given time.Time // when the user's token was given
	batch store.CardRange
	end   time.Time
}

// csvLinkSize is the length of the payload. A link of any other size is refused.
const csvLinkSize = 12 + 8 + 12 + 12 + 4 + 8

// payload returns the signed bytes of a link: times in whole seconds, numbers in network
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

// fromPayload returns the link that has the payload.
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

// csvLink returns a fresh link to the CSV of a range of cards for the caller. The link has
// the time of the caller's token, not its own: a change that ends the token then ends the
// link too, even if it happens while the link is made.
func (s *Server) csvLink(who *principal, b store.CardRange) string {
	link := csvLink{user: who.access.User.ID, given: who.claims.IssuedAt, batch: b, end: s.Store.Now().Add(s.LinkLifetime)}
	payload := link.payload()
	return s.BaseURL + "/v2/giftcards/downloads/" + s.Keys.SignLink(payload[:])
}

// csvLinkHeader is a link to the CSV as a Link header has it (RFC 8288).
func csvLinkHeader(link string) string { return "<" + link + `>; rel="alternate"; type="text/csv"` }

// pageLinkHeader is csvLinkHeader before there are cards: a browser gets a page that waits for
// them.
func pageLinkHeader(link string) string { return "<" + link + `>; rel="alternate"; type="text/html"` }

var errBadLink = &refusal{status: http.StatusForbidden, detail: store.ErrLinkEnded.Message}

// openLink returns the link that was signed. It fails with errBadLink, also if the link
// has expired, and does not ask the database.
func (s *Server) openLink(link string) (csvLink, error) {
	payload, err := s.Keys.VerifyLink(link)
	if err != nil || len(payload) != csvLinkSize {
		return csvLink{}, errBadLink
	}
	opened := fromPayload([csvLinkSize]byte(payload))
	if !s.Store.Now().Before(opened.end) {
		return csvLink{}, errBadLink
	}
	return opened, nil
}

// DownloadGiftCards streams the cards that a link names as CSV or as a workbook, or
// answers a browser with a page that offers both.
func (s *Server) DownloadGiftCards(ctx context.Context, request api.DownloadGiftCardsRequestObject) (api.DownloadGiftCardsResponseObject, error) {
	who := *caller(ctx)
	who.answer.Add(echo.HeaderVary, echo.HeaderAccept)
	link, err := s.openLink(request.Link)
	if err != nil {
		return nil, err
	}
	who.access.User.ID = link.user
	format := request.Params.Format
	if format == nil && prefersPage(who.accept) {
		return s.offer(ctx, link)
	}
	d := download{server: s, ctx: ctx, who: &who, link: link, asWorkbook: format != nil && *format == api.Xlsx}
	if d.asWorkbook && !fitsWorkbook(link.batch) {
		sentence := fmt.Sprintf("a workbook holds at most %d cards; use csv", workbook.MaxRows-1)
		return nil, validate.ValueError(sentence).At(validate.Loc{"query", "format"}, (*string)(format))
	}
	if who.head { // no code leaves: the audit log has nothing to tell, and no quota is used
		return store.Read(ctx, s.Store, func(tx *store.Tx) (download, error) {
			_, err := d.check(tx)
			return d, err
		})
	}
	return d, nil
}

// download is the answer that has the codes.
type download struct {
	server     *Server
	ctx        context.Context
	who        *principal // the link's user
	link       csvLink
	asWorkbook bool // else CSV
}

// check returns what all cards of the link have in common. It fails with store.ErrLinkEnded if
// the link's user may not have the codes any more, and with a *store.NoCardsError.
func (d download) check(tx *store.Tx) (store.CardRangeTerms, error) {
	if err := tx.CheckLink(d.ctx, d.link.user, d.link.batch.ProgramID, d.link.given); err != nil {
		return store.CardRangeTerms{}, err
	}
	return tx.CardRangeTerms(d.ctx, d.link.batch)
}

// VisitDownloadGiftCardsResponse writes the file, of HEAD its headers alone.
func (d download) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	mediaType, name, newList := "text/csv; charset=utf-8", "gift-cards.csv", d.server.csvList
	if d.asWorkbook {
		mediaType, name, newList = workbook.MediaType, "gift-cards.xlsx", d.server.workbookList
	}
	header := w.Header()
	var terms store.CardRangeTerms
	if !d.who.head {
		begun, end, err := d.begin(header)
		if err != nil {
			return err
		}
		defer end()
		terms = begun
	}
	header.Set(echo.HeaderContentType, mediaType)
	header.Set(echo.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	if d.who.head {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return d.server.stream(d.ctx, w, d.link.batch, newList(terms))
}

// begin counts the download and writes it to the audit log. That comes before the
// first code leaves, but after the bounds, so that a download that is turned away
// leaves no entry. The caller calls end when the download is over.
func (d download) begin(header http.Header) (terms store.CardRangeTerms, end func(), err error) {
	batch := d.link.batch
	end, err = d.server.streams.take(d.who, batch)
	if err != nil {
		return terms, nil, err
	}
	giveBack, err := d.server.takeDownload(header, d.link.payload())
	if err == nil {
		terms, err = store.Write(d.ctx, d.server.Store, func(tx *store.Tx) (store.CardRangeTerms, error) {
			terms, err := d.check(tx)
			if err != nil {
				return terms, err
			}
			return terms, tx.Audit(d.ctx, d.who.auditEntry(downloadOperation, batch.ProgramID, batch.First[:], batch.Count))
		})
		if err != nil {
			giveBack() // nothing was written to the audit log
		}
	}
	if err != nil {
		end()
		return terms, nil, err
	}
	return terms, end, nil
}

// csvList writes cards as lines of RFC 4180. No field can begin a formula or needs
// quotes: they are digits, decimals, times and ids of our own making.
func (s *Server) csvList(terms store.CardRangeTerms) cardList {
	common := "," + terms.InitialValue.String() + "," + terms.ExpiresAt.UTC().Format(time.RFC3339Nano) + ","
	return cardList{
		begin: "cardNumber,securityCode,initialValue,expiresAt,id\r\n",
		append: func(line []byte, card *store.IssuedCard) ([]byte, error) {
			code, err := s.Store.OpenCode(card.ID, card.SealedCode)
			if err != nil {
				return nil, err
			}
			line = append(store.AppendNumber(line, card.CardNumber), ',')
			line = append(append(line, code...), common...)
			line, err = card.ID.AppendText(line)
			return append(line, "\r\n"...), err
		},
	}
}

// columns are those of the CSV, in words.
var columns = []workbook.Column{
	{Name: "Card number", Width: 20},
	{Name: "Security code", Width: 14},
	{Name: "Initial value", Width: 13},
	{Name: "Expires at", Width: 30},
	{Name: "Card id", Width: 28},
}

// workbookList writes cards as the rows of a workbook. Its texts are those of the CSV,
// and so need no escaping.
func (s *Server) workbookList(terms store.CardRangeTerms) cardList {
	value, expires := []byte(terms.InitialValue.String()), []byte(terms.ExpiresAt.UTC().Format(time.RFC3339Nano))
	row := 1 // the header
	var number, cardID []byte
	return cardList{
		inside: func(w io.Writer) (io.WriteCloser, error) { return workbook.New(w, columns) },
		append: func(line []byte, card *store.IssuedCard) ([]byte, error) {
			code, err := s.Store.OpenCode(card.ID, card.SealedCode)
			if err != nil {
				return nil, err
			}
			row++
			number = store.AppendNumber(number[:0], card.CardNumber)
			cardID, err = card.ID.AppendText(cardID[:0])
			return workbook.AppendRow(line, row, number, []byte(code), value, expires, cardID), err
		},
	}
}

// fitsWorkbook reports whether all cards of the batch have a row in one sheet.
func fitsWorkbook(b store.CardRange) bool { return b.Count < workbook.MaxRows }
