package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"giftcards/store/storetest/full"
)

// TestAllMovementsAtOnceLoseNoCent: the cards hold exactly the sum of the movements that were
// answered with 200.
func TestAllMovementsAtOnceLoseNoCent(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	till := &till{traffic: f, sold: f.cards(50)}
	serveAll(64, full.Size(10_000, 1_000), 4, till.serve)
	f.wantRefused(insufficient, notActive, voided, "400 This transaction has already been processed.")
	f.wantSums(fmt.Sprintf("%d.00", 50*100+till.reloaded.Load()-till.redeemed.Load()+till.refunded.Load()))
	if till.redeemed.Load() == 0 || till.refunded.Load() == 0 || till.reloaded.Load() == 0 || till.merged.Load() == 0 {
		t.Error("an operation never succeeded: the test proves nothing")
	}
}

// till makes movements of whole amounts, and adds up those that succeed.
type till struct {
	*traffic
	mutex    sync.Mutex
	sold     []giftCard
	receipts []receipt // redemptions, each of which may be refunded

	redeemed, refunded, reloaded, merged atomic.Int64
}

type receipt struct{ card, transaction string }

// pick returns a card at random.
func (l *till) pick(random *rand.Rand) giftCard {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.sold[random.IntN(len(l.sold))]
}

// mostMerged limits the consolidations, so that many cards are left to lock.
const mostMerged = 30

func (l *till) serve(n int, random *rand.Rand) {
	card, other := l.pick(random), l.pick(random)
	value := 1 + random.Int64N(40)
	body := fmt.Sprintf(`{"amount":"%d"}`, value)
	switch kind := random.IntN(20); {
	case kind < 8:
		l.redeem(n, card, value)
	case kind < 12:
		if l.send(n, "/cards/"+card.id+"/reload", body) == http.StatusOK {
			l.reloaded.Add(value)
		}
	case kind < 15:
		l.refund(n, random)
	case card.id == other.id: // nothing to move
	case kind < 19 || l.merged.Load() >= mostMerged:
		l.move(n, card, other, fmt.Sprint(value))
	default:
		l.merge(n, card, other)
	}
}

func (l *till) redeem(n int, card giftCard, value int64) {
	answer := l.answerOf(n, "/cards/"+card.id+"/redeem", fmt.Sprintf(`{"amount":"%d"}`, value))
	var body struct{ TransactionID string }
	if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &body) != nil {
		return
	}
	l.redeemed.Add(value)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.receipts = append(l.receipts, receipt{card.id, body.TransactionID})
}

// refund gives a redemption back. Several clients may try the same one.
func (l *till) refund(n int, random *rand.Rand) {
	l.mutex.Lock()
	if len(l.receipts) == 0 {
		l.mutex.Unlock()
		return
	}
	paid := l.receipts[random.IntN(len(l.receipts))]
	l.mutex.Unlock()
	answer := l.answerOf(n, "/cards/"+paid.card+refundOf(paid.transaction), `{}`)
	var body struct{ RefundedAmount json.Number }
	if answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &body) == nil {
		whole, _, _ := strings.Cut(body.RefundedAmount.String(), ".")
		var value int64
		_, _ = fmt.Sscan(whole, &value)
		l.refunded.Add(value)
	}
}

// merge consolidates two cards, and puts the new one in the place of both.
func (l *till) merge(n int, card, other giftCard) {
	answer := l.answerOf(n, "/consolidate", fmt.Sprintf(`{"cardNumbers":[%q,%q],"merchantId":%q}`, card.number, other.number, l.m.ID))
	var body struct {
		NewCard struct{ ID, CardNumber string }
	}
	if answer.Code != http.StatusOK || json.Unmarshal(answer.Body.Bytes(), &body) != nil {
		return
	}
	l.merged.Add(1)
	merged := giftCard{body.NewCard.ID, body.NewCard.CardNumber, l.code(body.NewCard.ID)}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for place, at := range l.sold {
		if at == card || at == other {
			l.sold[place] = merged
		}
	}
}
