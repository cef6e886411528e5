package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"

	"giftcards/gen/api"
)

func (b *bench) lookupLines() []line {
	var detailed string // path of the details
	var places []string // ids of the cards after which pages begin
	return []line{
		{
			name: "balance-check", unit: "requests/s", target: 0.30,
			work:  "check the balance of a card by number and code, 64 connections, " + number(float64(b.sizes.till)) + " cards",
			floor: "bare echo that decodes the request and sends an answer of the same size, without a database",
			setUp: b.openTill,
			ours:  b.checkBalances,
			bare:  func(ctx context.Context) (round, error) { return b.checkBalances(ctx, b.echo) },
		},
		{
			name: "details", unit: "requests/s", target: 0.30,
			work:  fmt.Sprintf("details of a card with %d entries, 64 connections", detailedEntries),
			floor: "bare echo that encodes the same answer, without a database",
			setUp: func(ctx context.Context) (err error) {
				detailed, err = b.prepareDetails(ctx)
				return err
			},
			ours: func(ctx context.Context, p *process) (round, error) { return b.details(ctx, p, detailed) },
			bare: func(ctx context.Context) (round, error) { return b.details(ctx, b.echo, detailed) },
		},
		{
			name: "list", unit: "cards/s", target: 0.50,
			work:  fmt.Sprintf("pages of %d cards at random places among %s, 1 connection", pageCards, number(float64(b.listed()))),
			floor: "`\\copy (select …) to '/dev/null'` of pages at the same places, 1 session",
			setUp: func(ctx context.Context) (err error) {
				places, err = b.issueToList(ctx)
				return err
			},
			ours: func(ctx context.Context, p *process) (round, error) { return b.list(ctx, p, places) },
			bare: func(ctx context.Context) (round, error) { return b.listBare(ctx, places) },
		},
	}
}

func (b *bench) checkBalances(ctx context.Context, p *process) (round, error) {
	var next atomic.Int64
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 64,
		prepare: func(request *fasthttp.Request) {
			request.SetRequestURI("http://" + p.address + "/v2/giftcards/programs/" + b.shop.programID + "/balance-check")
			request.Header.SetMethod(http.MethodPost)
			request.Header.SetContentType("application/json")
		},
		each: func(request *fasthttp.Request) {
			card := b.till.cards[int(next.Add(1))%len(b.till.cards)]
			request.SetBodyString(fmt.Sprintf(`{"cardNumber":%q,"securityCode":%q}`, card.number, card.code))
		},
		check: func(body []byte) error {
			if !bytes.Contains(body, []byte(`"balance":"`+startBalance+`"`)) {
				return fmt.Errorf("want the balance %s: %s", startBalance, body)
			}
			return nil
		},
	})
	return r, err
}

// detailedEntries is the number of ledger entries of the card with details, including the
// activation.
const detailedEntries = 100

// prepareDetails redeems from a card until it has detailedEntries, gives the answer to the
// echo server, and returns its path.
func (b *bench) prepareDetails(ctx context.Context) (path string, err error) {
	if err := b.openTill(ctx); err != nil {
		return "", err
	}
	card := b.cards() + "/" + b.till.cards[0].id.String()
	for range detailedEntries - 1 {
		if err := b.post(ctx, card+"/redeem", redeemBody); err != nil {
			return "", err
		}
	}
	path = card + "?include_transactions=true"
	var body bytes.Buffer
	if err := b.get(ctx, b.shop.token, path, &body); err != nil {
		return "", err
	}
	var answer api.GiftCardDetailsResponse
	if err := json.Unmarshal(body.Bytes(), &answer); err != nil {
		return "", err
	}
	if answer.Transactions == nil || len(*answer.Transactions) != detailedEntries {
		return "", fmt.Errorf("want %d entries: %s", detailedEntries, body.Bytes())
	}
	request, err := b.request(ctx, http.MethodPut, b.echo.address, path, body.Bytes())
	if err != nil {
		return "", err
	}
	kept, err := do(request)
	if err != nil {
		return "", err
	}
	return path, kept.Body.Close()
}

func (b *bench) details(ctx context.Context, p *process, path string) (round, error) {
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 64,
		prepare: func(request *fasthttp.Request) {
			request.SetRequestURI("http://" + p.address + path)
			request.Header.Set("Authorization", "Bearer "+b.shop.token)
		},
		check: wantCount(`"transactionType"`, detailedEntries),
	})
	return r, err
}

// wantCount returns a check that an answer contains a text n times.
func wantCount(text string, n int) func([]byte) error {
	return func(body []byte) error {
		if got := bytes.Count(body, []byte(text)); got != n {
			return fmt.Errorf("%s is in the answer %d times, want %d", text, got, n)
		}
		return nil
	}
}

const (
	pageCards = 250
	// listPlaces is the number of different pages that the line reads, again and again.
	listPlaces = 500
)

// listed is the number of cards that the line "list" reads pages of.
func (b *bench) listed() int {
	if b.quick {
		return b.sizes.bulk
	}
	return b.listCards
}

// issueToList issues cards by tasks, and returns the ids of random cards. The line reads the page
// after each of them.
func (b *bench) issueToList(ctx context.Context) ([]string, error) {
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	for left := b.listed(); left > 0; left -= b.sizes.bulk {
		if _, err := b.issue(ctx, min(left, b.sizes.bulk)); err != nil {
			return nil, err
		}
	}
	if err := b.db.exec(ctx, "vacuum (analyze) gift_cards", "checkpoint"); err != nil {
		return nil, err
	}
	// The sample is twice as large as needed, because its number of rows is random. It leaves out
	// the oldest cards, because the page after one of them would be too short.
	rows, err := b.db.admin.Query(ctx, `
		select encode(id, 'hex') from gift_cards tablesample bernoulli ($1)
		where id >= (select id from gift_cards where `+b.ofShop()+` order by id offset $2 limit 1)
		order by random() limit $3`, min(100, 200*float64(listPlaces)/float64(b.listed())), pageCards, listPlaces)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (b *bench) list(ctx context.Context, p *process, places []string) (round, error) {
	n := 0
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 1,
		prepare: func(request *fasthttp.Request) { request.Header.Set("Authorization", "Bearer "+b.shop.token) },
		each: func(request *fasthttp.Request) {
			n++
			request.SetRequestURI(fmt.Sprintf("http://%s/v2/giftcards/programs/cards?programId=%s&limit=%d&after=%s%[2]s",
				p.address, b.shop.programID, pageCards, places[n%len(places)]))
		},
		check: wantCount(`"cardNumber"`, pageCards),
	})
	r.rate, r.units = r.rate*pageCards, r.units*pageCards
	return r, err
}

// listBare lets psql read the columns of an answer, in the order of the list.
func (b *bench) listBare(ctx context.Context, places []string) (r round, err error) {
	commands := make([]string, len(places))
	for i, place := range places {
		commands[i] = fmt.Sprintf(`\copy (select id, card_number, balance, initial_value, status, created_at, updated_at, activated_at, expires_at, `+
			`suspended_reason, suspended_until, suspended_at, customer_email, customer_phone, customer_name, sender_name, custom_message, is_physical, design_template, deliver_at, delivered `+
			`from gift_cards where %s and id < '\x%s' order by id desc limit %d) to '/dev/null'`, b.ofShop(), place, pageCards)
	}
	// A session reads each page once. One session follows another until the round is full.
	var total time.Duration
	units := 0
	for total < b.duration {
		elapsed, err := b.db.psqlTime(ctx, commands...)
		if err != nil {
			return r, err
		}
		total, units = total+elapsed, units+len(places)*pageCards
	}
	r.took(units, total)
	return r, nil
}
