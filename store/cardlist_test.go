package store_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

func sql(t *testing.T, f fixture, statement string) {
	t.Helper()
	_, err := f.Pool().Exec(t.Context(), statement)
	must(t, err)
}

func TestACursorIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	c := store.Cursor{Card: id.New(time.Now()), Program: id.New(time.Now())}
	if got, err := store.ParseCursor(c.String()); err != nil || got != c {
		t.Errorf("%v %v, want %v", got, err, c)
	}
	for _, broken := range []string{"", "x", strings.Repeat("0", 47), strings.Repeat("0", 49), strings.Repeat("A", 48), strings.Repeat("0", 24) + strings.Repeat("g", 24)} {
		if _, err := store.ParseCursor(broken); err == nil {
			t.Errorf("%s was read", broken)
		}
	}
}

// TestTheNewestCardsOfACommonTextAreFound, also if they are not among the cards that the search
// looks at first.
func TestTheNewestCardsOfACommonTextAreFound(t *testing.T) {
	t.Parallel()
	f := setup(t)
	// The newest 11,000 of 12,000 cards have another name. Every tenth card is not searchable yet.
	sql(t, f, fmt.Sprintf(`insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, customer_name, expires_at, created_at, searchable)
		select '\x%s'::bytea, int4send(1700000000 + i) || '\x0000000000000000'::bytea, i, ''::bytea, 1, true, case when i < 1000 then 'Anna Old' else 'Else' end, now() + interval '1 year', now(), i %% 10 <> 0
		from generate_series(0, 11999) as i`, f.program))
	seen := 0
	var after store.Cursor
	for more := true; more; {
		page, err := f.ListCards(t.Context(), f.access, store.CardQuery{Programs: []id.ID{f.program}, Search: store.ParseSearch("anna"), Limit: 300, After: after})
		must(t, err)
		for _, card := range page.Cards {
			if want := int64(999 - seen); card.CardNumber != want {
				t.Fatalf("card %d of the list is number %d, want %d", seen, card.CardNumber, want)
			}
			seen++
		}
		after, more = page.Next, page.Next != (store.Cursor{})
	}
	if seen != 1000 {
		t.Errorf("%d cards, want 1000", seen)
	}
}

// TestASearchAsksTheIndexForTheRarestPartsOfAText, for any four of them without statistics.
func TestASearchAsksTheIndexForTheRarestPartsOfAText(t *testing.T) {
	t.Parallel()
	f := setup(t)
	rarest := func() (grams []string) {
		must(t, store.Do(t.Context(), f.Store, func(tx *store.Tx) error {
			// A server's role may not read the statistics.
			if _, err := tx.Unwrap().Exec(t.Context(), "set local role "+storetest.ServingRole); err != nil {
				return err
			}
			return tx.Unwrap().QueryRow(t.Context(), "select rarest_grams('jo@example.com')").Scan(&grams)
		}))
		return grams
	}
	if got := rarest(); len(got) != 4 {
		t.Errorf("without statistics: %q", got)
	}
	sql(t, f, fmt.Sprintf(`insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, customer_email, expires_at, created_at, searchable)
		select '\x%s'::bytea, int4send(1700000000 + i) || '\x0000000000000000'::bytea, i, ''::bytea, 1, true, case when i = 0 then 'JO@' else 'ada.' || i || '@' end || 'example.com', now() + interval '1 year', now(), true
		from generate_series(0, 499) as i`, f.program))
	sql(t, f, "analyze gift_cards")
	if got := rarest(); !slices.Contains(got, "jo@") || !slices.Contains(got, "o@e") {
		t.Errorf("with statistics: %q, want the parts that only one card has", got)
	}
	page, err := f.ListCards(t.Context(), f.access, store.CardQuery{Programs: []id.ID{f.program}, Search: store.ParseSearch("jo@example.com"), Limit: 5})
	must(t, err)
	if len(page.Cards) != 1 || page.Cards[0].CardNumber != 0 {
		t.Errorf("found %v, want card 0", page.Cards)
	}
}

// TestAShortTextIsFoundPageByPage: a page looks at a limited number of cards, and all pages
// together have each card once.
func TestAShortTextIsFoundPageByPage(t *testing.T) {
	t.Parallel()
	f := setup(t)
	// Three times as many cards as a page looks at. The newest 30 and the oldest 20 have the text.
	sql(t, f, fmt.Sprintf(`insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, customer_name, expires_at, created_at)
		select '\x%s'::bytea, int4send(1700000000 + i) || '\x0000000000000000'::bytea, i, ''::bytea, 1, true, case when i < 20 or i >= %d - 30 then 'Zoë Q' else 'Else' end, now() + interval '1 year', now()
		from generate_series(0, %[2]d - 1) as i`, f.program, 3*store.ShortReach))
	var seen []int64
	var pages []int
	var after store.Cursor
	for more := true; more; {
		page, err := f.ListCards(t.Context(), f.access, store.CardQuery{Programs: []id.ID{f.program}, Search: store.ParseSearch("Q"), Limit: 20, After: after})
		must(t, err)
		for _, card := range page.Cards {
			seen = append(seen, card.CardNumber)
		}
		pages = append(pages, len(page.Cards))
		after, more = page.Next, page.Next != (store.Cursor{})
	}
	if len(seen) != 50 || !slices.IsSortedFunc(seen, func(a, b int64) int { return cmp.Compare(b, a) }) || len(slices.Compact(slices.Clone(seen))) != 50 {
		t.Errorf("%d cards, want 50, newest first and each once: %v", len(seen), seen)
	}
	if !slices.Contains(pages, 0) {
		t.Errorf("pages of %v cards: none ended without a card", pages)
	}
}

// TestNewCardsBecomeSearchable in the sweep, which leaves none of them out.
func TestNewCardsBecomeSearchable(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for i := range 5 {
		sql(t, f, fmt.Sprintf(`insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, customer_name, expires_at, created_at, searchable)
			values ('\x%s'::bytea, int4send(%d) || '\x0000000000000000'::bytea, %[2]d, ''::bytea, 1, true, 'A', now(), now(), false)`, f.program, i))
	}
	for _, want := range []int64{3, 2, 0} {
		made, err := store.Write(t.Context(), f.Store, func(tx *store.Tx) (int64, error) { return tx.MakeSearchable(t.Context(), 3) })
		must(t, err)
		if made != want {
			t.Errorf("%d cards became searchable, want %d", made, want)
		}
	}
}

// TestVersion010IssuesOnTheNewSchema: version 0.1.0 may run beside this version. Its statement
// names a constraint, which must exist. Card numbers are unique all the same.
func TestVersion010IssuesOnTheNewSchema(t *testing.T) {
	t.Parallel()
	f := setup(t)
	tag, err := f.Pool().Exec(t.Context(), `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at)
		values ($1, $2, 1, '\x', 1, false, now(), now()) on conflict on constraint gift_cards_card_number_key do nothing`, f.program, id.New(time.Now()))
	must(t, err)
	if tag.RowsAffected() != 1 {
		t.Error("no card was inserted")
	}
	_, err = f.Pool().Exec(t.Context(), `insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, expires_at, created_at)
		values ($1, $2, 1, '\x', 1, false, now(), now())`, f.program, id.New(time.Now()))
	if err == nil || !strings.Contains(err.Error(), "gift_cards_number_idx") {
		t.Errorf("a second card with the number: %v", err)
	}
}
