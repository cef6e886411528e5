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

// This file locks cards and writes what their methods did. Movement does so for many callers
// at a time, LockCards and SaveCards for one transaction.

// newCard returns a locked row as a card at the time of its transaction.
func newCard(row GiftCard, now time.Time) *Card {
	if row.UpdatedAt != nil && row.UpdatedAt.After(now) {
		now = *row.UpdatedAt
	}
	return &Card{GiftCard: row, at: now}
}

// LockCards locks cards of a program until the transaction ends, in the order of their ids,
// and returns them in the order asked for: nil for one that does not exist. It fails with
// ErrCardBusy if another transaction holds one of them for longer than lockWait.
func (tx *Tx) LockCards(ctx context.Context, program id.ID, ids ...id.ID) ([]*Card, error) {
	if err := tx.limitLockWait(ctx); err != nil {
		return nil, err
	}
	wanted := each(ids, func(card id.ID) cardKey { return cardKey{program, card} })
	rows, err := tx.tx.Query(ctx, lockCardsSQL, arrays(cardKeyColumns, wanted)...)
	if err != nil {
		return nil, busy(fmt.Errorf("lock cards: %w", err))
	}
	found, err := collectCards(rows)
	if err != nil {
		return nil, busy(fmt.Errorf("lock cards: %w", err))
	}
	locked := map[id.ID]*Card{}
	for _, row := range found {
		locked[row.ID] = newCard(row, tx.now)
	}
	return each(ids, func(card id.ID) *Card { return locked[card] }), nil
}

// limitLockWait makes every later statement of the transaction wait for a lock for lockWait
// at most.
func (tx *Tx) limitLockWait(ctx context.Context) error {
	return wrap(tx.q.LimitLockWait(ctx, fmt.Sprint(lockWait.Milliseconds())), "limit the wait for locks")
}

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
	queueCards(batch, &tx.tally, &tx.store.receipts, cards)
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

// queueCards adds to a batch what writes the changed cards and queues their receipts, and to a
// tally their new entries. The entries come first, because the trigger on gift_cards looks for
// them.
func queueCards(batch *pgx.Batch, counted *tally, receipts *receiptPrograms, cards []*Card) {
	var changed, voided []*Card
	var entries []Entry
	for _, card := range cards {
		if !card.changed {
			continue
		}
		changed = append(changed, card)
		entries = append(entries, card.entries...)
		if card.Status == CardVoided { // by this change, because a voided card refuses others
			voided = append(voided, card)
		}
	}
	for i := range entries {
		counted.posted(&entries[i])
	}
	if len(entries) > 0 {
		batch.Queue(insertEntriesSQL, arrays(entryColumns, entries)...)
	}
	if len(changed) > 0 {
		batch.Queue(updateCardsSQL, arrays(changingColumns, changed)...)
	}
	receipts.queue(batch, changed)
	if len(voided) > 0 {
		batch.Queue(dropMessagesOfVoidedSQL, arrays(voidedColumns, voided)...)
	}
}

// lockCardsSQL returns the rows that exist. It locks them in the order of the primary key, so
// that two transactions cannot deadlock.
var lockCardsSQL = fmt.Sprintf(`select %s from unnest(%s) as wanted (program_id, id)
join gift_cards c on c.program_id = wanted.program_id and c.id = wanted.id
order by c.program_id, c.id for no key update of c`, allColumns("c"), parameters(cardKeyColumns, 1, "[]"))

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

var updateCardsSQL = func() string {
	changing := names(changingColumns)[2:]
	return fmt.Sprintf("update gift_cards c set (%s) = (new.%s) from unnest(%s) as new (%s) where c.program_id = new.program_id and c.id = new.id",
		strings.Join(changing, ", "), strings.Join(changing, ", new."),
		parameters(changingColumns, 1, "[]"), strings.Join(names(changingColumns), ", "))
}()

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

var insertEntriesSQL = insertManySQL("ledger_entries", entryColumns)

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

var insertAuditEntriesSQL = insertManySQL("audit_log", auditColumns)

// keyColumns are the primary key of idempotency_keys.
var keyColumns = []column[*IdempotencyKey]{
	columnOf("program_id", "bytea", func(k *IdempotencyKey) id.ID { return k.ProgramID }),
	columnOf("operation", "text", func(k *IdempotencyKey) string { return k.Operation }),
	columnOf("key", "text", func(k *IdempotencyKey) string { return k.Key }),
	columnOf("subject", "bytea", func(k *IdempotencyKey) []byte { return k.subject() }),
}

var findKeysSQL = fmt.Sprintf(`select k.program_id, k.operation, k.key, k.subject, k.request_hash, k.status, k.answer
from unnest(%s) as wanted (%s) join idempotency_keys k
on k.program_id = wanted.program_id and k.operation = wanted.operation and k.key = wanted.key and k.subject = wanted.subject`,
	parameters(keyColumns, 1, "[]"), strings.Join(names(keyColumns), ", "))

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

// insertAnswersSQL violates no constraint, because the cards in a key's subject are locked
// and the key was looked up after that.
var insertAnswersSQL = insertManySQL("idempotency_keys", answerColumns)

// accessColumns are what a change checks an access by.
var accessColumns = []column[Access]{
	columnOf("token_id", "text", func(a Access) string { return a.TokenID }),
	columnOf("user_id", "bytea", func(a Access) id.ID { return a.User.ID }),
	columnOf("merchant_id", "bytea", func(a Access) id.ID { return a.User.MerchantID }),
	columnOf("role", "text", func(a Access) string { return a.User.Role }),
	columnOf("tokens_valid_after", "timestamptz", func(a Access) *time.Time { return a.User.TokensValidAfter }),
}

// changedAccessesSQL returns the places, from 1 on, of the accesses that have changed, as
// AccessUnchanged judges.
var changedAccessesSQL = fmt.Sprintf(`select a.place from unnest(%s) with ordinality as a (%s, place)
where exists (select from revoked_tokens r where r.id = a.token_id) or not exists (
    select from users u where u.id = a.user_id and u.active and u.merchant_id = a.merchant_id and u.role = a.role
    and u.tokens_valid_after is not distinct from a.tokens_valid_after)`,
	parameters(accessColumns, 1, "[]"), strings.Join(names(accessColumns), ", "))

func insertManySQL[Row any](table string, columns []column[Row]) string {
	list := strings.Join(names(columns), ", ")
	return fmt.Sprintf("insert into %s (%s) select %s from unnest(%s) as new (%s)", table, list, list, parameters(columns, 1, "[]"), list)
}
