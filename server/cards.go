package server

import (
	"context"
	"net/url"
	"strconv"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
)

// mostTransactions is how many entries of the ledger the details of a card have at most.
const mostTransactions = 1000

// GetGiftCardDetails returns a card, with its newest entries if they are asked for.
func (s *Server) GetGiftCardDetails(ctx context.Context, request api.GetGiftCardDetailsRequestObject) (api.GetGiftCardDetailsResponseObject, error) {
	who := caller(ctx)
	program, err := who.program()
	if err != nil {
		return nil, err
	}
	wanted, err := id.Parse(request.CardId)
	if err != nil {
		return nil, err
	}
	// With 0 the answer has null for the entries, and not an empty list.
	most := 0
	if query(ctx).value("include_transactions").Bool() {
		most = mostTransactions
	}
	card, entries, err := s.Store.FindCard(ctx, who.access, wanted, most)
	if err != nil {
		return nil, err
	}
	shown := toGiftCard(&card, s.Store.Now(ctx), newIssuer(program.ID, program.MerchantID, who.access.MerchantName))
	body := newBody(cardBytes + entryBytes*len(entries))
	return encodedAnswer{body: append(appendDetails(body, &shown, entries), '\n')}, nil
}

// SearchGiftCards returns a page of a program's cards.
func (s *Server) SearchGiftCards(ctx context.Context, request api.SearchGiftCardsRequestObject) (api.SearchGiftCardsResponseObject, error) {
	who := caller(ctx)
	program, err := who.program()
	if err != nil {
		return nil, err
	}
	return s.listCards(ctx, "/v2/giftcards/programs/"+request.ProgramId+"/search", who.listed(program))
}

// GetGiftCards returns a page of the cards of one program, or of all of the caller's merchant.
func (s *Server) GetGiftCards(ctx context.Context, _ api.GetGiftCardsRequestObject) (api.GetGiftCardsResponseObject, error) {
	programs, err := s.programsAskedFor(ctx)
	if err != nil {
		return nil, err
	}
	return s.listCards(ctx, "/v2/giftcards/programs/cards", programs)
}

// programsAskedFor returns the program that the query names, or all of the caller's merchant.
func (s *Server) programsAskedFor(ctx context.Context) ([]store.MerchantProgram, error) {
	who := caller(ctx)
	if query(ctx).value("programId").IsNull() {
		return s.Store.ProgramsOf(ctx, who.access.User.MerchantID)
	}
	program, err := who.program()
	return who.listed(program), err
}

// listed is a program of the caller's as the only one whose cards are listed.
func (p *principal) listed(program store.Program) []store.MerchantProgram {
	return []store.MerchantProgram{{ID: program.ID, MerchantID: program.MerchantID, MerchantName: p.access.MerchantName}}
}

// listCards answers with the page of the cards of the programs that the query asks for. The
// link to the next page leads to the path.
func (s *Server) listCards(ctx context.Context, path string, programs []store.MerchantProgram) (answer encodedAnswer, err error) {
	asked, err := cardQuery(query(ctx))
	if err != nil {
		return answer, err
	}
	merchant, err := query(ctx).id("merchant_id")
	if err != nil {
		return answer, err
	}
	if !merchant.IsZero() && merchant != caller(ctx).access.User.MerchantID {
		programs = nil // as if the other merchant had no cards
	}
	issuers := map[id.ID]*issuer{}
	for _, program := range programs {
		issuers[program.ID] = newIssuer(program.ID, program.MerchantID, program.MerchantName)
		asked.Programs = append(asked.Programs, program.ID)
	}
	page, err := s.Store.ListCards(ctx, caller(ctx).access, asked)
	if err != nil {
		return answer, err
	}
	body := append(newBody(2+cardBytes*len(page.Cards)), '[')
	for i := range page.Cards {
		if i > 0 {
			body = append(body, ',')
		}
		shown := toGiftCard(&page.Cards[i], page.At, issuers[page.Cards[i].ProgramID])
		body = appendGiftCard(body, &shown)
	}
	body = append(body, "]\n"...)
	answer.body = body
	if page.Next != (store.Cursor{}) {
		answer.link = s.nextPage(ctx, path, page.Next)
	}
	return answer, nil
}

// cardBytes and entryBytes are more than most cards and entries take as JSON.
const (
	cardBytes  = 1024
	entryBytes = 512
)

// The document has no bounds for page, limit and offset. So no number is refused, and these
// bounds apply instead.
const (
	mostCards  = 1000
	mostOffset = 1 << 62
)

// cardQuery reads what the two lists have in common.
func cardQuery(q queryValues) (asked store.CardQuery, err error) {
	asked.Status = q.text("status")
	asked.PositiveBalance = q.value("positive_balance").Bool()
	asked.Search = store.ParseSearch(q.text("q"))
	if asked.Card, err = q.id("cardId"); err != nil {
		return asked, err
	}
	limit := pageLimit(q)
	asked.Limit = int(limit)
	switch page := max(q.value("page").Int(), 1); {
	case !q.value("after").IsNull(): // the place in the list; page and offset would move it
		asked.After, err = store.ParseCursor(q.text("after"))
	case !q.value("offset").IsNull():
		asked.Offset = min(max(q.value("offset").Int(), 0), mostOffset)
	case page-1 > mostOffset/limit:
		asked.Offset = mostOffset
	default:
		asked.Offset = (page - 1) * limit
	}
	return asked, err
}

// pageLimit returns how many cards a page has at most.
func pageLimit(q queryValues) int64 { return min(max(q.value("limit").Int(), 1), mostCards) }

// nextPage is the Link header to the page after a place. It asks for the same cards as the
// request.
func (s *Server) nextPage(ctx context.Context, path string, after store.Cursor) *string {
	asked, next := query(ctx), url.Values{"after": {after.String()}}
	for _, name := range []string{"merchant_id", "status", "programId", "cardId", "q"} {
		if !asked.value(name).IsNull() {
			next.Set(name, asked.text(name))
		}
	}
	if asked.value("positive_balance").Bool() {
		next.Set("positive_balance", "true")
	}
	next.Set("limit", strconv.FormatInt(pageLimit(asked), 10))
	link := "<" + s.BaseURL + path + "?" + next.Encode() + `>; rel="next"`
	return &link
}
