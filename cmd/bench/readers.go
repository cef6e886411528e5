package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// The slow readers of a CSV, and the bytes that each of them reads in a second.
const (
	slowReaders = 20
	slowRate    = 1_000_000
)

// readersTasks is the number of tasks whose CSVs the readers read. They need several tasks and
// users, because the server limits the streams of one task and of one user.
const readersTasks = 3

func (b *bench) createReadersLine() line {
	return line{
		name: "create-readers", unit: "requests/s", target: 0.85,
		work:  fmt.Sprintf("create a card with an e-mail recipient and a key, 64 connections, beside %d readers of a CSV at 1 MB/s each", slowReaders),
		floor: "the same without the readers",
		ours:  func(ctx context.Context, p *process) (round, error) { return b.createBeside(ctx, p, slowReaders) },
		bare:  func(ctx context.Context) (round, error) { return b.createBeside(ctx, b.server, 0) },
	}
}

// createBeside measures creates while readers read. The floor also gets the tasks, so that
// both work on the same tables.
func (b *bench) createBeside(ctx context.Context, p *process, readers int) (r round, err error) {
	links, err := b.issueForReaders(ctx)
	if err != nil {
		return r, err
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	failed := make([]error, readers)
	for i := range readers {
		all.Go(func() { failed[i] = readSlowly(reading, "http://"+p.address+links[i%len(links)]) })
	}
	r, sent, err := b.under(ctx, p, b.createLoad(p, 64))
	stop()
	all.Wait()
	if err := errors.Join(err, errors.Join(failed...)); err != nil {
		return r, err
	}
	// The tasks have cards and entries in the audit log too.
	return r, b.wantRows(ctx, sent, "idempotency_keys", "messages")
}

// issueForReaders lets tasks issue cards, and returns the paths of their CSVs for each of
// the two users.
func (b *bench) issueForReaders(ctx context.Context) (links []string, err error) {
	if err := b.fresh(ctx); err != nil {
		return nil, err
	}
	for range readersTasks {
		task, err := b.accepted(ctx, fmt.Appendf(nil, `{"initialValue":"25.00","count":%d}`, b.sizes.download))
		if err != nil {
			return nil, err
		}
		if err := b.completed(ctx, task); err != nil {
			return nil, err
		}
		for _, token := range []string{b.shop.token, b.shop.colleague} {
			link, err := b.link(ctx, token, task)
			if err != nil {
				return nil, err
			}
			links = append(links, link)
		}
	}
	// Otherwise the autovacuum would run during some rounds and not during others.
	return links, b.db.exec(ctx, "vacuum (analyze) gift_cards", "checkpoint")
}

// readSlowly downloads a CSV at slowRate, again and again, until ctx ends.
func readSlowly(ctx context.Context, address string) error {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		// The kernel would fill a large buffer as fast as the server writes, and then the reader
		// would not be slow.
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, to)
			if tcp, ok := conn.(*net.TCPConn); ok {
				err = errors.Join(err, tcp.SetReadBuffer(64<<10))
			}
			return conn, err
		},
	}}
	for ctx.Err() == nil {
		if err := downloadSlowly(ctx, &client, address); err != nil && ctx.Err() == nil {
			return fmt.Errorf("a slow reader: %w", err)
		}
	}
	return nil
}

func downloadSlowly(ctx context.Context, client *http.Client, address string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New(answer.Status)
	}
	const sips = 20 // a second
	tick := time.NewTicker(time.Second / sips)
	defer tick.Stop()
	for range tick.C {
		if _, err := io.CopyN(io.Discard, answer.Body, slowRate/sips); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
	return nil
}
