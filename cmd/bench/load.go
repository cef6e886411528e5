package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// load sends requests over kept-alive connections, one request at a time on each.
type load struct {
	address     string
	connections int
	prepare     func(*fasthttp.Request) // sets the parts that all requests share
	each        func(*fasthttp.Request) // sets the parts that differ in each request; may be nil
	check       func(body []byte) error // checks the body of an answer; may be nil
	refused     bool                    // the right answer is 422, and not 2xx
}

// answerTimeout is far longer than any answer takes.
const answerTimeout = time.Minute

// run sends requests for the given duration. It returns the latency of each and the elapsed
// time of all. It stops at the first wrong answer.
func (l load) run(ctx context.Context, duration time.Duration) (latencies []time.Duration, elapsed time.Duration, err error) {
	var (
		all    sync.WaitGroup
		mutex  sync.Mutex
		failed error
	)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	begin := time.Now()
	for range l.connections {
		all.Go(func() {
			// Each connection collects its own latencies, so that they share no lock under
			// load.
			measured, err := l.connection(ctx, begin.Add(duration))
			mutex.Lock()
			defer mutex.Unlock()
			latencies = append(latencies, measured...)
			if err != nil {
				failed = errors.Join(failed, err)
				cancel()
			}
		})
	}
	all.Wait()
	elapsed = time.Since(begin)
	if failed == nil {
		failed = ctx.Err()
	}
	return latencies, elapsed, failed
}

// connection sends one request after another until the deadline.
func (l load) connection(ctx context.Context, deadline time.Time) ([]time.Duration, error) {
	// Each connection has its own client. The client does not retry, because that would hide an
	// error.
	client := fasthttp.HostClient{Addr: l.address, MaxConns: 1, ReadTimeout: answerTimeout, MaxIdemponentCallAttempts: 1}
	defer client.CloseIdleConnections()
	request, answer := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(request)
	defer fasthttp.ReleaseResponse(answer)
	l.prepare(request)
	var latencies []time.Duration
	for now := time.Now(); now.Before(deadline) && ctx.Err() == nil; {
		if l.each != nil {
			l.each(request)
		}
		if err := client.Do(request, answer); err != nil {
			return latencies, err
		}
		if status := answer.StatusCode(); l.refused != (status == http.StatusUnprocessableEntity) || !l.refused && status/100 != 2 {
			return latencies, fmt.Errorf("answer %d: %s", answer.StatusCode(), answer.Body())
		}
		if l.check != nil {
			if err := l.check(answer.Body()); err != nil {
				return latencies, err
			}
		}
		then := now
		now = time.Now()
		latencies = append(latencies, now.Sub(then))
	}
	return latencies, nil
}

// round is one measurement of the server, or of a floor.
type round struct {
	rate      float64 // a second
	units     int     // number of requests or rows
	latencies []time.Duration
	cpu       usage
}

// usage is processor time: of the process that answers, of PostgreSQL, and of this process,
// which sends the load.
type usage struct{ server, postgres, load time.Duration }

func (u usage) plus(v usage) usage {
	return usage{u.server + v.server, u.postgres + v.postgres, u.load + v.load}
}

func (u usage) minus(v usage) usage {
	return usage{u.server - v.server, u.postgres - v.postgres, u.load - v.load}
}

// usage returns the processor time used so far.
func (b *bench) usage(p *process) (u usage, err error) {
	if u.server, err = cpuTime(p.cmd.Process.Pid); err != nil {
		return u, err
	}
	// PostgreSQL works in many processes.
	if u.postgres, err = familyTime(b.db.pid); err != nil {
		return u, err
	}
	u.load, err = cpuTime(os.Getpid())
	return u, err
}

// under measures a process under load after a warm-up. It returns the number of requests
// sent, including those of the warm-up.
func (b *bench) under(ctx context.Context, p *process, l load) (r round, sent int, err error) {
	warm, _, err := l.run(ctx, b.warmUp)
	if err != nil {
		return r, 0, err
	}
	r, err = b.metered(p, func(r *round) error {
		latencies, elapsed, err := l.run(ctx, b.duration)
		r.units, r.latencies, r.rate = len(latencies), latencies, float64(len(latencies))/elapsed.Seconds()
		return err
	})
	return r, len(warm) + r.units, err
}

// metered runs work and fills in the processor time that it used.
func (b *bench) metered(p *process, work func(*round) error) (r round, err error) {
	before, err := b.usage(p)
	if err != nil {
		return r, err
	}
	if err := work(&r); err != nil {
		return r, err
	}
	after, err := b.usage(p)
	r.cpu = after.minus(before)
	return r, err
}
