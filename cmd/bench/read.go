package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"
)

func (b *bench) readLines() []line {
	// The lines csv and cards read the same task, which the first of them issues.
	var task, link string
	prepare := func(ctx context.Context) (err error) {
		if task == "" {
			task, link, err = b.issueToRead(ctx)
		}
		return err
	}
	var running string
	cards := number(float64(b.sizes.bulk)) + " cards"
	return []line{
		{
			name: "poll", unit: "requests/s", target: 0.35,
			work:  "poll a running task, 64 connections",
			floor: "bare echo with a router and an answer of the same size, without a database",
			setUp: func(ctx context.Context) (err error) {
				running, err = b.startIdleTask(ctx)
				return err
			},
			ours: func(ctx context.Context, p *process) (round, error) { return b.poll(ctx, p, running) },
			bare: func(ctx context.Context) (round, error) { return b.poll(ctx, b.echo, running) },
		},
		{
			name: "csv", unit: "cards/s", target: 0.50,
			work:  "CSV of " + cards,
			floor: "`\\copy (select …) to '/dev/null'` of the same columns",
			setUp: prepare,
			ours:  func(ctx context.Context, _ *process) (round, error) { return b.stream(ctx, link, '\n') },
			bare: func(ctx context.Context) (round, error) {
				return b.copyOut(ctx, "card_number, sealed_code, initial_value, expires_at, id")
			},
		},
		{
			name: "cards", unit: "cards/s", target: 0.50,
			work:  "poll of a completed task with " + cards + ", JSON",
			floor: "`\\copy (select …) to '/dev/null'` of the same columns",
			setUp: prepare,
			ours:  func(ctx context.Context, _ *process) (round, error) { return b.stream(ctx, task, '{') },
			bare: func(ctx context.Context) (round, error) {
				return b.copyOut(ctx, "card_number, initial_value, expires_at, id")
			},
		},
	}
}

// startIdleTask writes a task that stays in the state processing, because its job is
// scheduled for next year.
func (b *bench) startIdleTask(ctx context.Context) (path string, err error) {
	if err := b.fresh(ctx); err != nil {
		return "", err
	}
	task := uuid.NewString()
	err = b.db.exec(ctx, fmt.Sprintf(`
		with job as (
			insert into river_job (state, kind, queue, args, max_attempts, scheduled_at)
			values ('scheduled', 'bulk_issue', 'default', '{}', 1, now() + interval '1 year') returning id)
		insert into bulk_tasks (program_id, id, status, card_count, by_count, initial_value, is_physical, expires_at, first_card_id, job_id, created_at)
		select decode('%s', 'hex'), '%s', 'processing', 1000, true, 25, false, now(), decode(repeat('00', 12), 'hex'), job.id, now() from job`,
		b.shop.programID, task))
	return b.cards() + "/bulk/" + task, err
}

func (b *bench) poll(ctx context.Context, p *process, task string) (round, error) {
	r, _, err := b.under(ctx, p, load{
		address: p.address, connections: 64,
		prepare: func(request *fasthttp.Request) {
			request.SetRequestURI("http://" + p.address + task)
			b.authorize(request)
		},
		// Only a running task's answer has the size of the floor's.
		check: func(body []byte) error {
			if !bytes.Contains(body, []byte(`"status":"processing"`)) {
				return fmt.Errorf("the task is not running: %s", body)
			}
			return nil
		},
	})
	return r, err
}

var linkPattern = regexp.MustCompile(`"csvDownloadUrl":"http://[^/]+([^"]+)"`)

// issueToRead issues cards by a task and returns the paths of the task and of its CSV.
func (b *bench) issueToRead(ctx context.Context) (task, link string, err error) {
	if err := b.fresh(ctx); err != nil {
		return "", "", err
	}
	if task, err = b.accepted(ctx, fmt.Appendf(nil, `{"initialValue":"25.00","count":%d}`, b.sizes.bulk)); err != nil {
		return "", "", err
	}
	if err := b.completed(ctx, task); err != nil {
		return "", "", err
	}
	// Otherwise the autovacuum would run during some rounds and not during others.
	if err := b.db.exec(ctx, "vacuum (analyze) gift_cards", "checkpoint"); err != nil {
		return "", "", err
	}
	link, err = b.link(ctx, b.shop.token, task)
	return task, link, err
}

// link returns the path of the CSV of a completed task, for the user of a token.
func (b *bench) link(ctx context.Context, token, task string) (string, error) {
	var end tail
	if err := b.get(ctx, token, task, &end); err != nil {
		return "", err
	}
	found := linkPattern.FindSubmatch(end)
	if found == nil {
		return "", fmt.Errorf("no csvDownloadUrl in …%s", end)
	}
	return string(found[1]), nil
}

// get writes the complete body of an answer to out.
func (b *bench) get(ctx context.Context, token, path string, out io.Writer) error {
	request, err := b.request(ctx, http.MethodGet, b.server.address, path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	// The struct hides WriteTo, which would bypass the buffer.
	_, err = io.CopyBuffer(out, struct{ io.Reader }{answer.Body}, make([]byte, 64<<10))
	return err
}

// stream reads all cards and counts them by a byte that each contains once. The text around
// the cards contains it once, too.
func (b *bench) stream(ctx context.Context, path string, each byte) (round, error) {
	return b.metered(b.server, func(r *round) error {
		found := counter{each: each}
		begin := time.Now()
		if err := b.get(ctx, b.shop.token, path, &found); err != nil {
			return err
		}
		r.took(b.sizes.bulk, time.Since(begin))
		// The CSV has a header, and the JSON an object around the cards.
		if found.n != b.sizes.bulk+1 {
			return fmt.Errorf("%d cards in the answer, want %d", found.n-1, b.sizes.bulk)
		}
		return nil
	})
}

// copyOut lets PostgreSQL write the same columns as text, in the order that is fastest.
func (b *bench) copyOut(ctx context.Context, columns string) (r round, err error) {
	elapsed, err := b.db.psqlTime(ctx, fmt.Sprintf(`\copy (select %s from gift_cards) to '/dev/null'`, columns))
	if err != nil {
		return r, err
	}
	r.took(b.sizes.bulk, elapsed)
	return r, b.wantRows(ctx, b.sizes.bulk, "gift_cards")
}

// counter is a writer that counts a byte.
type counter struct {
	each byte
	n    int
}

func (c *counter) Write(p []byte) (int, error) {
	c.n += bytes.Count(p, []byte{c.each})
	return len(p), nil
}

// tail is a writer that keeps the last 4 KiB.
type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	// The links are at the end of the answer, behind all cards.
	const most = 4096
	*t = append(*t, p...)
	*t = append((*t)[:0], (*t)[max(0, len(*t)-most):]...)
	return len(p), nil
}
