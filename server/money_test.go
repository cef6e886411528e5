package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

const insufficient = "400 Insufficient gift card balance"

// traffic sends changes of cards to two instances at the same moment and counts the answers
// that are not 200.
type traffic struct {
	shop
	servers []*servertest.Server

	mutex   sync.Mutex
	refused map[string]int
}

func newTraffic(t *testing.T) *traffic {
	t.Helper()
	url, keys := storetest.URL(t), filepath.Join(t.TempDir(), "keys.json")
	servers := []*servertest.Server{servertest.NewOn(t, url, keys), servertest.NewOn(t, url, keys)}
	return &traffic{shop: shopOn(t, servers[0]), servers: servers, refused: map[string]int{}}
}

func (f *traffic) cards(count int) []giftCard {
	f.t.Helper()
	cards := make([]giftCard, count)
	for i := range cards {
		cards[i] = f.sell("100")
	}
	return cards
}

// send sends a request to the n-th instance, and returns the status.
func (f *traffic) send(n int, path, body string) int { return f.answerOf(n, path, body).Code }

// answerOf is send, but returns the whole answer.
func (f *traffic) answerOf(n int, path, body string) *httptest.ResponseRecorder {
	answer := f.exchange(n, path, f.m.Token, nil, body)
	if answer.Code != http.StatusOK {
		f.mutex.Lock()
		defer f.mutex.Unlock()
		var body struct{ Detail string }
		_ = json.Unmarshal(answer.Body.Bytes(), &body)
		f.refused[fmt.Sprint(answer.Code, " ", body.Detail)]++
	}
	return answer
}

// exchange sends a request with a token and further headers to the n-th instance, and counts nothing.
func (f *traffic) exchange(n int, path, token string, header http.Header, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, strings.TrimSuffix(f.m.Cards(), "/cards")+path, strings.NewReader(body))
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	answer := httptest.NewRecorder()
	f.servers[n%len(f.servers)].Handler.ServeHTTP(answer, r)
	return answer
}

// serveAll calls serve for 0 to total-1, in so many clients at the same moment. Each client has
// random numbers of its own.
func serveAll(clients, total int, seed uint64, serve func(n int, random *rand.Rand)) {
	var all sync.WaitGroup
	for client := range clients {
		random := rand.New(rand.NewPCG(seed, uint64(client)))
		all.Go(func() {
			for n := client; n < total; n += clients {
				serve(n, random)
			}
		})
	}
	all.Wait()
}

func (f *traffic) move(n int, from, to giftCard, amount string) int {
	return f.send(n, "/cards/"+from.id+"/transfer", transferBody(from.code, to.number, amount))
}

// wantRefused fails the test if there were refusals other than the allowed ones.
func (f *traffic) wantRefused(allowed ...string) {
	f.t.Helper()
	for answer, count := range f.refused {
		if !slices.Contains(allowed, answer) {
			f.t.Errorf("%d times %s", count, answer)
		}
	}
}

// wantSums fails the test unless all balances add up to total, and the whole ledger adds up.
func (f *traffic) wantSums(total string) {
	t := f.t
	t.Helper()
	figures, err := store.Read(t.Context(), f.servers[0].Store, func(tx *store.Tx) (store.LedgerFigures, error) { return tx.VerifyLedger(t.Context(), id.ID{}) })
	if err != nil || figures.Balance.Cmp(amount(t, total)) != 0 {
		t.Errorf("all cards hold %s (%v), want %s", figures.Balance, err, total)
	}
	if n := count(t, f.servers[0], "gift_cards where balance < 0"); n > 0 {
		t.Errorf("%d cards have less than nothing", n)
	}
}

// TestTransfersBetweenManyCardsAtOnceLoseNothing: no caller gets a deadlock, or the answer that a
// card is busy while others hold it for a moment.
func TestTransfersBetweenManyCardsAtOnceLoseNothing(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(50)
	var clients sync.WaitGroup
	for client := range 64 {
		random := rand.New(rand.NewPCG(1, uint64(client)))
		clients.Go(func() {
			for range full.Size(10, 5) {
				from := random.IntN(len(cards))
				to := (from + 1 + random.IntN(len(cards)-1)) % len(cards)
				f.move(client, cards[from], cards[to], fmt.Sprintf("%d.%02d", random.IntN(40), 1+random.IntN(99)))
			}
		})
	}
	clients.Wait()
	f.wantRefused(insufficient, notActive)
	f.wantSums("5000.00")
}

func TestOppositeTransfersAtOnceDoNotDeadlock(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(2)
	var clients sync.WaitGroup
	for client := range 64 {
		clients.Go(func() {
			from := client / 2 % 2 // each direction goes to both instances
			for range 5 {
				f.move(client, cards[from], cards[1-from], "0.01")
			}
		})
	}
	clients.Wait()
	f.wantRefused()
	f.wantSums("200.00")
}

// TestCardsAreMergedDuringTransfersBetweenThem: each card is merged once, and no money is lost.
func TestCardsAreMergedDuringTransfersBetweenThem(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(12)
	merged := make(chan int, 64)
	var clients sync.WaitGroup
	for client := range 32 {
		random := rand.New(rand.NewPCG(2, uint64(client)))
		clients.Go(func() {
			for range 5 {
				from := random.IntN(len(cards))
				f.move(client, cards[from], cards[(from+1+random.IntN(len(cards)-1))%len(cards)], "0.50")
			}
		})
		order := rand.New(rand.NewPCG(3, uint64(client))).Perm(len(cards))[:3]
		clients.Go(func() {
			body := fmt.Sprintf(`{"cardNumbers":[%q,%q,%q],"merchantId":%q,"referenceId":"merge %d"}`, cards[order[0]].number, cards[order[1]].number, cards[order[2]].number, f.m.ID, client)
			if f.send(client, "/consolidate", body) == http.StatusOK {
				merged <- client
			}
		})
	}
	clients.Wait()
	f.wantRefused(voided)
	f.wantSums("1200.00")
	var void, made int
	if err := f.servers[0].Store.Pool().QueryRow(t.Context(), "select count(*) filter (where status = 'voided'), count(*) filter (where status = 'active') from gift_cards").Scan(&void, &made); err != nil ||
		len(merged) == 0 || void != 3*len(merged) || made != len(cards)-void+len(merged) {
		t.Errorf("%d merged, %d cards are voided and %d active (%v)", len(merged), void, made, err)
	}
	var unequal int
	if err := f.servers[0].Store.Pool().QueryRow(t.Context(), `select count(*) from (select reference_id from ledger_entries where type = 'CONSOLIDATION' group by reference_id having sum(amount) <> 0) e`).Scan(&unequal); err != nil || unequal > 0 {
		t.Errorf("%d consolidations do not add up to nothing (%v)", unequal, err)
	}
}

// TestAsManyRedemptionsSucceedAsTheMoneyAllows when several times as many are sent at once, on two
// instances.
func TestAsManyRedemptionsSucceedAsTheMoneyAllows(t *testing.T) {
	t.Parallel()
	f := newTraffic(t)
	cards := f.cards(4)
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
	f.wantRefused(insufficient)
	f.wantSums("4.00") // 100 is 33 times 3, and 1
	for card := range cards {
		if n := redemptions[card].Load(); n != 33 {
			t.Errorf("%d redemptions of 3.00 of a card of 100.00, want 33", n)
		}
	}
}
