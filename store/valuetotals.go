package store

import (
	"bytes"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/store/id"
	"giftcards/store/money"
)

// valueTotals count the money that the movements of one transaction add to cards towards the daily
// limits of programs and users.
type valueTotals struct {
	programs, users []id.ID // that money is added in and by
	totals          map[id.ID]*valueTotal
	limitRefused    func(ofProgram bool, limit string) error
}

// valueTotal is the total of a program or a user that has a limit, on one day.
type valueTotal struct {
	before, added money.Amount
	limit         *money.Amount // nil: only its cards are limited
}

// want notes the scopes in which a movement adds money.
func (v *valueTotals) want(m *Movement) {
	if m.Adds.Sign() > 0 {
		v.programs, v.users = append(v.programs, m.ProgramID), append(v.users, m.Access.User.ID)
	}
}

// lockTotals adds to a batch what locks and reads the totals of the day. A program or user without
// a limit has none, and is not locked.
func (v *valueTotals) lockTotals(batch *pgx.Batch, day time.Time) {
	if len(v.programs) == 0 {
		return
	}
	// All programs come before all users, as in CountIssued, so that the two cannot deadlock.
	var scopes [][]byte
	for _, of := range [][]id.ID{v.programs, v.users} {
		slices.SortFunc(of, func(a, b id.ID) int { return bytes.Compare(a[:], b[:]) })
		for _, scope := range slices.Compact(of) {
			scopes = append(scopes, scope[:])
		}
	}
	batch.Queue(lockTotalsSQL, day, scopes).Query(func(rows pgx.Rows) error {
		v.totals = map[id.ID]*valueTotal{}
		var scope id.ID
		var total valueTotal
		_, err := pgx.ForEachRow(rows, []any{&scope, &total.before, &total.limit}, func() error {
			v.totals[scope] = &valueTotal{before: total.before, limit: total.limit}
			return nil
		})
		return err
	})
}

// addValue counts the money of a movement, or fails with an error for the caller if that would go
// over a limit, and then counts nothing.
func (v *valueTotals) addValue(m *Movement) error {
	if m.Adds.Sign() <= 0 {
		return nil
	}
	program, user := v.totals[m.ProgramID], v.totals[m.Access.User.ID]
	for i, total := range []*valueTotal{program, user} {
		if total == nil || total.limit == nil {
			continue
		}
		left := total.limit.Sub(total.before).Sub(total.added)
		if m.Adds.Cmp(left) > 0 {
			if left.Sign() <= 0 { // below 0, the limit was lowered
				left = money.Amount{}
			}
			return v.limitRefused(i == 0, valueLimit(*total.limit, left))
		}
	}
	for _, total := range []*valueTotal{program, user} {
		if total != nil {
			total.added = total.added.Add(m.Adds)
		}
	}
	return nil
}

// saveTotals adds to a batch what writes the totals that have changed.
func (v *valueTotals) saveTotals(batch *pgx.Batch, day time.Time) {
	var scopes [][]byte
	var added []money.Amount
	for scope, total := range v.totals {
		if !total.added.IsZero() {
			scopes, added = append(scopes, scope[:]), append(added, total.added)
		}
	}
	if len(scopes) > 0 {
		batch.Queue(saveTotalsSQL, day, scopes, added)
	}
}

// lockTotalsSQL returns the totals of those scopes that have a limit, in the order of locking. A
// total that does not exist yet is made, because only a row can be locked.
const lockTotalsSQL = `
with counted as (
    insert into issued_totals as t (scope, day, cards, value)
    select l.scope, ($1::timestamptz at time zone 'utc')::date, 0, 0
    from unnest($2::bytea[]) with ordinality as s (scope, place) join issuing_limits l on l.scope = s.scope
    order by s.place
    on conflict on constraint issued_totals_pkey do update set cards = t.cards
    returning t.scope, t.value
)
select c.scope, c.value, l.value_per_day from counted c join issuing_limits l on l.scope = c.scope`

// saveTotalsSQL adds to totals that this transaction has locked.
const saveTotalsSQL = `
update issued_totals t set value = t.value + a.value
from unnest($2::bytea[], $3::numeric[]) as a (scope, value)
where t.scope = a.scope and t.day = ($1::timestamptz at time zone 'utc')::date`
