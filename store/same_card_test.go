package store_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/text"
)

// rows are a card and its messages by channel, each as the JSON of its row.
type rows struct {
	card     map[string]any
	messages map[string]map[string]any
}

// cardExpiry differs from the default.
var cardExpiry = time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)

// TestACardIsTheSameHoweverItIsIssued: alone, in a shared transaction, by a bulk request at once,
// by a task, and within a daily limit. Each way has its own statement, and none may forget a
// column.
func TestACardIsTheSameHoweverItIsIssued(t *testing.T) {
	t.Parallel()
	f := sharing(t)
	ways := f.issueInEveryWay(t)
	alone := ways["alone"]
	for column, want := range map[string]any{
		"is_physical": true, "design_template": "birthday", "initial_value": 12.345,
		"customer_email": "ada@example.com", "customer_phone": "+4930123456", "customer_name": "Ada", "sender_name": "Ben", "custom_message": "For you",
	} {
		if alone.card[column] != want {
			t.Errorf("alone: gift_cards.%s is %v, want %v", column, alone.card[column], want)
		}
	}
	if at, err := time.Parse(time.RFC3339, alone.card["expires_at"].(string)); err != nil || !at.Equal(cardExpiry) {
		t.Errorf("alone: gift_cards.expires_at is %v, want %s", alone.card["expires_at"], cardExpiry)
	}
	for way, got := range ways {
		wantSameRow(t, way, "gift_cards", got.card, alone.card)
		if len(got.messages) != 2 {
			t.Errorf("%s: %d messages, want one by e-mail and one by SMS", way, len(got.messages))
		}
		for channel, message := range got.messages {
			// Only a task's messages are in the bulk lane, which gives way to the other lane.
			if message["bulk"] != (way == "by a task") {
				t.Errorf("%s: messages.bulk (%s) is %v", way, channel, message["bulk"])
			}
			delete(message, "bulk")
			wantSameRow(t, way, "messages ("+channel+")", message, alone.messages[channel])
		}
	}
}

// wantSameRow fails for each column in which two rows differ, except "bulk".
func wantSameRow(t *testing.T, way, table string, got, want map[string]any) {
	t.Helper()
	columns := maps.Clone(want)
	maps.Copy(columns, got)
	delete(columns, "bulk")
	for _, column := range slices.Sorted(maps.Keys(columns)) {
		if got[column] != want[column] {
			t.Errorf("%s: %s.%s is %v, and %v for a card that is created alone", way, table, column, got[column], want[column])
		}
	}
}

// issueInEveryWay issues one card with every field set in each way.
func (f fixture) issueInEveryWay(t *testing.T) map[string]rows {
	t.Helper()
	design, expiresAt := text.Clean("birthday"), cardExpiry
	terms := f.terms(t)
	terms.IsPhysical, terms.DesignTemplate, terms.ExpiresAt = true, &design, &expiresAt
	email, phone := "ada@example.com", "+4930123456"
	name, sender, message := text.Clean("Ada"), text.Clean("Ben"), text.Clean("For you")
	recipient := store.Recipient{Email: &email, Phone: &phone, Name: &name, Sender: &sender, Message: &message}
	create := func() created {
		answer, err := f.CreateCard(t.Context(), f.access, terms, recipient, nil, store.AuditEntry{Operation: "createGiftCard"},
			func(card *store.GiftCard) (store.Answer, error) {
				return store.Answer{Status: 201, Body: card.ID[:]}, nil
			})
		return created{answer, err}
	}
	ways := map[string]rows{}
	found := func(way string, card id.ID) { ways[way] = f.rowsOf(t, card) }
	of := func(c created) id.ID {
		must(t, c.err)
		return id.ID(c.answer.Body)
	}

	found("alone", of(create()))
	for _, c := range f.together(t, nil, create, create, create) {
		found("with others in one transaction", of(c))
	}
	found("by a bulk request at once", write(t, f.Store, func(tx *store.Tx) ([]store.GiftCard, error) {
		return tx.IssueCards(t.Context(), terms, []store.Recipient{recipient})
	})[0].ID)
	task := write(t, f.Store, func(tx *store.Tx) (store.Task, error) {
		return tx.AddTask(t.Context(), store.Access{}, terms, 1, []store.Recipient{recipient})
	})
	commit(t, f.Store, func(tx *store.Tx) error {
		return tx.IssueTask(t.Context(), task.ProgramID, task.ID, func(int) {})
	})
	found("by a task", task.FirstCardID)
	f.limit(t, f.program, 1, "")
	found("within a daily limit", of(create()))
	return ways
}

// rowsOf returns the rows of a card without the columns that differ between cards: ids,
// number, code, and the times that depend on when it was issued.
func (f fixture) rowsOf(t *testing.T, card id.ID) rows {
	t.Helper()
	query := func(ctx context.Context, sql string) []map[string]any {
		found, err := f.Pool().Query(ctx, sql, card)
		must(t, err)
		texts, err := pgx.CollectRows(found, pgx.RowTo[string])
		must(t, err)
		all := make([]map[string]any, len(texts))
		for i, text := range texts {
			must(t, json.Unmarshal([]byte(text), &all[i]))
		}
		return all
	}
	cards := query(t.Context(), `select (to_jsonb(c) - '{id,card_number,sealed_code,created_at}'::text[])::text from gift_cards c where id = $1`)
	if len(cards) != 1 {
		t.Fatalf("%d rows of card %s", len(cards), card)
	}
	messages := map[string]map[string]any{}
	for _, m := range query(t.Context(), `select (to_jsonb(m) - '{card_id,send_at,next_attempt_at,created_at}'::text[])::text from messages m where card_id = $1`) {
		messages[m["channel"].(string)] = m
	}
	return rows{card: cards[0], messages: messages}
}
