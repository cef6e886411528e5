package store_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
)

// TestEveryColumnOfACardIsReadIntoItsField, and none is missing.
func TestEveryColumnOfACardIsReadIntoItsField(t *testing.T) {
	t.Parallel()
	f := setup(t)
	rows, err := f.Pool().Query(t.Context(), "select attname::text from pg_attribute where attrelid = 'gift_cards'::regclass and attnum > 0 and not attisdropped order by attnum")
	must(t, err)
	columns, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	if names := store.CardFieldNames(); !slices.Equal(names, columns) {
		t.Errorf("columns %v, want %v", names, columns)
	}
	var card store.GiftCard
	for i, target := range store.CardTargets(&card) {
		if field := reflect.ValueOf(&card).Elem().Field(i).Addr().Interface(); field != target {
			t.Errorf("column %s is read into another field than %s", columns[i], reflect.TypeFor[store.GiftCard]().Field(i).Name)
		}
	}
}
