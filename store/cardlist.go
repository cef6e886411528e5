package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// CardQuery asks for one page of cards, newest first: by id, which holds the second in which a
// card was issued, and then by program, both descending.
type CardQuery struct {
	Programs        []id.ID // the programs whose cards are wanted
	Status          string  // as StateOf; "" is any
	PositiveBalance bool    // only cards with a balance
	Card            id.ID   // only this card; zero is any
	Search          Search  // see ParseSearch
	After           Cursor  // only cards after this one in the order; zero is the beginning
	Offset          int64   // how many cards to leave out, 0 or more
	Limit           int     // how many cards at most, 1 or more

	until Cursor // no card after this place; zero is the end
}

// Cursor is the place of a card in the order of lists.
type Cursor struct{ Card, Program id.ID }

// CursorOf returns the place of a card.
func CursorOf(c *GiftCard) Cursor { return Cursor{Card: c.ID, Program: c.ProgramID} }

// String returns the cursor as 48 lower-case hexadecimal digits.
func (c Cursor) String() string { return c.Card.String() + c.Program.String() }

// ParseCursor reads what String returns. It fails for every other text.
func ParseCursor(text string) (c Cursor, err error) {
	if len(text) != 2*hex.EncodedLen(len(c.Card)) {
		return Cursor{}, errors.New("cursor: want 48 hexadecimal digits")
	}
	half := len(text) / 2
	if c.Card, err = id.Parse(text[:half]); err != nil {
		return Cursor{}, err
	}
	c.Program, err = id.Parse(text[half:])
	return c, err
}

// beginning is before every card, because ids hold a second of 32 bits that comes in 2106.
var beginning = func() (c Cursor) {
	for i := range c.Card {
		c.Card[i], c.Program[i] = 0xff, 0xff
	}
	return c
}()

// CardPage is one page of a list.
type CardPage struct {
	Cards []GiftCard // only with what answers have of a card: see shownFields
	Next  Cursor     // the next page is after this place; zero after the last page
	At    time.Time  // the time at which states were judged
}

// ListCards returns a page of cards. A page after a cursor is found as fast as the first one. It
// fails with ErrAccessChanged if token or user have changed.
//
// No index finds a text of one or two characters. A page of such a search ends after
// shortReach cards at the latest, even if it has fewer cards than wanted, or none. Its Next
// leads on.
func (s *Store) ListCards(ctx context.Context, access Access, q CardQuery) (page CardPage, err error) {
	page.At = s.Now(ctx)
	if len(q.Programs) == 0 || q.Search.kind == searchNothing {
		return page, classify(wrap(s.readAs(ctx, access, func(*pgx.Batch) {}), "list no cards"))
	}
	if q.After == (Cursor{}) {
		q.After = beginning
	}
	if q.Search.isShort() {
		if q.until, err = s.placeAfter(ctx, q, q.newestOfEach(shortReach)); err != nil {
			return CardPage{}, err
		}
	}
	wanted := q.Limit
	q.Limit++ // one more card tells whether there are more
	for _, statement := range q.statements(page.At) {
		err := s.readAs(ctx, access, func(batch *pgx.Batch) {
			batch.Queue(statement.sql, statement.args...).Query(func(rows pgx.Rows) (err error) {
				page.Cards, err = collectCards(rows, shownFields, q.Limit)
				return err
			})
		})
		if err != nil {
			return CardPage{}, classify(wrap(err, "list cards"))
		}
		if len(page.Cards) >= q.Limit { // the statements after this one would find the same
			break
		}
	}
	page.Next = q.until
	if len(page.Cards) > wanted {
		page.Cards = page.Cards[:wanted]
		page.Next = CursorOf(&page.Cards[wanted-1])
	}
	return page, nil
}

// placeAfter returns the place of the last of so many cards, the zero Cursor if there are not
// so many left. It reads an index alone.
func (s *Store) placeAfter(ctx context.Context, q CardQuery, cards int64) (place Cursor, err error) {
	var st statement
	st.sql = "select g.id, g.program_id from " + q.walk(&st, "g.program_id, g.id", q.afterCursor(&st), cards) +
		orderNewestFirst + " limit 1 offset " + st.arg(cards-1)
	err = s.pool.QueryRow(ctx, st.sql, st.args...).Scan(&place.Card, &place.Program)
	if errors.Is(err, pgx.ErrNoRows) {
		return Cursor{}, nil
	}
	return place, classify(wrap(err, "find the end of a page"))
}

// statement is a statement under construction, with its arguments.
type statement struct {
	sql  string
	args []any
}

// arg adds an argument and returns the parameter for it.
func (s *statement) arg(value any) string {
	s.args = append(s.args, value)
	return fmt.Sprintf("$%d", len(s.args))
}

// statements are tried one after the other until one fills the page. Only the last one looks
// at all cards.
func (q *CardQuery) statements(at time.Time) []statement {
	switch q.Search.kind {
	case searchNumber, searchLastFour:
		return []statement{q.found(at)}
	case searchText:
		if !q.Search.isShort() {
			return []statement{q.newest(at), q.found(at)}
		}
	}
	if len(q.Programs) == 1 && q.Offset == 0 {
		return []statement{q.next(at)}
	}
	return []statement{q.inOrder(at)}
}

// usedCards is what gift_cards_used_idx demands. Every card with a balance, and every card in
// one of usedStates, is among these.
const usedCards = "(g.activated_at is not null or g.status <> 'pending')"

var usedStates = map[string]bool{CardActive: true, CardSuspended: true, CardVoided: true, CardDepleted: true}

// conditions demand everything of a card g except its program. Each begins with "and".
func (q *CardQuery) conditions(s *statement, at time.Time) string {
	sql := q.afterCursor(s)
	if q.until != (Cursor{}) {
		card, program := s.arg(q.until.Card), s.arg(q.until.Program)
		// The first half is for the index.
		sql += fmt.Sprintf(" and g.id >= %s and (g.id, g.program_id) >= (%[1]s, %s)", card, program)
	}
	if q.Status != "" {
		now := s.arg(at)
		sql += fmt.Sprintf(" and card_state(g.status, g.activated_at, g.balance, g.expires_at, g.suspended_until, %s) = %s", now, s.arg(q.Status))
		// card_state demands this already, but only a plain comparison can use gift_cards_expires_at_idx.
		if q.Status == CardExpired {
			sql += " and g.expires_at <= " + now
		}
	}
	if q.PositiveBalance {
		sql += " and g.balance > 0"
	}
	// This leaves out no card. PostgreSQL takes the partial index only if its condition is demanded.
	if q.PositiveBalance || usedStates[q.Status] {
		sql += " and " + usedCards
	}
	if !q.Card.IsZero() {
		sql += " and g.id = " + s.arg(q.Card)
	}
	return sql
}

// afterCursor is the condition of a card g to be after the cursor.
func (q *CardQuery) afterCursor(s *statement) string {
	// One comparison for one program, because PostgreSQL takes two for independent, and then
	// plans each page again.
	if len(q.Programs) == 1 {
		than := " and g.id < "
		if q.Programs[0].Compare(q.After.Program) < 0 {
			than = " and g.id <= "
		}
		return than + s.arg(q.After.Card)
	}
	card, program := s.arg(q.After.Card), s.arg(q.After.Program)
	// The first half is for the index.
	return fmt.Sprintf(" and g.id <= %s and (g.id, g.program_id) < (%[1]s, %s)", card, program)
}

const orderNewestFirst = " order by g.id desc, g.program_id desc"

// page is the end of a statement, which limits its rows to the page.
func (q *CardQuery) page(s *statement) string {
	return orderNewestFirst + " limit " + s.arg(int64(q.Limit)) + " offset " + s.arg(q.Offset)
}

// next reads the cards of one program from the cursor on until the page is full.
func (q *CardQuery) next(at time.Time) statement {
	var s statement
	s.sql = fmt.Sprintf("select %s from gift_cards g where g.program_id = %s %s order by g.id desc limit %d",
		columnsOf("g", shownFields), s.arg(q.Programs[0]), q.conditions(&s, at)+q.Search.condition(&s), roundedLimit(q.Limit))
	return s
}

// roundedLimit returns one of a few numbers that is at least the limit, for the text of a
// statement. With a parameter in its place, PostgreSQL would plan each page again.
func roundedLimit(limit int) int {
	for _, rounded := range [...]int{26, 51, 101, 251, 501, 1001} {
		if limit <= rounded {
			return rounded
		}
	}
	return limit
}

// inOrder walks the cards from the newest one on until the page is full.
func (q *CardQuery) inOrder(at time.Time) statement {
	var s statement
	s.sql = "with page as (select g.program_id, g.id from " + q.walk(&s, "g.program_id, g.id", q.conditions(&s, at)+q.Search.condition(&s), q.reach()) + q.page(&s) + ")" + cardsOfPage
	return s
}

// reach is how many cards of one program can be on the page or before it.
func (q *CardQuery) reach() int64 {
	return min(q.Offset, 1<<62) + int64(q.Limit)
}

// cardsOfPage reads the rows of the page. The rows before the page, of which there may be
// millions, were read from an index alone. The limit keeps PostgreSQL from reading the whole
// table for a join.
var cardsOfPage = " select " + columnsOf("g", shownFields) + " from page cross join lateral (select " + columnsOf("c", shownFields) +
	" from gift_cards c where c.program_id = page.program_id and c.id = page.id limit 1) g" + orderNewestFirst

// walk is the newest cards g of all programs that fulfil the conditions, most of each.
func (q *CardQuery) walk(s *statement, columns, conditions string, most int64) string {
	if len(q.Programs) == 1 {
		return fmt.Sprintf("(select %s from gift_cards g where g.program_id = %s %s order by g.id desc limit %s) g",
			columns, s.arg(q.Programs[0]), conditions, s.arg(most))
	}
	return fmt.Sprintf(`unnest(%s::bytea[]) as p (program_id) cross join lateral (
		select %s from gift_cards g where g.program_id = p.program_id %s order by g.id desc limit %s) g`,
		s.arg(q.Programs), columns, conditions, s.arg(most))
}

// The newest cards are looked at before an index is asked, because an index finds all cards
// with a common text, of which one page is wanted.
const (
	newestCards   = 10_000
	newestAtLeast = 500 // of each program
)

// shortReach is how many cards one page of a search for one or two characters looks at. It
// takes PostgreSQL about 20 ms.
const shortReach = 25_000

// newestOfEach returns how many of the newest cards a walk reads of each program, so that it
// reads about cards of them in all. Of the cards that the walks return, only this many are sure
// to be the newest of all programs together.
func (q *CardQuery) newestOfEach(cards int64) int64 {
	return max(cards/int64(len(q.Programs)), newestAtLeast)
}

// newest searches the newest cards only.
func (q *CardQuery) newest(at time.Time) statement {
	var s statement
	most, shown := q.newestOfEach(newestCards), columnsOf("g", shownFields)
	newest := q.walk(&s, shown, "and g.id <= "+s.arg(q.After.Card), most)
	if len(q.Programs) > 1 { // each walk ends after most cards, so only the first most of all are sure to be the newest
		newest = "(select " + shown + " from " + newest + orderNewestFirst + " limit " + s.arg(most) + ") g"
	}
	s.sql = "select " + shown + " from " + newest + " where true " + q.conditions(&s, at) + q.Search.condition(&s) + q.page(&s)
	return s
}

// found finds all cards by an index first, and then sorts them.
func (q *CardQuery) found(at time.Time) statement {
	var s statement
	conditions := "g.program_id = any(" + s.arg(q.Programs) + "::bytea[]) " + q.conditions(&s, at) + q.Search.condition(&s)
	s.sql = "with found as materialized ("
	for i, from := range q.Search.indexes(&s) {
		if i > 0 {
			s.sql += " union all "
		}
		s.sql += "select g.program_id, g.id from gift_cards g where " + from + " and " + conditions
	}
	s.sql += "), page as (select g.program_id, g.id from found g" + q.page(&s) + ")" + cardsOfPage
	return s
}
