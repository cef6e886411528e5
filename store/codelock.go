package store

import (
	"context"
	"crypto/subtle"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
)

// This file locks a card number after wrong security codes. A transfer and a balance check ask
// for the code, and both count here.
//
// An instance judges one code of a number at a time, and counts a wrong one before it judges
// the next. So one instance judges at most five wrong codes. While it counts the fifth, each
// other instance may be judging one more, so n instances judge at most n + 4.
const (
	// maxCodeFailures is the number of wrong codes that locks a number.
	maxCodeFailures = 5
	// codeWindow is the time within which they count together, and that of the lock.
	codeWindow = 15 * time.Minute
	// countTimeout bounds the counting of a code that was judged. The end of the caller's
	// context does not stop it, because a caller who hangs up would get a try for free.
	countTimeout = 5 * time.Second
)

// NumberLockedError refuses a security code without judging it, because too many wrong codes
// were given for the number.
type NumberLockedError struct {
	Wait time.Duration // until the lock ends
}

// Error returns the sentence of the answer.
func (e *NumberLockedError) Error() string { return "Too many requests" }

// numberHash stands for a card number in the table code_failures.
type numberHash [8]byte

// hashNumber returns the hash of a number, or of a text that is the number of no card. All
// spellings of a number have the same one.
func (s *Store) hashNumber(typed string) numberHash {
	if number, ok := ParseNumber(typed); ok {
		typed = FormatNumber(number)
	}
	return s.keys.NumberHash(typed)
}

// codeMatches reports whether code is the security code of a card. It compares in constant time.
func (s *Store) codeMatches(card id.ID, sealed []byte, code string) (bool, error) {
	right, err := s.OpenCode(card, sealed)
	return subtle.ConstantTimeCompare([]byte(right), []byte(code)) == 1, err
}

// codeFailures are the times of the wrong codes of a number, oldest first.
type codeFailures []time.Time

// refuse fails with a *NumberLockedError while the number is locked.
func (f codeFailures) refuse(now time.Time) error {
	if len(f) < maxCodeFailures {
		return nil
	}
	if end := f[len(f)-1].Add(codeWindow); end.After(now) {
		return &NumberLockedError{Wait: end.Sub(now)}
	}
	return nil
}

// with returns the failures after one more, as countCodeFailureSQL stores them.
func (f codeFailures) with(now time.Time) codeFailures {
	recent := slices.DeleteFunc(slices.Clone(f), func(at time.Time) bool { return !at.After(now.Add(-codeWindow)) })
	return append(recent, now)
}

// countCodeFailureSQL adds a wrong code to those of a number that still count. It changes
// nothing if the number is locked.
var countCodeFailureSQL = fmt.Sprintf(`insert into code_failures as f (number_hash, failed_at, last_at)
values ($1::bytea, array[$2::timestamptz], $2::timestamptz)
on conflict on constraint code_failures_pkey do update
set failed_at = array(select t.at from unnest(f.failed_at || excluded.failed_at) as t (at) where t.at > $3::timestamptz order by t.at),
    last_at = greatest(f.last_at, excluded.last_at)
where cardinality(f.failed_at) < %d or f.last_at <= $3::timestamptz`, maxCodeFailures)

const findCodeFailuresSQL = "select number_hash, failed_at from code_failures where number_hash = any ($1::bytea[])"

const forgetCodeFailuresSQL = "delete from code_failures where number_hash = $1::bytea"

// ForgetCodeFailures ends the lock of a card number, and forgets its wrong codes. A card that
// gets a new code needs it.
func (tx *Tx) ForgetCodeFailures(ctx context.Context, number int64) error {
	hash := tx.store.hashNumber(FormatNumber(number))
	_, err := tx.tx.Exec(ctx, forgetCodeFailuresSQL, hash[:])
	return wrap(err, "forget wrong codes")
}

// codeTry is a code that was judged, and that changes what is stored about the number.
type codeTry struct {
	number numberHash
	right  bool
}

// statement returns what stores the try.
func (t codeTry) statement(now time.Time) (sql string, arguments []any) {
	if t.right {
		return forgetCodeFailuresSQL, []any{t.number[:]}
	}
	return countCodeFailureSQL, []any{t.number[:], now, now.Add(-codeWindow)}
}

// collectFailures reads the rows of findCodeFailuresSQL.
func (r *movementRound) collectFailures(rows pgx.Rows) error {
	var number []byte
	var failures codeFailures
	_, err := pgx.ForEachRow(rows, []any{&number, &failures}, func() error {
		r.failures[numberHash(number)] = slices.Clone(failures)
		return nil
	})
	return err
}

// judgeCode fails with ErrWrongCode unless the code is that of the card, and with a
// *NumberLockedError if the card's number is locked. The card is locked from before the wrong
// codes are read until they are written, so no other transfer comes in between.
func (r *movementRound) judgeCode(card *Card, given *GivenCode) error {
	failures := r.failures[given.hash]
	// A locked number refuses before the code is judged, because the answer would tell if it was right.
	if err := failures.refuse(r.clock); err != nil {
		return err
	}
	right, err := r.codeMatches(card.ID, card.SealedCode, given.Code)
	switch {
	case err != nil:
		return err
	case !right:
		// The next code for this number in the round must see this one.
		r.failures[given.hash] = failures.with(r.clock)
		r.tries = append(r.tries, codeTry{given.hash, false})
		return ErrWrongCode
	case len(failures) > 0:
		delete(r.failures, given.hash)
		r.tries = append(r.tries, codeTry{given.hash, true})
	}
	return nil
}

// turns lets one caller at a time have a number. The zero value is ready for use.
type turns struct {
	mutex sync.Mutex
	taken map[numberHash]*turn
}

// turn is a number that somebody has or waits for.
type turn struct {
	free    chan struct{} // holds one value while nobody has the number
	callers int           // with it and waiting for it
}

// take waits until the caller has the number, and returns what gives it back. It fails if ctx
// ends first.
func (t *turns) take(ctx context.Context, number numberHash) (giveBack func(), err error) {
	// The mutex guards the map only. Callers wait without it, so that other numbers go on.
	t.mutex.Lock()
	mine, ok := t.taken[number]
	if !ok {
		// The buffer lets the holder give the number back without waiting for the next caller.
		mine = &turn{free: make(chan struct{}, 1)}
		mine.free <- struct{}{}
		if t.taken == nil {
			t.taken = map[numberHash]*turn{}
		}
		t.taken[number] = mine
	}
	// This comes before the unlock, because the holder could otherwise delete the turn meanwhile.
	mine.callers++
	t.mutex.Unlock()
	leave := func() {
		t.mutex.Lock()
		defer t.mutex.Unlock()
		if mine.callers--; mine.callers == 0 {
			delete(t.taken, number)
		}
	}
	select {
	case <-mine.free:
		return func() { mine.free <- struct{}{}; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}
