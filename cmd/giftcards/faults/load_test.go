package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// order is a request that must have its effect exactly once, even if it is sent several
// times.
type order struct {
	key, path, body string
	cards, messages int // the numbers that its effect creates
	task            bool
	// A blind order has no idempotency key and is sent once. Without an answer, it has made one
	// card or none.
	blind bool
	// entry is the movement of money on existing cards that the order asks for, or "".
	entry string
	// steps make the orders that follow when this one is answered. Each gets the answer to the order before.
	steps []func(last moved) *order

	status int // status of the first 2xx answer
	answer []byte
}

// load simulates merchants: it sends each order until it is answered, and keeps the
// answers.
type load struct {
	trial    *trial
	merchant merchant
	bases    []func() string // servers to ask, in turn
	client   *http.Client

	inFlight, answered, failed atomic.Int64
	turn                       atomic.Int64
	mutex                      sync.Mutex
	orders                     []*order
}

const (
	answerWithin  = 20 * time.Second // the load waits so long for one attempt
	orderedWithin = 2 * time.Minute  // an order without an answer is lost after this time
)

func (tr *trial) newLoad(m merchant, bases ...func() string) *load {
	return &load{trial: tr, merchant: m, bases: bases, client: &http.Client{
		Timeout: answerWithin, Transport: &http.Transport{MaxIdleConnsPerHost: 32, IdleConnTimeout: 10 * time.Second},
	}}
}

// busy reports whether there is work that a fault can hit.
func (l *load) busy() bool { return l.inFlight.Load() > 0 }

// card orders one card.
func (l *load) card() *order {
	o := &order{key: l.newKey("card"), path: cardsPath, cards: 1}
	extra := ""
	if l.trial.roll(2) == 0 {
		extra, o.messages = fmt.Sprintf(`,"customerName":"Ada","customerEmail":"%s@example.com"`, o.key), 1
	}
	o.body = fmt.Sprintf(`{"initialValue":"%d.25","merchantId":"%s"%s}`, 1+l.trial.roll(500), l.merchant.MerchantID, extra)
	return o
}

// blindCard orders one card without a key. The card's name identifies the order.
func (l *load) blindCard() *order {
	o := &order{key: l.newKey(blindName), path: cardsPath, cards: 1, blind: true}
	o.body = fmt.Sprintf(`{"initialValue":1,"merchantId":"%s","customerName":"%s"}`, l.merchant.MerchantID, o.key)
	return o
}

const (
	blindName = "blind"
	// Paths are below that of the program.
	cardsPath = "/cards"
	bulkPath  = cardsPath + "/bulk"
)

// bulk orders some cards, with or without recipients.
func (l *load) bulk(cards int, told bool) *order {
	o := &order{key: l.newKey("bulk"), path: bulkPath, cards: cards, task: cards > threshold}
	if !told {
		o.body = fmt.Sprintf(`{"initialValue":"5","count":%d}`, cards)
		return o
	}
	o.messages = cards
	recipients := make([]string, cards)
	for i := range recipients {
		recipients[i] = fmt.Sprintf(`{"customerName":"Ada","customerEmail":"%s-%d@example.com"}`, o.key, i)
	}
	o.body = `{"initialValue":7.5,"recipients":[` + strings.Join(recipients, ",") + `]}`
	return o
}

// threshold is the server's default of --bulk-threshold. A task issues more cards.
const threshold = 50

// any makes a random order, mostly for one card.
func (l *load) any() *order {
	switch n := l.trial.roll(20); {
	case n < 1:
		return l.blindCard()
	case n < 5:
		return l.life()
	case n < 14:
		return l.card()
	case n < 18:
		return l.bulk(1+l.trial.roll(threshold), n < 16)
	default:
		return l.bulk(threshold+1+l.trial.roll(200), n < 19)
	}
}

var orders atomic.Int64

func (l *load) newKey(kind string) string { return fmt.Sprintf("%s-%d", kind, orders.Add(1)) }

// carryOut sends an order until it is answered. Now and then it sends it twice at once, as
// impatient clients do.
func (l *load) carryOut(o *order) {
	l.mutex.Lock()
	l.orders = append(l.orders, o)
	l.mutex.Unlock()
	l.trial.requests.Add(1)
	l.inFlight.Add(1)
	defer l.inFlight.Add(-1)
	if o.blind {
		status, answer, err := l.do(http.MethodPost, o.path, "", o.body)
		if err == nil && status == http.StatusCreated {
			o.status, o.answer = status, answer
		} else if err == nil && status < 500 {
			l.trial.exceptionf("%s: %d %.300s", o.key, status, answer)
		}
		return
	}
	if l.trial.roll(8) != 0 {
		o.status, o.answer = l.untilAnswered(o)
		return
	}
	var twin sync.WaitGroup
	var status int
	var answer []byte
	twin.Go(func() { status, answer = l.untilAnswered(o) })
	o.status, o.answer = l.untilAnswered(o)
	twin.Wait()
	if !same(o, status, answer) {
		l.trial.exceptionf("%s, sent twice at once: %d %.300s and %d %.300s", o.key, o.status, o.answer, status, answer)
	}
}

func (l *load) untilAnswered(o *order) (int, []byte) {
	last := "nothing"
	for deadline := time.Now().Add(orderedWithin); time.Now().Before(deadline) && l.trial.ctx.Err() == nil; {
		status, answer, err := l.do(http.MethodPost, o.path, o.key, o.body)
		switch {
		case err == nil && status/100 == 2:
			l.answered.Add(1)
			return status, answer
		// A connection that was cut may hold a card until PostgreSQL notices: that is a 409.
		case err == nil && status < 500 && status != http.StatusConflict:
			l.trial.exceptionf("%s: %d %.300s", o.key, status, answer)
			return status, answer
		}
		l.failed.Add(1)
		last = fmt.Sprintf("%d %.300s %v", status, answer, err)
		time.Sleep(5*time.Millisecond + l.trial.upTo(20*time.Millisecond))
	}
	l.trial.exceptionf("%s is not answered in %s: %s", o.key, orderedWithin, last)
	return 0, nil
}

// do sends a request to the next of the servers. The path is below that of the program.
func (l *load) do(method, path, key, body string) (int, []byte, error) {
	base := l.bases[int(l.turn.Add(1))%len(l.bases)]()
	return l.send(method, base+"/v2/giftcards/programs/"+l.merchant.ProgramID+path, key, body)
}

func (l *load) send(method, address, key, body string) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(l.trial.ctx, answerWithin)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+l.merchant.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	response, err := l.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

// same reports whether an answer equals the first one. Only the CSV's link differs in each
// answer.
func same(o *order, status int, answer []byte) bool {
	return status == o.status && bytes.Equal(withoutLink(answer), withoutLink(o.answer))
}

func withoutLink(answer []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(answer, &fields) != nil {
		return answer
	}
	delete(fields, "csvDownloadUrl")
	text, _ := json.Marshal(fields)
	return text
}

// run lets workers carry out the orders of next until it returns nil. It returns when the
// last one is answered.
func (l *load) run(workers int, next func() *order) {
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for o := next(); o != nil && l.trial.ctx.Err() == nil; o = next() {
				for ; o != nil; o = o.after() {
					l.carryOut(o)
				}
			}
		})
	}
	all.Wait()
}

// during runs the load while it makes the faults.
func (l *load) during(workers int, faults func()) {
	var stop atomic.Bool
	var all sync.WaitGroup
	all.Go(func() {
		l.run(workers, func() *order {
			if stop.Load() {
				return nil
			}
			time.Sleep(l.trial.upTo(50 * time.Millisecond)) // enough work for a fault, and little to check
			return l.any()
		})
	})
	defer all.Wait()
	defer stop.Store(true)
	faults()
}

// list returns the orders one after the other, each once.
func (l *load) list(orders []*order) func() *order {
	var at atomic.Int64
	return func() *order {
		i := int(at.Add(1)) - 1
		if i >= len(orders) {
			return nil
		}
		return orders[i]
	}
}
