package store

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Search is what a card must have to be found. The zero Search finds every card.
type Search struct {
	kind   searchKind
	number int64  // the card's number, or its last four digits
	text   string // a part of the customer's name or e-mail address
}

type searchKind int

const (
	searchAll searchKind = iota
	searchNumber
	searchLastFour
	searchText
	searchNothing
)

// maxSearched is longer, in characters, than a name or an e-mail address can be.
const maxSearched = 1000

// ParseSearch reads what a user typed. 16 digits, perhaps with spaces and hyphens, are a card's
// number. 4 digits are the last ones of a number. Everything else is a part of the customer's
// name or e-mail address, in capital or small letters. Space around it does not count. A blank
// text finds every card.
func ParseSearch(typed string) Search {
	typed = strings.TrimSpace(typed)
	number, isNumber := ParseNumber(typed)
	switch {
	case typed == "":
		return Search{}
	case isNumber:
		return Search{kind: searchNumber, number: number}
	case len(typed) == 4 && strings.Trim(typed, "0123456789") == "":
		number = 0
		for _, digit := range typed {
			number = number*10 + int64(digit-'0')
		}
		return Search{kind: searchLastFour, number: number}
	case strings.Contains(typed, "\x00") || utf8.RuneCountInString(typed) > maxSearched: // no card has this
		return Search{kind: searchNothing}
	}
	return Search{kind: searchText, text: typed}
}

// minGrams is the length of the parts that search_grams cuts a text into. A shorter text is
// no such part, and so the index cannot find it.
const minGrams = 3

// isShort reports whether no index finds the text.
func (f Search) isShort() bool {
	return f.kind == searchText && utf8.RuneCountInString(f.text) < minGrams
}

// numberOrderSQL is what gift_cards_number_idx has of a card's number: the last four digits
// first, so that the index also finds cards by these. numberOrder is the same in Go.
const numberOrderSQL = "card_number % 10000 * 1000000000000 + card_number / 10000"

func numberOrder(number int64) int64 { return number%10_000*1_000_000_000_000 + number/10_000 }

// condition demands the text of a card g. The number of a card is demanded by indexes.
func (f Search) condition(s *statement) string {
	if f.kind != searchText {
		return ""
	}
	part := s.arg(f.text)
	return fmt.Sprintf(" and (strpos(lower(g.customer_email), lower(%[1]s)) > 0 or strpos(lower(g.customer_name), lower(%[1]s)) > 0)", part)
}

// indexes are conditions on a card g that have an index each. The cards that are searched for
// are among those that one of them finds.
func (f Search) indexes(s *statement) []string {
	switch f.kind {
	case searchNumber:
		return []string{numberOrderSQL + " = " + s.arg(numberOrder(f.number))}
	case searchLastFour:
		first := numberOrder(f.number)
		return []string{numberOrderSQL + " between " + s.arg(first) + " and " + s.arg(first+999_999_999_999)}
	case searchText:
		return []string{
			"g.searchable and (g.customer_email is not null or g.customer_name is not null) and " +
				"search_grams(lower(coalesce(g.customer_email, '') || E'\\n' || coalesce(g.customer_name, ''))) @> rarest_grams(lower(" + s.arg(f.text) + "))",
			"not g.searchable",
		}
	}
	return nil
}
