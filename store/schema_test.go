package store_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store/storetest"
)

var update = flag.Bool("update", false, "write docs/schema.md instead of comparing it")

// schemaPage is made from the catalogue of a migrated database.
const schemaPage = "../docs/schema.md"

const schemaPageHead = `# The schema

Every table and column, in the order in which the [migrations](../store/migrations) make them. The texts are the comments in
the database's own catalogue, so ` + "`\\d+`" + ` in psql shows them too. ` + "`make schema`" + ` writes this page; do not edit it.

The tables are not an interface: only this program may write them. River's tables (` + "`river_…`" + `), which hold the jobs, and
goose's table of applied migrations are described by those projects.
`

// tableOfCatalogue is one of our tables, with its columns in order.
type tableOfCatalogue struct {
	name, comment, primaryKey string
	columns                   []columnOfCatalogue
}

type columnOfCatalogue struct{ name, kind, comment string }

// catalogue reads our tables in the order in which the migrations make them.
func catalogue(t *testing.T) []tableOfCatalogue {
	t.Helper()
	db, err := pgx.Connect(t.Context(), storetest.URL(t))
	must(t, err)
	defer db.Close(t.Context())
	rows, err := db.Query(t.Context(), `
		select c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''),
			coalesce((select pg_get_constraintdef(p.oid) from pg_constraint p where p.conrelid = c.oid and p.contype = 'p'), ''),
			a.attname, format_type(a.atttypid, a.atttypmod) || case when a.attnotnull then '' else ', or null' end,
			coalesce(col_description(c.oid, a.attnum), '')
		from pg_class c join pg_attribute a on a.attrelid = c.oid
		where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
		order by c.oid, a.attnum`)
	must(t, err)
	var tables []tableOfCatalogue
	var table tableOfCatalogue
	var column columnOfCatalogue
	_, err = pgx.ForEachRow(rows, []any{&table.name, &table.comment, &table.primaryKey, &column.name, &column.kind, &column.comment}, func() error {
		for _, prefix := range toolsTables {
			if strings.HasPrefix(table.name, prefix) {
				return nil
			}
		}
		if len(tables) == 0 || tables[len(tables)-1].name != table.name {
			tables = append(tables, table)
		}
		last := &tables[len(tables)-1]
		last.columns = append(last.columns, column)
		return nil
	})
	must(t, err)
	return tables
}

// TestEveryTableAndColumnHasAComment of one line that ends with a full stop.
func TestEveryTableAndColumnHasAComment(t *testing.T) {
	t.Parallel()
	check := func(name, comment string) {
		if comment == "" || strings.ContainsAny(comment, "\n|") || !strings.HasSuffix(comment, ".") {
			t.Errorf("the comment on %s is %q, want one line that ends with a full stop", name, comment)
		}
	}
	tables := catalogue(t)
	if len(tables) == 0 {
		t.Fatal("the catalogue has no tables")
	}
	for _, table := range tables {
		check(table.name, table.comment)
		for _, column := range table.columns {
			check(table.name+"."+column.name, column.comment)
		}
	}
}

// TestTheSchemaPageIsCurrent compares the page with the catalogue. With -update it writes the page.
func TestTheSchemaPageIsCurrent(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	page.WriteString(schemaPageHead)
	for _, table := range catalogue(t) {
		fmt.Fprintf(&page, "\n## %s\n\n%s", table.name, table.comment)
		if columns, found := strings.CutPrefix(table.primaryKey, "PRIMARY KEY "); found {
			fmt.Fprintf(&page, " Primary key: `%s`.", columns)
		}
		page.WriteString("\n\n| column | type | |\n|---|---|---|\n")
		for _, column := range table.columns {
			fmt.Fprintf(&page, "| %s | %s | %s |\n", column.name, column.kind, column.comment)
		}
	}
	if *update {
		must(t, os.WriteFile(schemaPage, []byte(page.String()), 0o644))
		return
	}
	written, err := os.ReadFile(schemaPage)
	must(t, err)
	got, want := strings.Split(string(written), "\n"), strings.Split(page.String(), "\n")
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("docs/schema.md is not current from line %d on: run make schema", i+1)
		}
	}
}
