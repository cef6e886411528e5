package faults_test

import (
	"encoding/json"
	"os"
	"os/exec"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
)

// moved is the part of an answer that describes a card or a movement of its money.
type moved struct{ ID, TransactionID, GiftCardID string }

// spentCard orders a card, and then its activation, a redemption, and a refund of a part of the
// redemption.
func (l *load) spentCard() *order {
	o := l.card()
	o.next = func(answer []byte) *order {
		card := "/" + decoded(answer).ID
		return l.movement("ACTIVATION", card+"/activate", `{}`, func([]byte) *order {
			return l.movement("REDEMPTION", card+"/redeem", `{"amount":"1.25"}`, func(answer []byte) *order {
				return l.movement("REFUND", card+"/transactions/"+decoded(answer).TransactionID+"/refund", `{"amount":"0.50"}`, nil)
			})
		})
	}
	return o
}

func (l *load) movement(entry, path, body string, next func([]byte) *order) *order {
	return &order{key: l.newKey(entry), path: path, body: body, entry: entry, next: next}
}

func decoded(answer []byte) (m moved) {
	_ = json.Unmarshal(answer, &m)
	return m
}

// after returns the order that follows this one. It is nil if none follows or this one failed.
func (o *order) after() *order {
	if o.next == nil || o.answer == nil {
		return nil
	}
	return o.next(o.answer)
}

// before carries out the first orders of a spentCard, and returns the next one.
func (l *load) before(steps int) *order {
	o := l.spentCard()
	for range steps {
		l.carryOut(o)
		o = o.after()
	}
	return o
}

// entriesIn checks that the ledger has one entry for each movement and no other.
func (a *audit) entriesIn(conn *pgx.Conn) {
	want := map[string]string{} // the order's key, by the entry
	for _, o := range a.orders {
		if o.entry == "" {
			continue
		}
		answer := decoded(o.answer)
		if answer.TransactionID != "" {
			answer.ID = answer.GiftCardID
		}
		entry := o.entry + " " + answer.ID + " " + answer.TransactionID
		if other, double := want[entry]; double {
			a.trial.exceptionf("%s is of %s and of %s", entry, other, o.key)
		}
		want[entry] = o.key
	}
	// The answer to an activation does not name its entry.
	rows, err := conn.Query(a.trial.ctx, "select concat(type, ' ', encode(card_id, 'hex'), ' ', case when type <> 'ACTIVATION' then encode(id, 'hex') end) from ledger_entries")
	a.trial.must(err)
	var entry string
	_, err = pgx.ForEachRow(rows, []any{&entry}, func() error {
		if _, ordered := want[entry]; !ordered {
			a.trial.exceptionf("the entry %s is nobody's, or there twice", entry)
		}
		delete(want, entry)
		return nil
	})
	a.trial.must(err)
	for entry, key := range want {
		a.trial.exceptionf("the entry %s was answered to %s and is lost", entry, key)
	}
}

// ledger proves that every balance follows from its entries, as an operator does.
func (a *audit) ledger(database string) {
	cmd := exec.Command(processtest.Program(a.trial), "ledger", "verify", "--state-dir="+a.trial.TempDir())
	cmd.Env = []string{"HOME=" + os.Getenv("HOME"), "DATABASE_URL=" + database}
	if out, err := cmd.CombinedOutput(); err != nil {
		a.trial.exceptionf("giftcards ledger verify: %v %s", err, out)
	}
}
