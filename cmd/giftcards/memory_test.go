package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

func TestTheMemoryLimitIsAShareOfTheMachineWithinBounds(t *testing.T) {
	t.Parallel()
	for machine, want := range map[uint64]int64{0: 76, 512 << 20: 76, 1 << 30: 128, 2 << 30: 208, 24 << 30: 208, 1<<64 - 1: 208} {
		if got := shareOf(machine); got != want<<20 {
			t.Errorf("of %d bytes: %d MiB, want %d", machine, got>>20, want)
		}
	}
}

func TestTheMemoryLimitChangesInStepsAndReachesItsBounds(t *testing.T) {
	t.Parallel()
	c := &collector{most: 90 << 20}
	for _, test := range []struct {
		from, to int64 // MiB
		changes  bool
	}{
		{76, 76, false}, {76, 79, false}, {76, 80, true}, {84, 81, false}, {84, 80, true},
		{88, 90, true}, {90, 90, false}, {78, 76, true},
	} {
		if got := c.adjusts(test.from<<20, test.to<<20); got != test.changes {
			t.Errorf("from %d to %d MiB: %v, want %v", test.from, test.to, got, test.changes)
		}
	}
}

var limitPattern = regexp.MustCompile(`(?m)^go_gc_gomemlimit_bytes (\S+)$`)

// memoryLimit returns the limit that the server's runtime has, in bytes.
func memoryLimit(t *testing.T, adminAddress string) int64 {
	t.Helper()
	response, err := http.Get("http://" + adminAddress + "/metrics")
	must(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	must(t, err)
	found := limitPattern.FindSubmatch(text)
	if found == nil {
		t.Fatalf("the metrics have no memory limit: %s", text)
	}
	bytes, err := strconv.ParseFloat(string(found[1]), 64)
	must(t, err)
	return int64(bytes)
}

// TestTheMemoryLimitFollowsTheConnections: without connections it is the limit of an idle server. It
// never exceeds the setting.
func TestTheMemoryLimitFollowsTheConnections(t *testing.T) {
	t.Parallel()
	const most = 90 << 20
	address, adminAddress := processtest.FreeAddress(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, processtest.StateDir(t), address, onDatabase(storetest.URL(t), "GIFTCARDS_ADMIN_LISTEN="+adminAddress, "GIFTCARDS_MEMORY_LIMIT=90")...)
	if want := fmt.Sprintf(`msg="memory limit" bytes=%d from=setting`, most); !strings.Contains(server.Output(), want) {
		t.Errorf("the log has no %q: %s", want, server.Output())
	}
	until := func(what string, want int64) {
		t.Helper()
		check.Until(t, fmt.Sprintf("a limit of %d %s", want, what), func() bool { return memoryLimit(t, adminAddress) == want })
	}
	until("without connections", leastMemory)
	var open []net.Conn
	for range 200 {
		conn, err := net.Dial("tcp", address)
		must(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") // then it may stay idle for long
		must(t, err)
		open = append(open, conn)
	}
	until("with 200 connections", most)
	for _, conn := range open {
		must(t, conn.Close())
	}
	until("after them", leastMemory)
}

func TestGOMEMLIMITOverridesTheMemoryLimit(t *testing.T) {
	t.Parallel()
	adminAddress := processtest.FreeAddress(t)
	server := processtest.Serve(t, processtest.StateDir(t), processtest.FreeAddress(t),
		onDatabase(storetest.URL(t), "GIFTCARDS_ADMIN_LISTEN="+adminAddress, "GIFTCARDS_MEMORY_LIMIT=90", "GOMEMLIMIT=100MiB")...)
	if limit := memoryLimit(t, adminAddress); limit != 100<<20 || !strings.Contains(server.Output(), "from=GOMEMLIMIT") {
		t.Errorf("the limit is %d, and the log says %s", limit, server.Output())
	}
}
