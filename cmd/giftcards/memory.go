package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

const (
	// gcPercent lets the garbage collector run seldom while the heap is small, which is the
	// usual case.
	gcPercent = 400

	// leastMemory is the runtime's memory limit of an idle server, in bytes. It keeps the
	// process small after work that is over.
	leastMemory = 76 << 20
	// mostMemory is the largest default of --memory-limit, in bytes. A flooded process then
	// has less than 256 MiB resident, with the program itself.
	mostMemory = 208 << 20
	// memoryShare: the default of --memory-limit is an eighth of the machine's or container's
	// memory.
	memoryShare = 8
	// connectionMemory is added to the limit for each open connection, in bytes. A connection
	// takes a quarter of that, so that collections stay rare.
	connectionMemory = 128 << 10

	// adjustEvery is how often the limit follows what is open. It is shorter than a large
	// body takes to arrive.
	adjustEvery = 250 * time.Millisecond
	// adjustStep is the least change between the two bounds, in bytes, because each change
	// stops the program for some microseconds.
	adjustStep = 4 << 20
)

// memory is the setting of the garbage collector.
type memory struct {
	MemoryLimit int `env:"GIFTCARDS_MEMORY_LIMIT" placeholder:"MIB" help:"Memory above which a busy server collects garbage all the time, in MiB; it exceeds this if it must. Default: an eighth of the machine's or container's, 76 to 208."`
}

// Bounds of the setting, in MiB.
const (
	minMemoryMiB = 16
	maxMemoryMiB = 1 << 20
)

func (m *memory) check(f faults) {
	f.note("memory-limit", m.MemoryLimit == 0 || m.MemoryLimit >= minMemoryMiB && m.MemoryLimit <= maxMemoryMiB,
		fmt.Sprintf("want %d to %d, not %d", minMemoryMiB, maxMemoryMiB, m.MemoryLimit))
}

// collector sets the limits of the garbage collector while the server runs.
type collector struct {
	most        int64 // bytes; 0 if GOMEMLIMIT is the limit
	connections atomic.Int64
}

// newCollector sets the limits of an idle server, and logs the bound that holds. The runtime's
// own variables GOGC and GOMEMLIMIT take precedence over the setting.
func (m *memory) newCollector(log *slog.Logger) *collector {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	c := &collector{most: int64(m.MemoryLimit) << 20}
	from := "setting"
	switch {
	case os.Getenv("GOMEMLIMIT") != "":
		c.most, from = 0, "GOMEMLIMIT"
	case c.most == 0:
		var memory uint64
		memory, from = machineMemory()
		c.most = shareOf(memory)
	}
	if c.most == 0 {
		// A limit below 0 changes nothing, and returns the one that GOMEMLIMIT has set.
		log.Info("memory limit", "bytes", debug.SetMemoryLimit(-1), "from", from)
		return c
	}
	debug.SetMemoryLimit(c.limit(0))
	log.Info("memory limit", "bytes", c.most, "from", from)
	return c
}

// machineMemory returns the memory of the machine, or of the container if that is less. It
// is 0 if the system does not say.
func machineMemory() (bytes uint64, from string) {
	bytes, err := memlimit.FromSystem()
	if err != nil {
		bytes = 0
	}
	if container, err := memlimit.FromCgroup(); err == nil && (bytes == 0 || container < bytes) {
		return container, "container"
	}
	return bytes, "machine"
}

// shareOf returns the default of --memory-limit on a machine with that much memory, in
// bytes.
func shareOf(machine uint64) int64 {
	return int64(min(max(machine/memoryShare, leastMemory), mostMemory))
}

// limit returns the limit of a server whose connections, streams and bodies use open bytes.
func (c *collector) limit(open int64) int64 { return min(leastMemory+open, c.most) }

// count counts a connection of an http.Server.
func (c *collector) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.connections.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.connections.Add(-1)
	case http.StateActive, http.StateIdle:
	}
}

// follow makes the limit follow what is open, until ctx ends. used returns the bytes that
// streams and bodies may take. A fixed limit would either keep much garbage in an idle
// server, or collect without end in a busy one.
func (c *collector) follow(ctx context.Context, used func() int64) {
	// The limit of GOMEMLIMIT is fixed, because the operator has chosen it.
	if c.most == 0 {
		return
	}
	tick := time.NewTicker(adjustEvery)
	defer tick.Stop()
	for current := c.limit(0); ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if wanted := c.limit(c.connections.Load()*connectionMemory + used()); c.adjusts(current, wanted) {
			debug.SetMemoryLimit(wanted)
			current = wanted
		}
	}
}

// adjusts reports whether the limit changes from current to wanted. A bound is always set,
// however small the change: the limit of a server that becomes idle must not stay above that
// of an idle one.
func (c *collector) adjusts(current, wanted int64) bool {
	if wanted == c.limit(0) || wanted == c.most {
		return wanted != current
	}
	return wanted-current >= adjustStep || current-wanted >= adjustStep
}
