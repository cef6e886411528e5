package server

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/jobs/message/texts"
	"giftcards/server/validate"
	"giftcards/server/workbook"
	"giftcards/store"
	"giftcards/store/id"
)

// downloadLink is the credential for the security codes of one range of cards. The database
// stores nothing of it. It works until its end, unless the tokens of its user end before.
type downloadLink struct {
	user  id.ID     // asked for it
	given time.Time // the time of the user's token
	cards store.CardRange
	end   time.Time
}

// downloadLinkSize is the length of the payload. A link of any other size is refused.
const downloadLinkSize = 12 + 8 + 12 + 12 + 4 + 8

// payload returns the signed bytes of a link: times in whole seconds, numbers in network
// byte order.
func (l downloadLink) payload() (signed [downloadLinkSize]byte) {
	payload := append(signed[:0], l.user[:]...)
	payload = binary.BigEndian.AppendUint64(payload, uint64(l.given.Unix()))
	payload = append(payload, l.cards.ProgramID[:]...)
	payload = append(payload, l.cards.First[:]...)
	payload = binary.BigEndian.AppendUint32(payload, uint32(l.cards.Count))
	binary.BigEndian.AppendUint64(payload, uint64(l.end.Unix()))
	return signed
}

// fromPayload returns the link that has the payload.
func fromPayload(signed [downloadLinkSize]byte) (l downloadLink) {
	payload := signed[:]
	copy(l.user[:], payload)
	l.given = time.Unix(int64(binary.BigEndian.Uint64(payload[12:])), 0)
	copy(l.cards.ProgramID[:], payload[20:])
	copy(l.cards.First[:], payload[32:])
	l.cards.Count = int(binary.BigEndian.Uint32(payload[44:]))
	l.end = time.Unix(int64(binary.BigEndian.Uint64(payload[48:])), 0)
	return l
}

// csvLink returns a fresh link to the CSV of a range of cards for the caller. The link has
// the time of the caller's token, not its own: a change that ends the token then ends the
// link too, even if it happens while the link is made.
func (s *Server) csvLink(who *principal, b store.CardRange) string {
	link := downloadLink{user: who.access.User.ID, given: who.claims.IssuedAt, cards: b, end: s.Store.Clock().Add(s.LinkLifetime)}
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
func (s *Server) openLink(link string) (downloadLink, error) {
	payload, err := s.Keys.VerifyLink(link)
	if err != nil || len(payload) != downloadLinkSize {
		return downloadLink{}, errBadLink
	}
	opened := fromPayload([downloadLinkSize]byte(payload))
	if !s.Store.Clock().Before(opened.end) {
		return downloadLink{}, errBadLink
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
	if d.asWorkbook && !fitsWorkbook(link.cards) {
		sentence := fmt.Sprintf("a workbook holds at most %d cards; use csv", workbook.MaxRows-1)
		return nil, validate.ValueError(sentence).At(validate.Loc{"query", "format"}, (*string)(format))
	}
	if who.head { // no code leaves, so the audit log gets no entry and no quota is used
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
	link       downloadLink
	asWorkbook bool // else CSV
}

// check returns what all cards of the link have in common. It fails with store.ErrLinkEnded if
// the link's user may not have the codes any more, and with a *store.NoCardsError.
func (d download) check(tx *store.Tx) (store.CardRangeTerms, error) {
	if err := tx.CheckLink(d.ctx, d.link.user, d.link.cards.ProgramID, d.link.given); err != nil {
		return store.CardRangeTerms{}, err
	}
	return tx.CardRangeTerms(d.ctx, d.link.cards)
}

// VisitDownloadGiftCardsResponse writes the file, or for HEAD its headers alone.
func (d download) VisitDownloadGiftCardsResponse(w http.ResponseWriter) error {
	mediaType, name := "text/csv; charset=utf-8", "gift-cards.csv"
	if d.asWorkbook {
		mediaType, name = workbook.MediaType, "gift-cards.xlsx"
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
	list := d.server.csvList(terms)
	if d.asWorkbook { // only people read it, so it has the program's style
		style, err := d.style()
		if err != nil {
			return err
		}
		list = d.server.workbookList(terms, style)
	}
	return d.server.stream(d.ctx, w, d.link.cards, list)
}

// style is how the texts of the cards' program are written.
func (d download) style() (texts.Style, error) {
	program, err := store.Read(d.ctx, d.server.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.FindProgram(d.ctx, d.link.cards.ProgramID)
	})
	if err != nil {
		return texts.Style{}, err
	}
	return d.server.style(program)
}

// begin counts the download, and then writes it to the audit log before the first code
// leaves. A download that is refused by a limit leaves no entry. Call end when the download
// is over.
func (d download) begin(header http.Header) (terms store.CardRangeTerms, end func(), err error) {
	cards := d.link.cards
	end, err = d.server.streams.take(d.who, cards)
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
			return terms, tx.Audit(d.ctx, d.who.auditEntry(downloadOperation, cards.ProgramID, cards.First[:], cards.Count))
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

// columns are those of the CSV, in words of the program's language.
func columns(style texts.Style) []workbook.Column {
	list := []workbook.Column{
		{Name: "sheet.number", Width: 20},
		{Name: "sheet.code", Width: 14},
		{Name: "sheet.value", Width: 13},
		{Name: "sheet.expires", Width: 30},
		{Name: "sheet.id", Width: 28},
	}
	for i, column := range list {
		name := style.Text(column.Name, nil)
		list[i] = workbook.Column{Name: name, Width: max(column.Width, utf8.RuneCountInString(name)+2)}
	}
	return list
}

// workbookList writes cards as the rows of a workbook. Without settings of the program its
// texts are those of the CSV.
func (s *Server) workbookList(terms store.CardRangeTerms, style texts.Style) cardList {
	value, expires := workbook.Escape(style.Money(terms.InitialValue.String())), []byte(terms.ExpiresAt.UTC().Format(time.RFC3339Nano))
	if style.Localised() {
		expires = workbook.Escape(style.Moment(terms.ExpiresAt))
	}
	row := 1 // the header
	var number, cardID []byte
	return cardList{
		inside: func(w io.Writer) (io.WriteCloser, error) { return workbook.New(w, columns(style), style.Mirrored()) },
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

// fitsWorkbook reports whether all cards of a range have a row in one sheet.
func fitsWorkbook(b store.CardRange) bool { return b.Count < workbook.MaxRows }
