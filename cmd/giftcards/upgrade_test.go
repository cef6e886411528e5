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
	"giftcards/store/storetest/full"
)

// upgradeFrom is the path of an older version's program, which `make upgrade` builds.
const upgradeFrom = "GIFTCARDS_UPGRADE_FROM"

const (
	upgradeDrain = time.Second
	upgradeCheck = 20 * time.Millisecond // the proxy's checks are much more frequent than upgradeDrain requires
	loadPause    = 20 * time.Millisecond // leaves processor time to other tests
)

// proxy passes requests in turn to its ready instances. It retries nothing.
type proxy struct {
	mutex     sync.Mutex
	instances []*instance
	next      int
}

type instance struct {
	*processtest.Server
	reverse  *httputil.ReverseProxy
	ready    bool // guarded by the proxy's mutex, like underway
	underway int
}

// add puts a server into the proxy, which from now on checks its readiness.
func (p *proxy) add(t *testing.T, server *processtest.Server) *instance {
	t.Helper()
	i := &instance{Server: server, ready: true, reverse: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: server.Address})}
	p.mutex.Lock()
	p.instances = append(p.instances, i)
	p.mutex.Unlock()
	go func() {
		for t.Context().Err() == nil && p.check(t.Context(), i) {
			time.Sleep(upgradeCheck)
		}
	}()
	return i
}

// check removes the instance when it is not ready.
func (p *proxy) check(ctx context.Context, i *instance) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, i.URL()+"/readyz", nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(r)
	if err == nil {
		_ = response.Body.Close()
	}
	if err == nil && response.StatusCode == http.StatusOK {
		return true
	}
	p.takeOut(i)
	return false
}

func (p *proxy) takeOut(i *instance) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	i.ready = false
}

// pick returns a ready instance and counts a request as under way on it. It returns nil if
// there is none.
func (p *proxy) pick() *instance {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for range p.instances {
		p.next = (p.next + 1) % len(p.instances)
		if i := p.instances[p.next]; i.ready {
			i.underway++
			return i
		}
	}
	return nil
}

func (p *proxy) done(i *instance) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	i.underway--
}

func (p *proxy) idle(i *instance) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return i.underway == 0
}

// ServeHTTP passes a request on.
func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i := p.pick()
	if i == nil {
		http.Error(w, "no instance is ready", http.StatusBadGateway)
		return
	}
	defer p.done(i)
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

// newerProgram builds this program with one more migration, whose schema this version can
// use, too. It stands for the next release.
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

// TestAnUpgradeFailsNoRequest upgrades two servers behind a proxy under load. The first
// upgrade is from upgradeFrom (by default this version) to this version with its
// migrations; each old server leaves the proxy before it stops. The next one is to the next
// version with its migration, and back, as after a bad release. It stops servers while they
// are in the proxy. The cards of the next version stay. With -full, this version is also
// restarted in this way before.
func TestAnUpgradeFailsNoRequest(t *testing.T) {
	t.Parallel()
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
	env := []string{"DATABASE_URL=" + private.URL(), "GIFTCARDS_DRAIN=" + upgradeDrain.String(), "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox"}
	command := func(program string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, append(args, "--state-dir="+dir)...)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}

	balancer := &proxy{}
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
		for until := l.created.Load() + more; l.created.Load() < until && l.failed.Load() == 0; {
			time.Sleep(upgradeCheck)
		}
	}
	// The new server is ready before the old one stops, so that one always serves.
	roll := func(to string, takeOut bool) {
		for n, old := range running {
			running[n] = balancer.add(t, processtest.ServeProgram(t, to, dir, processtest.FreeAddress(t), env...))
			if takeOut {
				balancer.takeOut(old)
				for !balancer.idle(old) {
					time.Sleep(upgradeCheck)
				}
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
	// The old version must work on the new schema until it is replaced.
	command(current, "migrate", "up")
	waitFor(50)
	report("migrated, still the old version")
	roll(current, true)
	if full.Asked() { // the way to the next version shows this, too
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
