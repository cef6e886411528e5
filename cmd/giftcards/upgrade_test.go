package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
	"giftcards/store/storetest/check"
	"giftcards/store/storetest/full"
)

// upgradeFrom is the path of an older version's program, which `make upgrade` builds.
const upgradeFrom = "GIFTCARDS_UPGRADE_FROM"

const (
	upgradeDrain = time.Second
	upgradeCheck = 20 * time.Millisecond // between two checks of the balancer, much less than upgradeDrain
	loadPause    = 20 * time.Millisecond // leaves processor time to other tests
)

// balancer passes requests in turn to its ready instances. It retries nothing.
type balancer struct {
	mutex     sync.Mutex
	instances []*instance
	next      int
}

type instance struct {
	*processtest.Server
	reverse  *httputil.ReverseProxy
	ready    bool           // guarded by the balancer's mutex
	underway sync.WaitGroup // its requests; none is added when it is not ready
}

// add puts a server into the balancer, which from now on checks its readiness.
func (b *balancer) add(t *testing.T, server *processtest.Server) *instance {
	t.Helper()
	i := &instance{Server: server, ready: true, reverse: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Address})}
	b.mutex.Lock()
	b.instances = append(b.instances, i)
	b.mutex.Unlock()
	go func() {
		for ; t.Context().Err() == nil; time.Sleep(upgradeCheck) {
			response, err := http.Get(i.URL() + "/readyz")
			if err == nil {
				_ = response.Body.Close()
			}
			if err != nil || response.StatusCode != http.StatusOK {
				b.takeOut(i)
				return
			}
		}
	}()
	return i
}

func (b *balancer) takeOut(i *instance) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	i.ready = false
}

// pick returns a ready instance for a request, nil if there is none.
func (b *balancer) pick() *instance {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for range b.instances {
		b.next = (b.next + 1) % len(b.instances)
		if i := b.instances[b.next]; i.ready {
			i.underway.Add(1)
			return i
		}
	}
	return nil
}

// ServeHTTP passes a request on.
func (b *balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := b.pick()
	if i == nil {
		http.Error(w, "no instance is ready", http.StatusBadGateway)
		return
	}
	defer i.underway.Done()
	i.reverse.ServeHTTP(w, r)
}

// load creates cards until it is stopped, and counts the answers.
type load struct {
	created, failed atomic.Int64
	failure         atomic.Value
	stop            context.CancelFunc
	workers         sync.WaitGroup
}

func startLoad(t *testing.T, c client) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	body := `{"initialValue":"5","merchantId":"` + c.MerchantID + `"}`
	for range 4 {
		l.workers.Go(func() {
			for ; ctx.Err() == nil; time.Sleep(loadPause) {
				status, answer, err := c.do(context.WithoutCancel(ctx), http.MethodPost, "", "", body)
				if err == nil && status == http.StatusCreated {
					l.created.Add(1)
					continue
				}
				l.failed.Add(1)
				l.failure.Store(fmt.Sprintf("%d %s %v", status, answer, err))
			}
		})
	}
	return l
}

// newerProgram builds this program with one more migration, in place of the next release. This version
// can use the new schema too.
func newerProgram(t *testing.T) string {
	t.Helper()
	migrations, err := filepath.Abs("../../store/migrations")
	must(t, err)
	names, err := filepath.Glob(filepath.Join(migrations, "*.sql"))
	must(t, err)
	var ours int64
	_, err = fmt.Sscanf(filepath.Base(names[len(names)-1]), "%d_", &ours) // Glob returns sorted names
	must(t, err)
	dir := t.TempDir()
	migration, overlay := filepath.Join(dir, "next.sql"), filepath.Join(dir, "overlay.json")
	sql := fmt.Sprintf(`-- +goose Up
alter table gift_cards add column next text;
insert into schema_compatibility (schema, oldest_program) values (%d, %d);
-- +goose Down
alter table gift_cards drop column next;
`, ours+1, ours)
	must(t, os.WriteFile(migration, []byte(sql), 0o600))
	text, err := json.Marshal(map[string]map[string]string{"Replace": {filepath.Join(migrations, fmt.Sprintf("%05d_next.sql", ours+1)): migration}})
	must(t, err)
	must(t, os.WriteFile(overlay, text, 0o600))
	return processtest.Build(t, "giftcards-next", "-overlay", overlay)
}

// TestAnUpgradeFailsNoRequest upgrades two servers behind a balancer under load. With -full or
// upgradeFrom, it begins with an upgrade from upgradeFrom (by default this version) to this version
// and its migrations. Each old server leaves the balancer before it stops. Then follows an upgrade to
// the next version with its migration, and back, as after a bad release. Here servers stop while they
// are in the balancer. The cards of the next version stay. With -full, a restart of this version in the
// same way comes before.
func TestAnUpgradeFailsNoRequest(t *testing.T) {
	t.Parallel()
	full.Only()
	private, err := embedded.Start(t.Context(), embedded.Options{Ephemeral: true})
	must(t, err)
	t.Cleanup(func() { _ = private.Stop(context.WithoutCancel(t.Context())) })
	current := processtest.Program(t)
	next := newerProgram(t)
	from := os.Getenv(upgradeFrom)
	if from == "" {
		from = current
	}
	dir := processtest.StateDir(t)
	env := onDatabase(private.URL(), "GIFTCARDS_DRAIN="+upgradeDrain.String())
	command := func(program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append(args, "--state-dir="+dir)...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}

	balancer := &balancer{}
	front := httptest.NewServer(balancer)
	t.Cleanup(front.Close)
	running := []*instance{}
	for range 2 {
		running = append(running, balancer.add(t, processtest.ServeProgram(t, from, dir, processtest.FreeAddress(t), env...)))
	}
	command(from, "demo", "--base-url="+front.URL)
	c := login(t, dir)
	l := startLoad(t, c)
	report := func(what string) {
		t.Logf("%-42s %6d created, %d failed", what, l.created.Load(), l.failed.Load())
	}
	waitFor := func(more int64) {
		t.Helper()
		until := l.created.Load() + more
		check.Until(t, fmt.Sprintf("%d more cards", more), func() bool { return l.created.Load() >= until || l.failed.Load() > 0 })
	}
	// The new server is ready before the old one stops, so one server always serves.
	roll := func(to string, takeOut bool) {
		for n, old := range running {
			running[n] = balancer.add(t, processtest.ServeProgram(t, to, dir, processtest.FreeAddress(t), env...))
			if takeOut {
				balancer.takeOut(old)
				old.underway.Wait()
			}
			if err := old.Stop(syscall.SIGTERM); err != nil {
				t.Errorf("SIGTERM: %v\n%s", err, old.Output())
			}
			waitFor(20)
			report(fmt.Sprintf("server %d replaced", n+1))
		}
	}
	waitFor(50)
	report("two servers of the old version")
	if from != current || full.Asked() { // else the way to the next version shows as much
		// The old version must work on the new schema until it is replaced.
		command(current, "migrate", "up")
		waitFor(50)
		report("migrated, still the old version")
		roll(current, true)
	}
	if full.Asked() {
		report("this version; now restarted by SIGTERM alone")
		roll(current, false)
	}
	command(next, "migrate", "up")
	report("migrated to the schema of the next version")
	roll(next, false)
	report("the next version; now the way back")
	roll(current, false)
	command(current, "migrate", "status")
	report("this version again, on the newer schema")
	l.stop()
	l.workers.Wait()
	report("end")
	if l.failed.Load() > 0 {
		t.Errorf("%d requests failed, the last with %s", l.failed.Load(), l.failure.Load())
	}
	if cards := countCards(t, private.URL(), oldCards); cards != l.created.Load() {
		t.Errorf("%d cards, want %d, one for each 201", cards, l.created.Load())
	}
	for _, i := range running {
		if out := i.Output(); strings.Contains(out, "level=ERROR") || strings.Contains(out, "cut off") {
			t.Errorf("a server's log:\n%s", out)
		}
	}
}

func countCards(t *testing.T, database, which string) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(t.Context())
	must(t, conn.QueryRow(t.Context(), "select count(*) from gift_cards "+which).Scan(&n))
	return n
}

// oldCards are the cards of this version. The column next still exists after a rollback,
// because it keeps the newer schema.
const oldCards = "where next is null"
