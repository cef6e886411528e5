package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// This file has the statements that lock cards and write what their methods did. Move uses them
// for many callers at a time, LockCards and SaveCards for one transaction.

// newCard returns a locked row as a card at the time of its transaction.
func newCard(row GiftCard, m moment) *Card { return &Card{GiftCard: row, at: m.of(&row)} }

// LockCards locks cards of a program until the transaction ends, in the order of their ids,
// and returns them in the order asked for: nil for one that does not exist. It fails with
// ErrCardBusy if another transaction holds one of them for longer than lockWait, and with a
// Refused error if the time of the transaction was given by At and one of the cards has seen
// a later one.
func (tx *Tx) LockCards(ctx context.Context, program id.ID, ids ...id.ID) ([]*Card, error) {
	// The limit comes first, because it bounds the wait of the statement below.
	if err := tx.limitLockWait(ctx); err != nil {
		return nil, err
	}
	wanted := each(ids, func(card id.ID) cardKey { return cardKey{program, card} })
	f := formOf(len(wanted))
	rows, err := tx.tx.Query(ctx, lockCardsSQL[f], arguments(cardKeyColumns, wanted, f)...)
	if err != nil {
		return nil, busy(fmt.Errorf("lock cards: %w", err))
	}
	found, err := collectCards(rows, cardFields, len(wanted))
	if err != nil {
		return nil, busy(fmt.Errorf("lock cards: %w", err))
	}
	locked := map[id.ID]*Card{}
	for _, row := range found {
		if err := tx.allows(&row); err != nil {
			return nil, err
		}
		locked[row.ID] = newCard(row, tx.moment)
	}
	return each(ids, func(card id.ID) *Card { return locked[card] }), nil
}

// limitLockWait sets cardSettingsSQL for the later statements of the transaction.
func (tx *Tx) limitLockWait(ctx context.Context) error {
	_, err := tx.tx.Exec(ctx, cardSettingsSQL, fmt.Sprint(lockWait.Milliseconds()))
	return wrap(err, "limit the wait for locks")
}

// cardSettingsSQL makes every later statement of a transaction wait for a lock for so many
// milliseconds at most. It also makes PostgreSQL plan each statement once, and by an index:
// planning some of them in each transaction took longer than carrying them out, and a plan that
// was made while a table was small would read all of it.
const cardSettingsSQL = `select set_config(s.name, s.value, true) from (values ('lock_timeout', $1::text),
    ('plan_cache_mode', 'force_generic_plan'), ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off')) as s (name, value)`

// LockCard is LockCards for one card. It fails with ErrCardNotFound.
func (tx *Tx) LockCard(ctx context.Context, program, card id.ID) (*Card, error) {
	cards, err := tx.LockCards(ctx, program, card)
	if err != nil {
		return nil, err
	}
	if cards[0] == nil {
		return nil, ErrCardNotFound
	}
	return cards[0], nil
}

// SaveCards writes what the methods of the cards did: the rows, and their new entries in the
// ledger. It drops the scheduled messages of the cards that were voided.
func (tx *Tx) SaveCards(ctx context.Context, cards ...*Card) error {
	batch := &pgx.Batch{}
	queueCards(batch, &tx.tally, &tx.store.receipts, tx.clock, cards)
	if batch.Len() == 0 {
		return nil
	}
	if err := tx.tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("save cards: %w", err)
	}
	for _, card := range cards {
		card.entries, card.changed = nil, false
	}
	return nil
}

// queueCards adds the statements that write the changed cards and queue their receipts to a
// batch, and counts the new entries. The entries come first, because the trigger on gift_cards
// looks for them.
func queueCards(batch *pgx.Batch, counted *tally, receipts *receiptPrograms, clock time.Time, cards []*Card) {
	var changed, voided []*Card
	var entries []Entry
	for _, card := range cards {
		if !card.changed {
			continue
		}
		changed = append(changed, card)
		entries = append(entries, card.entries...)
		if card.Status == CardVoided { // this change has voided it, because a voided card refuses changes
			voided = append(voided, card)
		}
	}
	for i := range entries {
		counted.posted(&entries[i])
	}
	if len(changed) > 0 {
		f := formOf(len(entries), len(changed))
		batch.Queue(updateCardsSQL[f], append(arguments(entryColumns, entries, f), arguments(changingColumns, changed, f)...)...)
	}
	receipts.queue(batch, clock, changed)
	if len(voided) > 0 {
		batch.Queue(dropMessagesOfVoidedSQL, arrays(voidedColumns, voided)...)
	}
}

// lockCardsSQL returns the rows that exist. It locks them in the order of the primary key, so
// that two transactions cannot deadlock.
var lockCardsSQL = inForms(func(f form) string {
	return fmt.Sprintf(`select %s from %s as wanted (program_id, id)
join gift_cards c on c.program_id = wanted.program_id and c.id = wanted.id
order by c.program_id, c.id for no key update of c`, columnsOf("c", cardFields), source(cardKeyColumns, 1, f))
})

var cardKeyColumns = []column[cardKey]{
	columnOf("program_id", "bytea", func(k cardKey) id.ID { return k.program }),
	columnOf("id", "bytea", func(k cardKey) id.ID { return k.card }),
}

// changingColumns are the columns of a card that may change after it was issued, after the
// two of its primary key.
var changingColumns = []column[*Card]{
	columnOf("program_id", "bytea", func(c *Card) id.ID { return c.ProgramID }),
	columnOf("id", "bytea", func(c *Card) id.ID { return c.ID }),
	columnOf("status", "text", func(c *Card) string { return c.Status }),
	columnOf("balance", "numeric", func(c *Card) money.Amount { return c.Balance }),
	columnOf("last_entry_id", "bytea", func(c *Card) []byte { return nullable(c.LastEntryID) }),
	columnOf("sealed_code", "bytea", func(c *Card) []byte { return c.SealedCode }),
	columnOf("customer_email", "text", func(c *Card) *string { return c.CustomerEmail }),
	columnOf("customer_phone", "text", func(c *Card) *string { return c.CustomerPhone }),
	columnOf("customer_name", "text", func(c *Card) *string { return c.CustomerName }),
	columnOf("deliver_at", "timestamptz", func(c *Card) *time.Time { return c.DeliverAt }),
	columnOf("delivered", "boolean", func(c *Card) bool { return c.Delivered }),
	columnOf("expires_at", "timestamptz", func(c *Card) time.Time { return c.ExpiresAt }),
	columnOf("activated_at", "timestamptz", func(c *Card) *time.Time { return c.ActivatedAt }),
	columnOf("suspended_at", "timestamptz", func(c *Card) *time.Time { return c.SuspendedAt }),
	columnOf("suspended_until", "timestamptz", func(c *Card) *time.Time { return c.SuspendedUntil }),
	columnOf("suspended_reason", "text", func(c *Card) *string { return c.SuspendedReason }),
	columnOf("updated_at", "timestamptz", func(c *Card) *time.Time { return c.UpdatedAt }),
	columnOf("searchable", "boolean", func(*Card) bool { return true }),
}

// entryColumns are all columns of ledger_entries.
var entryColumns = []column[Entry]{
	columnOf("program_id", "bytea", func(e Entry) id.ID { return e.ProgramID }),
	columnOf("card_id", "bytea", func(e Entry) id.ID { return e.CardID }),
	columnOf("id", "bytea", func(e Entry) id.ID { return e.ID }),
	columnOf("type", "text", func(e Entry) string { return e.Type }),
	columnOf("amount", "numeric", func(e Entry) money.Amount { return e.Amount }),
	columnOf("balance_before", "numeric", func(e Entry) money.Amount { return e.BalanceBefore }),
	columnOf("balance_after", "numeric", func(e Entry) money.Amount { return e.BalanceAfter }),
	columnOf("reference_id", "text", func(e Entry) *string { return e.ReferenceID }),
	columnOf("description", "text", func(e Entry) *string { return e.Description }),
	columnOf("pos_transaction_id", "text", func(e Entry) *string { return e.PosTransactionID }),
	columnOf("cashier_id", "text", func(e Entry) *string { return e.CashierID }),
	columnOf("terminal_id", "text", func(e Entry) *string { return e.TerminalID }),
	columnOf("created_at", "timestamptz", func(e Entry) time.Time { return e.CreatedAt }),
}

// updateCardsSQL writes entries, and the cards that they belong to. The trigger that compares
// the two runs after the whole statement.
var updateCardsSQL = inForms(func(f form) string {
	changing := names(changingColumns)[2:]
	return fmt.Sprintf(`with entry as (%s)
update gift_cards c set (%s) = (new.%s) from %s as new (%s) where c.program_id = new.program_id and c.id = new.id`,
		insertSQL("ledger_entries", entryColumns, 1, f),
		strings.Join(changing, ", "), strings.Join(changing, ", new."),
		source(changingColumns, len(entryColumns)+1, f), strings.Join(names(changingColumns), ", "))
})

// auditColumns are all columns of audit_log.
var auditColumns = []column[AuditEntry]{
	columnOf("at", "timestamptz", func(e AuditEntry) time.Time { return e.At }),
	columnOf("operation", "text", func(e AuditEntry) string { return e.Operation }),
	columnOf("user_id", "bytea", func(e AuditEntry) []byte { return nullable(e.UserID) }),
	columnOf("merchant_id", "bytea", func(e AuditEntry) []byte { return nullable(e.MerchantID) }),
	columnOf("program_id", "bytea", func(e AuditEntry) []byte { return nullable(e.ProgramID) }),
	columnOf("subject", "bytea", func(e AuditEntry) []byte { return e.Subject }),
	columnOf("cards", "integer", func(e AuditEntry) int32 { return e.Cards }),
	columnOf("client", "text", func(e AuditEntry) string { return e.Client }),
	columnOf("request_id", "text", func(e AuditEntry) *string { return e.RequestID }),
	columnOf("client_request_id", "text", func(e AuditEntry) *string { return e.ClientRequestID }),
}

// keyColumns are the primary key of idempotency_keys.
var keyColumns = []column[*IdempotencyKey]{
	columnOf("program_id", "bytea", func(k *IdempotencyKey) id.ID { return k.ProgramID }),
	columnOf("operation", "text", func(k *IdempotencyKey) string { return k.Operation }),
	columnOf("key", "text", func(k *IdempotencyKey) string { return k.Key }),
	columnOf("subject", "bytea", func(k *IdempotencyKey) []byte { return k.subject() }),
}

var findKeysSQL = inForms(func(f form) string {
	return fmt.Sprintf(`select k.program_id, k.operation, k.key, k.subject, k.request_hash, k.status, k.answer
from %s as wanted (%s) join idempotency_keys k
on k.program_id = wanted.program_id and k.operation = wanted.operation and k.key = wanted.key and k.subject = wanted.subject`,
		source(keyColumns, 1, f), strings.Join(names(keyColumns), ", "))
})

// answerColumns are all columns of idempotency_keys.
var answerColumns = []column[keptAnswer]{
	columnOf("program_id", "bytea", func(k keptAnswer) id.ID { return k.ProgramID }),
	columnOf("operation", "text", func(k keptAnswer) string { return k.Operation }),
	columnOf("key", "text", func(k keptAnswer) string { return k.Key }),
	columnOf("subject", "bytea", func(k keptAnswer) []byte { return k.subject() }),
	columnOf("request_hash", "bytea", func(k keptAnswer) []byte { return k.RequestHash[:] }),
	columnOf("status", "smallint", func(k keptAnswer) int16 { return int16(k.answer.Status) }),
	columnOf("answer", "bytea", func(k keptAnswer) []byte { return k.answer.Body }),
	columnOf("created_at", "timestamptz", func(k keptAnswer) time.Time { return k.createdAt }),
}

// insertAnswersSQL writes answers under their keys, and entries of the audit log. It violates
// no constraint, because the cards in a key's subject are locked and the key was looked up
// after that.
var insertAnswersSQL = inForms(func(f form) string {
	return fmt.Sprintf("with answer as (%s) %s",
		insertSQL("idempotency_keys", answerColumns, 1, f), insertSQL("audit_log", auditColumns, len(answerColumns)+1, f))
})

// insertSQL inserts the rows of a source.
func insertSQL[Row any](table string, columns []column[Row], first int, f form) string {
	list := strings.Join(names(columns), ", ")
	return fmt.Sprintf("insert into %s (%s) select %s from %s as new (%s)", table, list, list, source(columns, first, f), list)
}
