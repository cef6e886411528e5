package store

import (
	"fmt"
	"slices"
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
	columnOf("searchable", "boolean", func(c *GiftCard) bool {
		return c.CustomerEmail == nil && c.CustomerName == nil && c.CustomerPhone == nil
	}),
}

// cardColumnNames are the names of cardColumns, for the lists of a statement.
var cardColumnNames = strings.Join(names(cardColumns), ", ")

// cardField is a column of gift_cards, and the field of a card that it is read into.
type cardField struct {
	name   string
	hidden bool // no answer has it, so that lists do not read it
	target func(*GiftCard) any
}

// cardFields are all columns of gift_cards. They have names in statements, because a newer
// schema, beside which this program may run, may have more.
var cardFields = []cardField{
	{"program_id", false, func(c *GiftCard) any { return &c.ProgramID }},
	{"id", false, func(c *GiftCard) any { return &c.ID }},
	{"card_number", false, func(c *GiftCard) any { return &c.CardNumber }},
	{"sealed_code", true, func(c *GiftCard) any { return &c.SealedCode }},
	{"status", false, func(c *GiftCard) any { return &c.Status }},
	{"balance", false, func(c *GiftCard) any { return &c.Balance }},
	{"initial_value", false, func(c *GiftCard) any { return &c.InitialValue }},
	{"is_physical", false, func(c *GiftCard) any { return &c.IsPhysical }},
	{"design_template", false, func(c *GiftCard) any { return &c.DesignTemplate }},
	{"customer_email", false, func(c *GiftCard) any { return &c.CustomerEmail }},
	{"customer_phone", false, func(c *GiftCard) any { return &c.CustomerPhone }},
	{"customer_name", false, func(c *GiftCard) any { return &c.CustomerName }},
	{"sender_name", false, func(c *GiftCard) any { return &c.SenderName }},
	{"custom_message", false, func(c *GiftCard) any { return &c.CustomMessage }},
	{"deliver_at", false, func(c *GiftCard) any { return &c.DeliverAt }},
	{"delivered", false, func(c *GiftCard) any { return &c.Delivered }},
	{"expires_at", false, func(c *GiftCard) any { return &c.ExpiresAt }},
	{"created_at", false, func(c *GiftCard) any { return &c.CreatedAt }},
	{"updated_at", false, func(c *GiftCard) any { return &c.UpdatedAt }},
	{"activated_at", false, func(c *GiftCard) any { return &c.ActivatedAt }},
	{"suspended_at", false, func(c *GiftCard) any { return &c.SuspendedAt }},
	{"suspended_until", false, func(c *GiftCard) any { return &c.SuspendedUntil }},
	{"suspended_reason", false, func(c *GiftCard) any { return &c.SuspendedReason }},
	{"last_entry_id", true, func(c *GiftCard) any { return &c.LastEntryID }},
	{"searchable", true, func(c *GiftCard) any { return &c.Searchable }},
}

// shownFields are the columns of a card that answers have.
var shownFields = slices.DeleteFunc(slices.Clone(cardFields), func(f cardField) bool { return f.hidden })

// columnsOf are the columns of the fields, of the table alias.
func columnsOf(alias string, fields []cardField) string {
	return strings.Join(each(fields, func(f cardField) string { return alias + "." + f.name }), ", ")
}

// collectCards reads rows of columnsOf the fields, at most that many. It writes to fixed places, because finding
// the field of each column by reflection costs more than the rest.
func collectCards(rows pgx.Rows, fields []cardField, most int) ([]GiftCard, error) {
	cards := make([]GiftCard, 0, most)
	var card GiftCard
	targets := each(fields, func(f cardField) any { return f.target(&card) })
	_, err := pgx.ForEachRow(rows, targets, func() error {
		cards = append(cards, card)
		return nil
	})
	return cards, err
}

// insertCardSQL inserts no row if the card's number is taken. It waits for a concurrent
// insert of the same number to end.
var insertCardSQL = fmt.Sprintf(`insert into gift_cards (%s) values (%s)
on conflict ((%s)) do nothing`, cardColumnNames, parameters(cardColumns, 1, oneRow), numberOrderSQL)

// column is one column of a statement that writes rows.
type column[Row any] struct {
	name, sqlType string
	value         func(Row) any   // of one row
	array         func([]Row) any // of many rows, as a slice
	// copied appends the value of one row as COPY has it.
	copied func([]byte, Row) ([]byte, error)
}

func columnOf[Row, Value any](name, sqlType string, value func(Row) Value) column[Row] {
	return column[Row]{
		name: name, sqlType: sqlType,
		value: func(row Row) any { return value(row) },
		// A slice of the value's own type, because pgx encodes nulls in it.
		array:  func(rows []Row) any { return each(rows, value) },
		copied: func(b []byte, row Row) ([]byte, error) { return appendCopied(b, value(row)) },
	}
}

func names[Row any](columns []column[Row]) []string {
	return each(columns, func(c column[Row]) string { return c.name })
}

// parameters are the parameters of a statement for the columns, numbered from first on,
// each cast to the type of its column, or to arrays of it.
func parameters[Row any](columns []column[Row], first int, f form) string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = fmt.Sprintf("$%d::%s%s", first+i, c.sqlType, f)
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

// form is that of a statement's rows: oneRow is given as parameters, manyRows as arrays, of
// which PostgreSQL reads a row in more than twice the time.
type form string

const (
	oneRow   form = ""
	manyRows form = "[]"
)

// formOf returns oneRow if each of the numbers is 1.
func formOf(numbers ...int) form {
	if slices.ContainsFunc(numbers, func(n int) bool { return n != 1 }) {
		return manyRows
	}
	return oneRow
}

// inForms builds a statement in both forms.
func inForms(build func(form) string) map[form]string {
	return map[form]string{oneRow: build(oneRow), manyRows: build(manyRows)}
}

// source is what a statement reads rows from. Its parameters are numbered from first on.
func source[Row any](columns []column[Row], first int, f form) string {
	return f.source(parameters(columns, first, f))
}

func (f form) source(parameters string) string {
	if f == oneRow {
		return "(values (" + parameters + "))"
	}
	return "unnest(" + parameters + ")"
}

// arguments are those of a source.
func arguments[Row any](columns []column[Row], rows []Row, f form) []any {
	if f == oneRow {
		return values(columns, rows[0])
	}
	return arrays(columns, rows)
}

// each returns what f returns for each row, in the order of the rows.
func each[Row, Value any](rows []Row, f func(Row) Value) []Value {
	all := make([]Value, len(rows))
	for i, row := range rows {
		all[i] = f(row)
	}
	return all
}
