package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
)

// moved is the part of an answer that describes cards or a movement of their money.
type moved struct {
	issued

	TransactionID, GiftCardID, TransferID  string
	SourceCard, DestinationCard            struct{ ID string }
	VoidedCards, ConsolidationTransactions []string
}

// life orders two cards, and then movements of their money. The last ones merge both cards into one and
// void it.
func (l *load) life() *order {
	first := l.bulk(2, false)
	cards := func() moved { return decoded(first.answer) }
	one := func(entry, path, body string) *order { return l.movement(entry, "/"+cards().Cards[0].ID+path, body) }
	first.steps = []func(moved) *order{
		func(moved) *order { return one("ACTIVATION", "/activate", `{}`) },
		func(moved) *order { return one("REDEMPTION", "/redeem", `{"amount":"1.25"}`) },
		func(last moved) *order {
			return one("REFUND", "/transactions/"+last.TransactionID+"/refund", `{"amount":"0.50"}`)
		},
		func(moved) *order { return one("RELOAD", "/reload", `{"amount":"20"}`) },
		func(moved) *order { return l.movement("ACTIVATION", "/"+cards().Cards[1].ID+"/activate", `{}`) },
		func(moved) *order {
			return one("TRANSFER", "/transfer", fmt.Sprintf(`{"securityCode":"%s","destinationCardNumber":"%s","amount":"10"}`,
				l.code(first), cards().Cards[1].CardNumber))
		},
		func(moved) *order { return l.consolidation(cards()) },
		func(last moved) *order { return l.movement("VOID", "/"+last.NewCard.ID+"/void", `{}`) },
	}
	return first
}

// movement moves money of cards. The path is below that of the cards.
func (l *load) movement(entry, path, body string) *order {
	return &order{key: l.newKey(entry), path: cardsPath + path, body: body, entry: entry}
}

// consolidation merges two cards into a new one, which is sent to its holder.
func (l *load) consolidation(of moved) *order {
	o := &order{key: l.newKey("CONSOLIDATION"), path: "/consolidate", entry: "CONSOLIDATION", cards: 1, messages: 1}
	o.body = fmt.Sprintf(`{"cardNumbers":["%s","%s"],"merchantId":"%s","customerEmail":"%s@example.com"}`,
		of.Cards[0].CardNumber, of.Cards[1].CardNumber, l.merchant.MerchantID, o.key)
	return o
}

// code returns the security code of the first card of an order. Only the CSV has it, and each answer has
// a new link to the CSV.
func (l *load) code(of *order) string {
	for deadline := time.Now().Add(orderedWithin); time.Now().Before(deadline) && l.trial.ctx.Err() == nil; {
		_, answer := l.untilAnswered(of)
		cards := decoded(answer)
		if _, rows, err := l.rows(cards.CsvDownloadURL); err == nil {
			for _, row := range rows {
				if row[0] == cards.Cards[0].CardNumber {
					return row[1]
				}
			}
		}
		time.Sleep(5*time.Millisecond + l.trial.upTo(20*time.Millisecond))
	}
	l.trial.exceptionf("the codes of %s cannot be read in %s", of.key, orderedWithin)
	return ""
}

func decoded(answer []byte) (m moved) {
	_ = json.Unmarshal(answer, &m)
	return m
}

// after returns the order that follows this one. It is nil if none follows or this one failed.
func (o *order) after() *order {
	if len(o.steps) == 0 || o.status/100 != 2 {
		return nil
	}
	next := o.steps[0](decoded(o.answer))
	next.steps = o.steps[1:]
	return next
}

// before carries out the first orders of a life, and returns the first one for a movement. No other
// order follows it.
func (l *load) before(entry string) *order {
	o := l.life()
	for o.entry != entry {
		l.carryOut(o)
		if o = o.after(); o == nil {
			l.trial.Fatalf("a life ended before its %s", entry)
		}
	}
	o.steps = nil
	return o
}

// entries returns the entries that the order must have in the ledger, as entriesIn reads them.
func (o *order) entries() (entries []string) {
	switch answer := decoded(o.answer); o.entry {
	case "":
		return nil
	case "REDEMPTION", "REFUND":
		return []string{o.entry + " " + answer.GiftCardID + " " + answer.TransactionID}
	case "TRANSFER":
		return []string{
			"TRANSFER_OUT " + answer.SourceCard.ID + " " + answer.TransferID,
			"TRANSFER_IN " + answer.DestinationCard.ID + " " + answer.TransferID,
		}
	case "CONSOLIDATION":
		cards := slices.Concat(answer.VoidedCards, []string{answer.NewCard.ID})
		for i, entry := range answer.ConsolidationTransactions {
			entries = append(entries, o.entry+" "+cards[i]+" "+entry)
		}
		return entries
	default: // these answers do not name their entry, and a card of a life has one of each
		return []string{o.entry + " " + answer.ID + " "}
	}
}

// entriesIn checks that the ledger has the entries of each movement once and no other.
func (a *audit) entriesIn(conn *pgx.Conn) {
	want := map[string]string{} // the order's key, by the entry
	for _, o := range a.orders {
		for _, entry := range o.entries() {
			if other, double := want[entry]; double {
				a.trial.exceptionf("%s is of %s and of %s", entry, other, o.key)
			}
			want[entry] = o.key
		}
	}
	rows, err := conn.Query(a.trial.ctx, `select concat(type, ' ', encode(card_id, 'hex'), ' ', case
		when type in ('REDEMPTION', 'REFUND', 'CONSOLIDATION') then encode(id, 'hex')
		when type in ('TRANSFER_OUT', 'TRANSFER_IN') then reference_id end) from ledger_entries`)
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
