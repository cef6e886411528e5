package store_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"giftcards/store/storetest"
)

// keysWithoutProgram has the reason of each unique key that does not begin with the program. A
// distributed PostgreSQL keeps a program's rows together on a node, and cannot guarantee that such
// a key is unique.
var keysWithoutProgram = map[string]string{
	"merchants_pkey":            "a merchant is above programs",
	"programs_pkey":             "it is the program's own id",
	"users_pkey":                "a user works on all programs of a merchant",
	"users_email_key":           "a login names an address and nothing else",
	"known_logins_pkey":         "a login is for all programs of a merchant",
	"revoked_tokens_pkey":       "a token is for all programs of a merchant",
	"gift_cards_number_idx":     "a till knows nothing of a card but its number",
	"code_failures_pkey":        "a number may be nobody's, so it has no program",
	"message_origins_pkey":      "one row for the whole database",
	"key_checks_pkey":           "one row for the whole database",
	"worlds_pkey":               "a world is above programs; only a sandbox has any",
	"installation_pkey":         "one row for the whole database",
	"key_uses_pkey":             "a key seals codes of all programs",
	"issuing_limits_pkey":       "a limit is a program's, or a user's in all programs",
	"issued_totals_pkey":        "as the limits",
	"reseals_pkey":              "one row for the whole database",
	"schema_compatibility_pkey": "a row for each schema of the whole database",
}

// toolsTables are the prefixes of tables that belong to goose and River. They hold no cards,
// so they can stay on one node.
var toolsTables = []string{"goose_", "river_"}

func TestEveryUniqueKeyBeginsWithTheProgramOrHasAReason(t *testing.T) {
	t.Parallel()
	db, err := pgx.Connect(t.Context(), storetest.URL(t))
	must(t, err)
	defer db.Close(t.Context())
	rows, err := db.Query(t.Context(), `
		select i.relname, t.relname, a.attname
		from pg_index x
		join pg_class i on i.oid = x.indexrelid
		join pg_class t on t.oid = x.indrelid
		join pg_attribute a on a.attrelid = x.indexrelid and a.attnum = 1
		where x.indisunique and t.relnamespace = current_schema()::regnamespace`)
	must(t, err)
	var key, table, first string
	seen := map[string]bool{}
	_, err = pgx.ForEachRow(rows, []any{&key, &table, &first}, func() error {
		for _, prefix := range toolsTables {
			if strings.HasPrefix(table, prefix) {
				return nil
			}
		}
		seen[key] = true
		switch reason := keysWithoutProgram[key]; {
		case first == "program_id" && reason != "":
			t.Errorf("%s begins with the program: it needs no reason any more", key)
		case first != "program_id" && reason == "":
			t.Errorf("%s of %s begins with %s, not with program_id, and no reason is given", key, table, first)
		}
		return nil
	})
	must(t, err)
	for key := range keysWithoutProgram {
		if !seen[key] {
			t.Errorf("%s is gone", key)
		}
	}
}
