package store

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// CreateCard issues one card: pending, with an empty balance, a number of its own and a
// sealed security code. It schedules the card's messages, writes entry to the audit log,
// and returns the answer that encode makes of the card. It keeps the answer under the key,
// unless key is nil; entry names the same operation as the key.
//
// If the key has an answer already, CreateCard returns that answer and issues nothing. It
// fails with ErrKeyReused if the key was used for another request, with ErrAccessChanged if
// token or user have changed, and with a Forbidden error that names a daily limit if the
// card would go over it.
//
// It is one statement that shares a transaction with other creates, because most requests are
// creates. Only a create with a limit, or with a time that At gave, uses Once.
func (s *Store) CreateCard(ctx context.Context, access Access, terms Terms, recipient Recipient, key *IdempotencyKey, entry AuditEntry, encode func(*GiftCard) (Answer, error)) (Answer, error) {
	if _, given := timeOf(ctx); given { // others of the transaction would get the time too
		return s.createCounted(ctx, access, terms, recipient, key, entry, encode)
	}
	now := s.Clock()
	cards, err := s.newCards(now, terms, id.New(now), []Recipient{recipient})
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
		// The number is taken, so nothing was written: draw another one and try again.
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
		// The key is taken. A statement of its own sees the answer that was committed
		// meanwhile; without one, the key has just expired, and the next round takes it.
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

// createCounted is CreateCard for a program or a user with a limit.
func (s *Store) createCounted(ctx context.Context, access Access, terms Terms, recipient Recipient, key *IdempotencyKey, entry AuditEntry, encode func(*GiftCard) (Answer, error)) (Answer, error) {
	terms.IssuedBy = access.User.ID
	return Once(ctx, s, access, key, func(tx *Tx) (Answer, error) {
		cards, err := tx.IssueCards(ctx, terms, []Recipient{recipient})
		if err != nil {
			return Answer{}, err
		}
		card := &cards[0]
		entry.UserID, entry.MerchantID, entry.ProgramID = access.User.ID, access.User.MerchantID, card.ProgramID
		entry.Subject, entry.Cards = card.ID[:], 1
		if err := tx.Audit(ctx, entry); err != nil {
			return Answer{}, err
		}
		return encode(card)
	})
}

// creation is a card and everything that is written with it.
type creation struct {
	*GiftCard
	key          *IdempotencyKey // nil: none
	answer       Answer
	entry        AuditEntry
	access       Access
	duplicateKey bool // an earlier creation of the same transaction has the key
}

// outcome is the result of a creation.
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

// creationColumns are the columns of a creation beside those of its card.
var creationColumns = []column[creation]{
	columnOf("operation", "text", func(c creation) string { return c.entry.Operation }),
	columnOf("key", "text", creation.keyText),
	columnOf("request_hash", "bytea", creation.requestHash),
	columnOf("duplicate_key", "boolean", func(c creation) bool { return c.duplicateKey }),
	columnOf("status", "smallint", func(c creation) int16 { return int16(c.answer.Status) }),
	columnOf("answer", "bytea", func(c creation) []byte { return c.answer.Body }),
	columnOf("user_id", "bytea", func(c creation) id.ID { return c.access.User.ID }),
	columnOf("merchant_id", "bytea", func(c creation) id.ID { return c.access.User.MerchantID }),
	columnOf("role", "text", func(c creation) string { return c.access.User.Role }),
	columnOf("tokens_valid_after", "timestamptz", func(c creation) *time.Time { return c.access.User.TokensValidAfter }),
	columnOf("token_id", "text", func(c creation) string { return c.access.TokenID }),
	columnOf("client", "text", func(c creation) string { return c.entry.Client }),
	columnOf("request_id", "text", func(c creation) *string { return c.entry.RequestID }),
	columnOf("client_request_id", "text", func(c creation) *string { return c.entry.ClientRequestID }),
}

// createOneSQL and createManySQL are one statement in two forms. The form for one card costs
// PostgreSQL less: its parameters are not arrays (docs/decisions), and it asks "is there any"
// instead of "is it among".
var (
	createOneSQL = createSQL(oneRow,
		"exists (select from claimed)", "exists (select from card)")
	createManySQL = createSQL(manyRows,
		"(program_id, key) in (select program_id, key from claimed)", "id in (select id from card)")
)

func creationSource(f form) string {
	return f.source(parameters(cardColumns, 1, f) + ", " + parameters(creationColumns, len(cardColumns)+1, f))
}

// createSQL is the statement that creates cards. It counts each card, and writes it with its
// messages, its entry in the audit log, and its key with the answer: all of it, or nothing.
// It writes nothing for a card whose access has changed (not allowed), whose program or user
// has a limit (limited), or whose key is taken (not created). It waits for a concurrent
// statement with the key, and fails on gift_cards_number_idx if a number is taken.
//
// It asks once for all cards whether there is any limit, because mostly there is none.
func createSQL(f form, claimed, created string) string {
	// Each part refers to the one before it, so that nothing is written for a card whose key is
	// taken.
	return strings.NewReplacer(
		"{source}", creationSource(f), "{claimed}", claimed, "{created}", created, "{unchanged}", accessUnchangedSQL,
		"{card}", cardColumnNames, "{creation}", strings.Join(names(creationColumns), ", "),
	).Replace(`
with new as materialized (
    select new.*, {unchanged} as allowed,
        exists (select from issuing_limits) and exists (select from issuing_limits l where l.scope in (new.program_id, new.user_id)) as limited
    from {source} as new ({card}, {creation})
), claimed as (
    insert into idempotency_keys (program_id, operation, key, request_hash, status, answer, created_at)
    select program_id, operation, key, request_hash, status, answer, created_at
    from new where allowed and not limited and key is not null and not duplicate_key
    on conflict on constraint idempotency_keys_pkey do nothing
    returning program_id, key
), card as (
    insert into gift_cards ({card})
    select {card}
    from new where allowed and not limited and (key is null or {claimed} and not duplicate_key)
    returning program_id, id, customer_email, customer_phone, deliver_at, created_at
), total as (
    insert into card_totals (program_id, session, cards)
    select program_id, pg_backend_pid(), count(*) from card group by program_id
    on conflict on constraint card_totals_pkey do update set cards = card_totals.cards + excluded.cards
), message as (
    insert into messages (program_id, card_id, channel, kind, sequence, address, bulk, send_at, next_attempt_at, created_at)
    select c.program_id, c.id, m.channel, 'card', 0, m.address, false,
        greatest(c.deliver_at, c.created_at), greatest(c.deliver_at, c.created_at), c.created_at
    from card c cross join lateral (values ('email', c.customer_email), ('sms', c.customer_phone)) as m (channel, address)
    where m.address is not null
), entry as (
    insert into audit_log (at, operation, user_id, merchant_id, program_id, subject, cards, client, request_id, client_request_id)
    select created_at, operation, user_id, merchant_id, program_id, id, 1, client, request_id, client_request_id
    from new where {created}
)
select id, allowed, limited, {created} as created from new`)
}

// createCards creates all cards in one transaction, or fails and creates none.
func (s *Store) createCards(ctx context.Context, asked []creation) ([]outcome, error) {
	sql, arguments := createOneSQL, append(values(cardColumns, asked[0].GiftCard), values(creationColumns, asked[0])...)
	if len(asked) > 1 {
		sorted := inKeyOrder(asked)
		cards := each(sorted, func(c creation) *GiftCard { return c.GiftCard })
		sql, arguments = createManySQL, append(arrays(cardColumns, cards), arrays(creationColumns, sorted)...)
	}
	rows, err := s.pool.Query(ctx, sql, arguments...)
	if err != nil {
		return nil, err
	}
	// By id, because the rows come in the order of keys.
	became := make(map[id.ID]outcome, len(asked))
	var card id.ID
	var allowed, limited, written bool
	_, err = pgx.ForEachRow(rows, []any{&card, &allowed, &limited, &written}, func() error {
		became[card] = outcomeOf(allowed, limited, written)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return each(asked, func(c creation) outcome { return became[c.ID] }), nil
}

// inKeyOrder sorts by key, so that two instances claim keys in the same order and cannot
// deadlock. It marks a creation if an earlier one has the same key.
func inKeyOrder(asked []creation) []creation {
	sorted := slices.Clone(asked)
	slices.SortStableFunc(sorted, creation.compareKeys)
	for i := 1; i < len(sorted); i++ {
		sorted[i].duplicateKey = sorted[i].key != nil && sorted[i].compareKeys(sorted[i-1]) == 0
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
