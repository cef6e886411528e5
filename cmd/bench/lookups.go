package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"giftcards/gen/api"
)

func (b *bench) lookupLines() []line {
	var detailed string // path of the details
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
	for range detailedEntries - 1 {
		if err := b.moveOnce(ctx, redemption); err != nil {
			return "", err
		}
	}
	path = b.cards() + "/" + b.till.cards[0].id.String() + "?include_transactions=true"
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
	return path, b.giveEcho(ctx, path, body.Bytes())
}

// giveEcho gives the echo server the answer for a path.
func (b *bench) giveEcho(ctx context.Context, path string, body []byte) error {
	request, err := b.request(ctx, http.MethodPut, b.echo.address, path, body)
	if err != nil {
		return err
	}
	kept, err := do(request)
	if err != nil {
		return err
	}
	return kept.Body.Close()
}

func (b *bench) details(ctx context.Context, p *process, path string) (round, error) {
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 64,
		prepare: func(request *fasthttp.Request) {
			request.SetRequestURI("http://" + p.address + path)
			b.authorize(request)
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
