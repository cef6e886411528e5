package main

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"
)

const (
	pageCards = 250
	// listPlaces is the number of pages that the line "list" reads in turn, and of card numbers that
	// "search-number" looks for in turn.
	listPlaces = 500
)

// listed has some of the cards that the lines here read. At most a fifth of all cards has recipients.
type listed struct {
	places  []string // ids of the cards after which pages begin
	numbers []string // of the same cards
}

// search is a line that reads pages of one kind, as a person in a shop would.
type search struct {
	name, work string
	least      int                // the least number of cards in each answer
	query      func(n int) string // the text that request n looks for
}

func (b *bench) listLines() []line {
	among := " among " + number(float64(b.listSize())) + ", 1 connection"
	lines := []line{{
		name: "list", unit: "cards/s", target: 0.50,
		work:  fmt.Sprintf("pages of %d cards at random places%s", pageCards, among),
		floor: "`\\copy (select …) to '/dev/null'` of pages at the same places, 1 session",
		setUp: b.issueToList,
		ours:  b.list,
		bare:  b.listBare,
	}}
	for _, s := range []search{
		{"list-first", fmt.Sprintf("the first page of %d cards", pageCards), pageCards, func(int) string { return "" }},
		{"search-number", "cards found by number", 1, func(n int) string { return b.listed.numbers[n%len(b.listed.numbers)] }},
		// The factor scatters the requests over all cards. No text repeats before all were looked for,
		// because the factor is prime.
		{"search-last-four", "cards found by the last four digits", 0, func(n int) string { return fmt.Sprintf("%04d", n*7919%10_000) }},
		{"search-text", "cards found by a part of an e-mail address", 1, func(n int) string { return fmt.Sprintf("hopper.%d@", n*7919%b.sizes.recipients) }},
	} {
		lines = append(lines, line{
			name: s.name, unit: "requests/s", work: s.work + among,
			floor: "bare echo that encodes one of the answers, without a database",
			setUp: func(ctx context.Context) error { return b.prepareSearch(ctx, s) },
			ours:  func(ctx context.Context, p *process) (round, error) { return b.search(ctx, p, s) },
			bare:  func(ctx context.Context) (round, error) { return b.search(ctx, b.echo, s) },
		})
	}
	return lines
}

// listSize is the number of cards that the lines here read.
func (b *bench) listSize() int {
	if b.quick {
		return b.sizes.bulk
	}
	return b.listCards
}

// issueToList issues cards by tasks and remembers some of them. It does nothing if a line before has
// issued them and they are still there.
func (b *bench) issueToList(ctx context.Context) error {
	if b.listed != nil && b.wantRows(ctx, b.listSize(), "gift_cards") == nil {
		return nil
	}
	if err := b.fresh(ctx); err != nil {
		return err
	}
	if err := b.issueAll(ctx, b.listSize()); err != nil {
		return err
	}
	if err := b.awaitIndex(ctx); err != nil {
		return err
	}
	if err := b.db.exec(ctx, "vacuum (analyze) gift_cards", "checkpoint"); err != nil {
		return err
	}
	// The sample is twice as large as needed, because its number of rows is random. It leaves out
	// the oldest cards, because the page after one of them would be too short.
	rows, err := b.db.admin.Query(ctx, `
		select encode(id, 'hex'), card_number::text from gift_cards tablesample bernoulli ($1)
		where id >= (select id from gift_cards where `+b.ofShop()+` order by id offset $2 limit 1)
		order by random() limit $3`, min(100, 200*float64(listPlaces)/float64(b.listSize())), pageCards, listPlaces)
	if err != nil {
		return err
	}
	cards := &listed{}
	var place, cardNumber string
	_, err = pgx.ForEachRow(rows, []any{&place, &cardNumber}, func() error {
		cards.places, cards.numbers = append(cards.places, place), append(cards.numbers, cardNumber)
		return nil
	})
	b.listed = cards
	return err
}

// issueAll issues cards by tasks: first at most a fifth of them with recipients, in whole tasks, and
// then the others by count. So the newest cards have no names or addresses, and a search has to use the index.
func (b *bench) issueAll(ctx context.Context, cards int) error {
	body := b.recipientsBody()
	left := cards
	for ; left-b.sizes.recipients >= cards*4/5; left -= b.sizes.recipients {
		task, err := b.accepted(ctx, body)
		if err != nil {
			return err
		}
		if err := b.completed(ctx, task); err != nil {
			return err
		}
	}
	for ; left > 0; left -= b.sizes.bulk {
		if _, err := b.issue(ctx, min(left, b.sizes.bulk)); err != nil {
			return err
		}
	}
	return nil
}

// awaitIndex waits until the server has put all cards into the index of texts.
func (b *bench) awaitIndex(ctx context.Context) error {
	for {
		var left bool
		err := b.db.admin.QueryRow(ctx, "select exists (select from gift_cards where not searchable)").Scan(&left)
		if err != nil || !left {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (b *bench) list(ctx context.Context, p *process) (round, error) {
	r, err := b.readPages(ctx, p, func(n int) string {
		// A place in the list is the id of a card and that of its program.
		return b.page("after=" + b.listed.places[n%len(b.listed.places)] + b.shop.programID)
	}, wantCount(`"cardNumber"`, pageCards))
	r.rate, r.units = r.rate*pageCards, r.units*pageCards
	return r, err
}

// readPages reads one page after another over one connection. path is that of the request n.
func (b *bench) readPages(ctx context.Context, p *process, path func(n int) string, check func([]byte) error) (round, error) {
	n := 0
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 1, check: check,
		prepare: b.authorize,
		each: func(request *fasthttp.Request) {
			n++
			request.SetRequestURI("http://" + p.address + path(n))
		},
	})
	return r, err
}

// page returns the path of a page of the shop's cards, which one more parameter chooses.
func (b *bench) page(parameter string) string {
	return fmt.Sprintf("%s?programId=%s&limit=%d&%s", bareList, b.shop.programID, pageCards, parameter)
}

// listBare lets psql read the columns of an answer, in the order of the list.
func (b *bench) listBare(ctx context.Context) (r round, err error) {
	commands := make([]string, len(b.listed.places))
	for i, place := range b.listed.places {
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
		total, units = total+elapsed, units+len(commands)*pageCards
	}
	r.took(units, total)
	return r, nil
}

// prepareSearch issues the cards and gives the echo server the first answer.
func (b *bench) prepareSearch(ctx context.Context, s search) error {
	if err := b.issueToList(ctx); err != nil {
		return err
	}
	path := b.found(s, 0)
	var body bytes.Buffer
	if err := b.get(ctx, b.shop.token, path, &body); err != nil {
		return err
	}
	return b.giveEcho(ctx, path, body.Bytes())
}

// found returns the path of the cards that the request n looks for.
func (b *bench) found(s search, n int) string { return b.page("q=" + url.QueryEscape(s.query(n))) }

func (b *bench) search(ctx context.Context, p *process, s search) (round, error) {
	return b.readPages(ctx, p, func(n int) string { return b.found(s, n) }, func(body []byte) error {
		if got := bytes.Count(body, []byte(`"cardNumber"`)); got < s.least {
			return fmt.Errorf("%d cards are in the answer, want at least %d", got, s.least)
		}
		return nil
	})
}
