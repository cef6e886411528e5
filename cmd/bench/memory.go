package main

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"sync/atomic"
	"time"
)

// runtimeMemory is the peak memory of Go's runtime in bytes, from the server's metrics. It
// is 0 if the metrics do not contain it.
type runtimeMemory struct{ peak atomic.Int64 }

const lookEvery = time.Second

var sysPattern = regexp.MustCompile(`(?m)^go_memstats_sys_bytes (\S+)$`)

// watch reads the metrics every second until ctx ends.
func (m *runtimeMemory) watch(ctx context.Context, address string) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if now := m.look(ctx, address); now > m.peak.Load() {
			m.peak.Store(now)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (*runtimeMemory) look(ctx context.Context, address string) int64 {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return 0
	}
	answer, err := do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	// A missing metric or a server that is stopping counts as 0.
	found := sysPattern.FindSubmatch(text)
	if err != nil || found == nil {
		return 0
	}
	bytes, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return 0
	}
	return int64(bytes)
}
