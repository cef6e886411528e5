package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/gen/db"
	"giftcards/store/id"
	"giftcards/store/money"
)

// CreateCard issues one card: pending, with an empty balance, a number of its own
// and a sealed security code. Its messages are scheduled, and the answer that
// encode makes of it is kept under the key; key may be nil. If the key has an
// answer already, it returns that one, and nothing is issued. entry says who asked,
// for the audit log; it names the same operation as the key. It fails with
// ErrKeyReused if that was the answer to another request, with ErrAccessChanged if
// the access is not what it was, and with a Forbidden error that names a daily limit
// if the card would go over it.
func (s *Store) CreateCard(ctx context.Context, access Access, terms Terms, recipient Recipient, key *Key, entry AuditEntry, encode func(*GiftCard) (Answer, error)) (Answer, error) {
	cleaned, recipients := sanitised(terms, []Recipient{recipient})
	now := s.Now()
	cards, err := s.newCards(now, cleaned, id.New(now), recipients)
	if err != nil {
		return Answer{}, err
	}
	card := &cards[0]
	for range maxNumberRounds {
		answer, err := encode(card)
		if err != nil {
			return Answer{}, err
		}
		became, err := s.creates.Do(ctx, creation{GiftCard: card, key: key, answer: answer, entry: entry, access: access})
		if violates(err, constraintCardNumber) {
			card.CardNumber = s.numbers.random()
			continue
		}
		if err != nil {
			return Answer{}, classify(fmt.Errorf("create card: %w", err))
		}
		switch became {
		case created:
			s.counts.issuedAtOnce(1, card.InitialValue)
			return answer, nil
		case mustCount:
			return s.createCounted(ctx, access, terms, recipient, key, entry, encode)
		case accessChanged:
			return Answer{}, ErrAccessChanged
		}
		prior, err := priorAnswer(ctx, s.q, *key)
		if err != nil {
			return Answer{}, classify(err)
		}
		if prior != nil {
			return *prior, nil
		}
	}
	return Answer{}, errNumbersExhausted
}

// creation is a card with what is written beside it.
type creation struct {
	*GiftCard
	key    *Key // nil: none
	answer Answer
	entry  AuditEntry
	access Access
	second bool // another one before it has the key, too
}

// outcome is what a creation became.
type outcome int

const (
	keyTaken outcome = iota
	accessChanged
	mustCount // the program or the user has a limit
	created
)

func outcomeOf(allowed, limited, written bool) outcome {
	switch {
	case !allowed:
		return accessChanged
	case limited:
		return mustCount
	case !written:
		return keyTaken
	}
	return created
}

// createAlone is for one card, of which PostgreSQL makes less than of arrays.
func (s *Store) createAlone(ctx context.Context, c creation) (outcome, error) {
	row, err := s.q.CreateGiftCard(ctx, db.CreateGiftCardParams{
		ProgramID: c.ProgramID, ID: c.ID, CardNumber: c.CardNumber, SealedCode: c.SealedCode,
		InitialValue: c.InitialValue, IsPhysical: c.IsPhysical, DesignTemplate: c.DesignTemplate,
		CustomerEmail: c.CustomerEmail, CustomerPhone: c.CustomerPhone, CustomerName: c.CustomerName,
		SenderName: c.SenderName, CustomMessage: c.CustomMessage,
		DeliverAt: c.DeliverAt, ExpiresAt: c.ExpiresAt, CreatedAt: c.CreatedAt,
		Operation: c.entry.Operation, Key: c.keyText(), RequestHash: c.requestHash(),
		Status: int16(c.answer.Status), Answer: c.answer.Body,
		UserID: c.access.User.ID, MerchantID: c.access.User.MerchantID, Client: c.entry.Client, RequestID: c.entry.RequestID, ClientRequestID: c.entry.ClientRequestID,
		TokenID: c.access.TokenID, Role: c.access.User.Role, TokensValidAfter: c.access.User.TokensValidAfter,
	})
	return outcomeOf(row.Allowed, row.Limited, row.Created), err
}

// createCardsSQL is CreateGiftCard for many. By hand: generated code has no arrays with nulls.
//
// All of it is written, or nothing: each card, its messages, its entry in the audit
// log and its key with the answer. Of a card whose access has changed, whose program or
// user has a limit, or whose key is taken, nothing is written; the statement waits for
// a concurrent one with the key. It fails on gift_cards_card_number_key if a number is
// taken.
//
// Whether there is any limit is asked once for all of them, because mostly there is none.
//
//nolint:unqueryvet // new.* is what unnest is told to call them
const createCardsSQL = `
with new as materialized (
    select new.*, exists (select from users u where u.id = new.user_id and u.active and u.merchant_id = new.merchant_id
            and u.role = new.role and u.tokens_valid_after is not distinct from new.tokens_valid_after)
        and not exists (select from revoked_tokens r where r.id = new.token_id) as allowed,
        exists (select from issuing_limits) and exists (select from issuing_limits l where l.scope in (new.program_id, new.user_id)) as limited
    from unnest($1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::numeric[], $6::boolean[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::timestamptz[], $14::timestamptz[], $15::timestamptz[],
        $16::text[], $17::text[], $18::bytea[], $19::smallint[], $20::bytea[], $21::bytea[], $22::bytea[], $23::text[], $24::text[],
        $25::text[], $26::text[], $27::timestamptz[], $28::boolean[], $29::text[])
    as new (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
        customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at,
        operation, key, request_hash, status, answer, user_id, merchant_id, client, request_id,
        token_id, role, tokens_valid_after, second, client_request_id)
), claimed as (
    insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
    select program_id, operation, key, request_hash, status, answer, created_at from new where allowed and not limited and key is not null and not second
    on conflict on constraint idempotency_keys_pkey do nothing
    returning program_id, key
), card as (
    insert into gift_cards (program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
        customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at)
    select program_id, id, card_number, sealed_code, initial_value, is_physical, design_template,
        customer_email, customer_phone, customer_name, sender_name, custom_message, deliver_at, expires_at, created_at
    from new where allowed and not limited and (key is null or (program_id, key) in (select program_id, key from claimed) and not second)
    returning program_id, id, customer_email, customer_phone, deliver_at, created_at
), message as (
    insert into messages (program_id, card_id, channel, address, bulk, send_at, next_attempt_at, created_at)
    select c.program_id, c.id, m.channel, m.address, false,
        greatest(c.deliver_at, c.created_at), greatest(c.deliver_at, c.created_at), c.created_at
    from card c cross join lateral (values ('email', c.customer_email), ('sms', c.customer_phone)) as m (channel, address)
    where m.address is not null
), entry as (
    insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id, client_request_id)
    select created_at, operation, user_id, merchant_id, program_id, id, 1, client, request_id, client_request_id
    from new where id in (select id from card)
)
select id, allowed, limited, id in (select id from card) as created from new`

// createCards creates all of them in one transaction, or fails and creates none.
func (s *Store) createCards(ctx context.Context, asked []creation) ([]outcome, error) {
	if len(asked) == 1 {
		became, err := s.createAlone(ctx, asked[0])
		return []outcome{became}, err
	}
	all := inKeyOrder(asked)
	rows, err := s.pool.Query(ctx, createCardsSQL,
		column(all, func(c creation) id.ID { return c.ProgramID }), column(all, func(c creation) id.ID { return c.ID }),
		column(all, func(c creation) int64 { return c.CardNumber }), column(all, func(c creation) []byte { return c.SealedCode }),
		column(all, func(c creation) money.Amount { return c.InitialValue }), column(all, func(c creation) bool { return c.IsPhysical }),
		column(all, func(c creation) *string { return c.DesignTemplate }), column(all, func(c creation) *string { return c.CustomerEmail }),
		column(all, func(c creation) *string { return c.CustomerPhone }), column(all, func(c creation) *string { return c.CustomerName }),
		column(all, func(c creation) *string { return c.SenderName }), column(all, func(c creation) *string { return c.CustomMessage }),
		column(all, func(c creation) *time.Time { return c.DeliverAt }), column(all, func(c creation) time.Time { return c.ExpiresAt }),
		column(all, func(c creation) time.Time { return c.CreatedAt }), column(all, func(c creation) string { return c.entry.Operation }),
		column(all, func(c creation) *string { return c.keyText() }), column(all, func(c creation) []byte { return c.requestHash() }),
		column(all, func(c creation) int16 { return int16(c.answer.Status) }), column(all, func(c creation) []byte { return c.answer.Body }),
		column(all, func(c creation) id.ID { return c.access.User.ID }), column(all, func(c creation) id.ID { return c.access.User.MerchantID }),
		column(all, func(c creation) string { return c.entry.Client }), column(all, func(c creation) *string { return c.entry.RequestID }),
		column(all, func(c creation) string { return c.access.TokenID }), column(all, func(c creation) string { return c.access.User.Role }),
		column(all, func(c creation) *time.Time { return c.access.User.TokensValidAfter }), column(all, func(c creation) bool { return c.second }),
		column(all, func(c creation) *string { return c.entry.ClientRequestID }))
	if err != nil {
		return nil, err
	}
	became := map[id.ID]outcome{}
	var card id.ID
	var allowed, limited, written bool
	_, err = pgx.ForEachRow(rows, []any{&card, &allowed, &limited, &written}, func() error {
		became[card] = outcomeOf(allowed, limited, written)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return column(asked, func(c creation) outcome { return became[c.ID] }), nil
}

// inKeyOrder sorts, since transactions that claim keys in one order cannot lock each
// other out, and marks those whose key another one before them has.
func inKeyOrder(asked []creation) []creation {
	sorted := slices.Clone(asked)
	slices.SortStableFunc(sorted, creation.compareKeys)
	for i := 1; i < len(sorted); i++ {
		sorted[i].second = sorted[i].key != nil && sorted[i].compareKeys(sorted[i-1]) == 0
	}
	return sorted
}

func (c creation) compareKeys(other creation) int {
	switch {
	case c.key == nil && other.key == nil:
		return 0
	case c.key == nil:
		return -1
	case other.key == nil:
		return 1
	}
	return cmp.Or(bytes.Compare(c.ProgramID[:], other.ProgramID[:]), cmp.Compare(c.key.Key, other.key.Key))
}

func (c creation) keyText() *string {
	if c.key == nil {
		return nil
	}
	return &c.key.Key
}

func (c creation) requestHash() []byte {
	if c.key == nil {
		return nil
	}
	return c.key.RequestHash[:]
}

// column is one column of rows.
func column[Row, Value any](rows []Row, value func(Row) Value) []Value {
	values := make([]Value, len(rows))
	for i, row := range rows {
		values[i] = value(row)
	}
	return values
}
