package store

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// movementRound is what the movements of one transaction read and write.
type movementRound struct {
	moment
	wanted   []cardKey                // to lock, each once, in the order of locking
	keys     []*IdempotencyKey        // to look up
	accesses []Access                 // to check, each once
	cards    map[cardKey]*Card        // locked
	answers  map[scopedKey]keptAnswer // under the keys: found, and given in this round
	changed  map[accessKey]bool       // accesses that have changed
	given    []keptAnswer             // to write
	entries  []AuditEntry             // to write
	tally    tally                    // to count after the commit
	receipts *receiptPrograms         // whose movements queue receipts

	numbers     [][]byte                    // hashes of the numbers that a code was given for
	failures    map[numberHash]codeFailures // of these numbers: found, and counted in this round
	tries       []codeTry                   // to write, in their order
	codeMatches func(card id.ID, sealed []byte, code string) (bool, error)

	valueTotals
}

// cardKey is a card's primary key, and scopedKey an idempotency key's. accessKey is all that an
// access is checked by. The token alone is not enough, because one request may have read the
// user before a change, and another one after it.
type (
	cardKey   struct{ program, card id.ID }
	scopedKey struct {
		program                 id.ID
		operation, key, subject string
	}
	accessKey struct {
		token, role    string
		user, merchant id.ID
		validAfter     int64 // in microseconds, as PostgreSQL keeps it; 0: null
	}
)

func (a Access) key() accessKey {
	key := accessKey{token: a.TokenID, role: a.User.Role, user: a.User.ID, merchant: a.User.MerchantID}
	if a.User.TokensValidAfter != nil {
		key.validAfter = a.User.TokensValidAfter.UnixMicro()
	}
	return key
}

// keptAnswer is an answer with the key that it is kept under.
type keptAnswer struct {
	*IdempotencyKey
	answer    Answer
	createdAt time.Time
}

func (k *IdempotencyKey) scoped() scopedKey {
	return scopedKey{k.ProgramID, k.Operation, k.Key, string(k.Subject)}
}

func newMovementRound(at moment, asked []Movement) *movementRound {
	r := &movementRound{
		moment: at, cards: map[cardKey]*Card{}, answers: map[scopedKey]keptAnswer{}, changed: map[accessKey]bool{},
		failures: map[numberHash]codeFailures{},
	}
	seen := map[accessKey]bool{}
	for _, m := range asked {
		for _, card := range m.Cards {
			r.wanted = append(r.wanted, cardKey{m.ProgramID, card})
		}
		// A key may be listed twice. Its second movement replays the answer that the first one gave.
		if m.Key != nil {
			r.keys = append(r.keys, m.Key)
		}
		if m.Code != nil {
			r.numbers = append(r.numbers, m.Code.hash[:])
		}
		r.want(&m)
		if key := m.Access.key(); !seen[key] {
			seen[key] = true
			r.accesses = append(r.accesses, m.Access)
		}
	}
	// Compact drops only neighbours that are equal. The order is also that in which cards are locked.
	slices.SortFunc(r.wanted, func(a, b cardKey) int {
		return cmp.Or(bytes.Compare(a.program[:], b.program[:]), bytes.Compare(a.card[:], b.card[:]))
	})
	r.wanted = slices.Compact(r.wanted)
	return r
}

// reads begins the transaction, locks the cards and the totals of daily limits, and then reads the
// rest. Keys, wrong codes and accesses are read by later statements than the locks, so that they see
// what was committed while these waited.
func (r *movementRound) reads() *pgx.Batch {
	batch := &pgx.Batch{}
	batch.Queue("begin")
	// The settings come before the first lock, because they bound the wait for it.
	batch.Queue(cardSettingsSQL, fmt.Sprint(lockWait.Milliseconds()))
	f := formOf(len(r.wanted))
	batch.Queue(lockCardsSQL[f], arguments(cardKeyColumns, r.wanted, f)...).Query(func(rows pgx.Rows) error {
		found, err := collectCards(rows, cardFields, len(r.wanted))
		for i := range found {
			r.cards[cardKey{found[i].ProgramID, found[i].ID}] = newCard(found[i], r.moment)
		}
		return err
	})
	r.lockTotals(batch, r.clock)
	if len(r.keys) > 0 {
		f := formOf(len(r.keys))
		batch.Queue(findKeysSQL[f], arguments(keyColumns, r.keys, f)...).Query(r.collectAnswers)
	}
	if len(r.numbers) > 0 {
		batch.Queue(findCodeFailuresSQL, r.numbers).Query(r.collectFailures)
	}
	f = formOf(len(r.accesses))
	batch.Queue(changedAccessesSQL[f], arguments(accessColumns, r.accesses, f)...).Query(r.collectChanged)
	return batch
}

func (r *movementRound) collectChanged(rows pgx.Rows) error {
	var a Access
	_, err := pgx.ForEachRow(rows, []any{&a.TokenID, &a.User.ID, &a.User.MerchantID, &a.User.Role, &a.User.TokensValidAfter}, func() error {
		r.changed[a.key()] = true
		return nil
	})
	return err
}

func (r *movementRound) collectAnswers(rows pgx.Rows) error {
	for rows.Next() {
		var key IdempotencyKey
		var hash []byte
		answer := Answer{Replayed: true}
		err := rows.Scan(&key.ProgramID, &key.Operation, &key.Key, &key.Subject, &hash, &answer.Status, &answer.Body)
		if err != nil {
			return err
		}
		key.RequestHash = [32]byte(hash)
		r.answers[key.scoped()] = keptAnswer{IdempotencyKey: &key, answer: answer}
	}
	return rows.Err()
}

// apply carries the movements out in memory, in their order.
func (r *movementRound) apply(asked []Movement) []moved {
	results := make([]moved, len(asked))
	for i := range asked {
		results[i].answer, results[i].err = r.applyOne(&asked[i])
	}
	return results
}

func (r *movementRound) applyOne(m *Movement) (Answer, error) {
	// Before a replay, because a user who is out must not see the answer.
	if r.changed[m.Access.key()] {
		return Answer{}, ErrAccessChanged
	}
	if m.Key != nil {
		switch prior, ok := r.answers[m.Key.scoped()]; {
		case ok && prior.RequestHash != m.Key.RequestHash:
			return Answer{}, ErrKeyReused
		case ok:
			return prior.answer, nil
		}
	}
	cards := each(m.Cards, func(card id.ID) *Card { return r.cards[cardKey{m.ProgramID, card}] })
	if len(cards) == 0 || cards[0] == nil {
		return Answer{}, ErrCardNotFound
	}
	for _, card := range cards {
		if card == nil {
			continue
		}
		if err := r.allows(&card.GiftCard); err != nil {
			return Answer{}, err
		}
	}
	if m.Code != nil {
		if err := r.judgeCode(cards[0], m.Code); err != nil {
			return Answer{}, err
		}
	}
	before := each(cards, (*Card).copied)
	answer, err := m.Apply(cards)
	if err == nil {
		err = r.addValue(m)
	}
	if err != nil {
		// Back to the state before. The card itself may still be written, because earlier
		// movements of this round may have changed it.
		for i, card := range cards {
			if card != nil {
				*card = before[i]
			}
		}
		return Answer{}, err
	}
	m.Entry.At = r.now
	r.entries = append(r.entries, m.Entry)
	if m.Key != nil {
		kept := keptAnswer{IdempotencyKey: m.Key, answer: answer, createdAt: r.clock}
		r.given = append(r.given, kept)
		kept.answer.Replayed = true // for the same request in this round
		r.answers[m.Key.scoped()] = kept
	}
	return answer, nil
}

// writes returns the statements that write and commit everything, nil if there are none.
func (r *movementRound) writes() *pgx.Batch {
	// Replays and refusals write nothing. But a wrong code counts, although its movement is refused.
	if len(r.entries) == 0 && len(r.tries) == 0 {
		return nil
	}
	batch := &pgx.Batch{}
	for _, try := range r.tries {
		sql, arguments := try.statement(r.clock)
		batch.Queue(sql, arguments...)
	}
	var cards []*Card
	for _, key := range r.wanted {
		// A refused movement has put its cards back, so it has changed none.
		if card := r.cards[key]; card != nil && card.changed {
			cards = append(cards, card)
		}
	}
	queueCards(batch, &r.tally, r.receipts, r.clock, cards)
	r.saveTotals(batch, r.clock)
	if len(r.entries) > 0 {
		f := formOf(len(r.given), len(r.entries))
		batch.Queue(insertAnswersSQL[f], append(arguments(answerColumns, r.given, f), arguments(auditColumns, r.entries, f)...)...)
	}
	batch.Queue("commit")
	return batch
}
