package server_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
)

// traffic sends changes of cards to two instances at the same moment and counts the answers
// that are not 200.
type traffic struct {
	merchant *servertest.Merchant
	servers  []*servertest.Server

	mutex   sync.Mutex
	refused map[string]int
}

func newTraffic(t *testing.T) *traffic {
	t.Helper()
	url, keys := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	servers := []*servertest.Server{servertest.NewOn(t, url, keys), servertest.NewOn(t, url, keys)}
	return &traffic{merchant: servers[0].Merchant(), servers: servers, refused: map[string]int{}}
}

func (f *traffic) cards(t *testing.T, count int) []soldCard {
	t.Helper()
	cards := make([]soldCard, count)
	for i := range cards {
		cards[i] = sell(t, f.servers[0], f.merchant, "100")
	}
	return cards
}

// send sends a request to the n-th instance, and returns the status.
func (f *traffic) send(n int, path, body string) int { return f.ask(n, path, body).Code }

// ask is send that returns the whole answer.
func (f *traffic) ask(n int, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, strings.TrimSuffix(f.merchant.Cards(), "/cards")+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+f.merchant.Token)
	answer := httptest.NewRecorder()
	f.servers[n%len(f.servers)].Handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusOK {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		f.refused[fmt.Sprintf("%d %s", answer.Code, strings.TrimSpace(answer.Body.String()))]++
	}
	return answer
}

func (f *traffic) transfer(n int, from, to soldCard, amount string) int {
	return f.send(n, "/cards/"+from.id+"/transfer", transferBody(from.code, to.number, amount))
}

// wantRefused fails the test if there were other refusals than these.
func (f *traffic) wantRefused(t *testing.T, allowed ...string) {
	t.Helper()
	for answer, count := range f.refused {
		ok := false
		for _, text := range allowed {
			ok = ok || answer == fmt.Sprintf(`400 {"detail":%q}`, text)
		}
		if !ok {
			t.Errorf("%d times %s", count, answer)
		}
	}
}

// wantSums fails the test unless all balances add up to total, and the whole ledger adds up.
func (f *traffic) wantSums(t *testing.T, total string) {
	t.Helper()
	figures, err := store.Read(t.Context(), f.servers[0].Store, func(tx *store.Tx) (store.LedgerFigures, error) { return tx.VerifyLedger(t.Context(), id.ID{}) })
	if err != nil || figures.Balance.Cmp(amount(t, total)) != 0 {
		t.Errorf("all cards hold %s (%v), want %s", figures.Balance, err, total)
	}
	if n := count(t, f.servers[0], "gift_cards where balance < 0"); n > 0 {
		t.Errorf("%d cards have less than nothing", n)
	}
}

// TestTransfersBetweenManyCardsAtOnceLoseNothing: no deadlock reaches a caller, and nobody is
// told that a card is busy only because others have it for a moment.
func TestTransfersBetweenManyCardsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(t, 50)
	var clients sync.WaitGroup
	for client := range 64 {
		random := rand.New(rand.NewPCG(1, uint64(client)))
		clients.Go(func() {
			for range 10 {
				from := random.IntN(len(cards))
				to := (from + 1 + random.IntN(len(cards)-1)) % len(cards)
				f.transfer(client, cards[from], cards[to], fmt.Sprintf("%d.%02d", random.IntN(40), 1+random.IntN(99)))
			}
		})
	}
	clients.Wait()
	f.wantRefused(t, "Insufficient gift card balance", "Gift card is not active")
	f.wantSums(t, "5000.00")
}

func TestOppositeTransfersAtOnceDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(t, 2)
	var clients sync.WaitGroup
	for client := range 64 {
		clients.Go(func() {
			from := client / 2 % 2 // each direction goes to both instances
			for range 5 {
				f.transfer(client, cards[from], cards[1-from], "0.01")
			}
		})
	}
	clients.Wait()
	f.wantRefused(t)
	f.wantSums(t, "200.00")
}

// TestCardsAreMergedBesideTransfersOfThem: each card is merged once, and no money is lost.
func TestCardsAreMergedBesideTransfersOfThem(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(t, 12)
	merged := make(chan int, 64)
	var clients sync.WaitGroup
	for client := range 32 {
		random := rand.New(rand.NewPCG(2, uint64(client)))
		clients.Go(func() {
			for range 5 {
				from := random.IntN(len(cards))
				f.transfer(client, cards[from], cards[(from+1+random.IntN(len(cards)-1))%len(cards)], "0.50")
			}
		})
		order := rand.New(rand.NewPCG(3, uint64(client))).Perm(len(cards))[:3]
		clients.Go(func() {
			body := fmt.Sprintf(`{"cardNumbers":[%q,%q,%q],"merchantId":%q,"referenceId":"merge %d"}`, cards[order[0]].number, cards[order[1]].number, cards[order[2]].number, f.merchant.ID, client)
			if f.send(client, "/consolidate", body) == http.StatusOK {
				merged <- client
			}
		})
	}
	clients.Wait()
	f.wantRefused(t, "Gift card has been voided")
	f.wantSums(t, "1200.00")
	var voided, made int
	if err := f.servers[0].Store.Pool().QueryRow(t.Context(), "select count(*) filter (where status = 'voided'), count(*) filter (where status = 'active') from gift_cards").Scan(&voided, &made); err != nil ||
		len(merged) == 0 || voided != 3*len(merged) || made != len(cards)-voided+len(merged) {
		t.Errorf("%d merged, %d cards are voided and %d active (%v)", len(merged), voided, made, err)
	}
	var unequal int
	if err := f.servers[0].Store.Pool().QueryRow(t.Context(), `select count(*) from (select reference_id from ledger_entries where type = 'CONSOLIDATION' group by reference_id having sum(amount) <> 0) e`).Scan(&unequal); err != nil || unequal > 0 {
		t.Errorf("%d consolidations do not add up to nothing (%v)", unequal, err)
	}
}

// TestAsManyRedemptionsSucceedAsTheMoneyAllows, although several times as many are asked for at
// once, on two instances.
func TestAsManyRedemptionsSucceedAsTheMoneyAllows(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(t, 4)
	redemptions := make([]atomic.Int64, len(cards))
	var clients sync.WaitGroup
	for client := range 64 {
		clients.Go(func() {
			for n := range 4 {
				card := (client + n) % len(cards)
				if f.send(client/len(cards), "/cards/"+cards[card].id+"/redeem", `{"amount":"3"}`) == http.StatusOK {
					redemptions[card].Add(1)
				}
			}
		})
	}
	clients.Wait()
	f.wantRefused(t, "Insufficient gift card balance")
	f.wantSums(t, "4.00") // 100 is 33 times 3, and 1
	for card := range cards {
		if n := redemptions[card].Load(); n != 33 {
			t.Errorf("%d redemptions of 3.00 of a card of 100.00, want 33", n)
		}
	}
}
