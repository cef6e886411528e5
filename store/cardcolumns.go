package store

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// cardColumns are the columns that are written when a card is issued, whichever way it is
// issued. The others have their defaults. A new column of a card is one line here.
var cardColumns = []column[*GiftCard]{
	columnOf("program_id", "bytea", func(c *GiftCard) id.ID { return c.ProgramID }),
	columnOf("id", "bytea", func(c *GiftCard) id.ID { return c.ID }),
	columnOf("card_number", "bigint", func(c *GiftCard) int64 { return c.CardNumber }),
	columnOf("sealed_code", "bytea", func(c *GiftCard) []byte { return c.SealedCode }),
	columnOf("initial_value", "numeric", func(c *GiftCard) money.Amount { return c.InitialValue }),
	columnOf("is_physical", "boolean", func(c *GiftCard) bool { return c.IsPhysical }),
	columnOf("design_template", "text", func(c *GiftCard) *string { return c.DesignTemplate }),
	columnOf("customer_email", "text", func(c *GiftCard) *string { return c.CustomerEmail }),
	columnOf("customer_phone", "text", func(c *GiftCard) *string { return c.CustomerPhone }),
	columnOf("customer_name", "text", func(c *GiftCard) *string { return c.CustomerName }),
	columnOf("sender_name", "text", func(c *GiftCard) *string { return c.SenderName }),
	columnOf("custom_message", "text", func(c *GiftCard) *string { return c.CustomMessage }),
	columnOf("deliver_at", "timestamptz", func(c *GiftCard) *time.Time { return c.DeliverAt }),
	columnOf("expires_at", "timestamptz", func(c *GiftCard) time.Time { return c.ExpiresAt }),
	columnOf("created_at", "timestamptz", func(c *GiftCard) time.Time { return c.CreatedAt }),
	// Cards with texts become searchable later, because that costs more than issuing them.
	columnOf("searchable", "boolean", func(c *GiftCard) bool { return c.CustomerEmail == nil && c.CustomerName == nil }),
}

// cardColumnNames are the names of cardColumns, for the lists of a statement.
var cardColumnNames = strings.Join(names(cardColumns), ", ")

// allColumns lists the columns of a card from the table alias, in the order of GiftCard's
// fields. It is not "*", because a newer schema, on which this program may run, may have more.
func allColumns(alias string) string {
	card := reflect.TypeFor[GiftCard]()
	columns := make([]string, card.NumField())
	for i := range columns {
		columns[i] = alias + "." + strings.ToLower(wordEnd.ReplaceAllString(card.Field(i).Name, "${1}_${2}"))
	}
	return strings.Join(columns, ", ")
}

var wordEnd = regexp.MustCompile("([a-z])([A-Z])")

// collectCards reads rows of allColumns.
func collectCards(rows pgx.Rows) ([]GiftCard, error) {
	return pgx.CollectRows(rows, pgx.RowToStructByName[GiftCard])
}

// insertCardSQL inserts no row if the card's number is taken. It waits for a concurrent
// insert of the same number to end.
var insertCardSQL = fmt.Sprintf(`insert into gift_cards (%s) values (%s)
on conflict ((%s)) do nothing`, cardColumnNames, parameters(cardColumns, 1, ""), numberOrderSQL)

// column is one column of a statement that writes rows.
type column[Row any] struct {
	name, sqlType string
	value         func(Row) any   // of one row
	array         func([]Row) any // of many rows, as a slice
}

func columnOf[Row, Value any](name, sqlType string, value func(Row) Value) column[Row] {
	return column[Row]{
		name: name, sqlType: sqlType,
		value: func(row Row) any { return value(row) },
		// A slice of the value's own type, because pgx encodes nulls in it.
		array: func(rows []Row) any { return each(rows, value) },
	}
}

func names[Row any](columns []column[Row]) []string {
	return each(columns, func(c column[Row]) string { return c.name })
}

// parameters are the parameters of a statement for the columns, numbered from first on,
// each cast to the type of its column and the suffix: "[]" for arrays.
func parameters[Row any](columns []column[Row], first int, suffix string) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = fmt.Sprintf("$%d::%s%s", first+i, c.sqlType, suffix)
	}
	return strings.Join(all, ", ")
}

// values are the arguments of a statement for one row.
func values[Row any](columns []column[Row], row Row) []any {
	return each(columns, func(c column[Row]) any { return c.value(row) })
}

// arrays are the arguments of a statement for many rows.
func arrays[Row any](columns []column[Row], rows []Row) []any {
	return each(columns, func(c column[Row]) any { return c.array(rows) })
}

// each returns what f returns for each row, in the order of the rows.
func each[Row, Value any](rows []Row, f func(Row) Value) []Value {
	all := make([]Value, len(rows))
	for i, row := range rows {
		all[i] = f(row)
	}
	return all
}
