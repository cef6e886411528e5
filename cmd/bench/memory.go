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

// runtimeMemory is the most that Go's runtime has had from the system, in bytes,
// as the server's own metrics tell it; 0 if they were not to be had.
type runtimeMemory struct{ peak atomic.Int64 }

const lookEvery = time.Second

var sysPattern = regexp.MustCompile(`(?m)^go_memstats_sys_bytes (\S+)$`)

// watch looks at the metrics until ctx ends.
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
