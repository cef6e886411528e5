package faults_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
	"giftcards/store/storetest/full"
)

// floodMemory is the most resident memory that a flooded server with default settings may use, in
// bytes.
const floodMemory = 256 << 20

// floodedServer lets users of one merchant flood a server with unfinished requests, with answers that
// they read slowly, and with bodies that cost most to validate. The server's memory must stay bounded,
// and the server must still serve another merchant, perhaps more slowly.
func floodedServer(tr *trial) {
	tr.Helper()
	tr.needFiles(uint64(full.Size(4_000, 400)))
	dir := processtest.StateDir(tr)
	pg := tr.newPostgres(dir)
	victim := tr.newMerchant(dir, pg.url())
	// The clients' address is a trusted proxy, so that one machine may open all
	// connections.
	server := tr.newGiftcards(dir, pg.url(), "GIFTCARDS_TRUSTED_PROXY=127.0.0.0/8")
	victim.login(tr, server.URL())
	f := &flood{trial: tr, server: server, victim: tr.newLoad(victim, server.URL)}
	f.attacker = tr.newUser(dir, pg.url(), "issuer", merchant{})
	f.reader = tr.newUser(dir, pg.url(), "reader", f.attacker)
	f.attacker.login(tr, server.URL())
	f.reader.login(tr, server.URL())
	f.link = f.csvLink(full.Size(100_000, 20_000))

	quiet := f.creates(full.Size(10, 1))
	ctx, stop := context.WithCancel(tr.ctx)
	var attack sync.WaitGroup
	attack.Go(func() { f.unfinished(ctx, full.Size(2_000, 200)) })
	attack.Go(func() { f.slowReaders(ctx, full.Size(500, 50)) })
	attack.Go(func() { f.costly(ctx, full.Size(64<<20, 8<<20)) })
	check.Until(tr, "the flood", func() bool { return f.opened.Load() >= int64(full.Size(2_000, 200)) })
	flooded := f.creates(full.Size(30, 1))
	f.largeRequests(full.Size(5, 2))
	resident, peak := residentMemory(tr, server.Pid())
	stop()
	attack.Wait()

	tr.faults.Add(f.opened.Load())
	tr.note = fmt.Sprintf("resident %d MiB, at most %d; a create's p99 %s quiet, %s flooded; costly bodies answered %d", resident>>20, peak>>20,
		p99(quiet).Round(time.Millisecond), p99(flooded).Round(time.Millisecond), f.refused.Load())
	tr.Log(tr.note)
	if peak > floodMemory {
		tr.exceptionf("the server had %d MiB resident, more than %d", peak>>20, floodMemory>>20)
	}
	if full.Asked() && p99(flooded) > 10*p99(quiet) { // without -full, the time is too short to measure p99
		tr.exceptionf("a create's p99 is %s in the flood, %s without", p99(flooded), p99(quiet))
	}
	cards, err := ask[int64](tr.ctx, pg.adminIn(), "select count(*) from gift_cards where encode(program_id, 'hex') = $1", victim.ProgramID)
	tr.must(err)
	if cards != tr.cards.Load() {
		tr.exceptionf("the merchant has %d cards, and was answered %d", cards, tr.cards.Load())
	}
}

type flood struct {
	trial            *trial
	server           *giftcards
	victim           *load
	attacker, reader merchant
	link             string

	opened  atomic.Int64 // connections of the flood
	refused atomic.Int64 // costly bodies that were answered
}

// p99 returns the 99th percentile.
func p99(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)*99/100]
}

// creates lets the victim create cards for some seconds, two at a time, and returns the
// latencies.
func (f *flood) creates(seconds int) (took []time.Duration) {
	f.trial.Helper()
	var mutex sync.Mutex
	var all sync.WaitGroup
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for range 2 {
		all.Go(func() {
			for time.Now().Before(end) {
				o := f.victim.card()
				start := time.Now()
				f.victimSends(o.path, o.key, o.body)
				mutex.Lock()
				took = append(took, time.Since(start))
				mutex.Unlock()
			}
		})
	}
	all.Wait()
	return took
}

// largeRequests lets the victim send bulk requests of 1.5 MB.
func (f *flood) largeRequests(count int) {
	f.trial.Helper()
	for range count {
		f.victimSends(bulkPath, f.victim.newKey("large"), `{"initialValue":5,"count":1,"x":"`+strings.Repeat("x", 1_500_000)+`"}`)
	}
}

func (f *flood) victimSends(path, key, body string) {
	f.trial.requests.Add(1)
	status, answer, err := f.victim.do(http.MethodPost, path, key, body)
	if err != nil || status != http.StatusCreated {
		f.trial.exceptionf("another merchant's %s: %d %.300s %v", key, status, answer, err)
		return
	}
	f.trial.cards.Add(1)
}

// keep keeps count connections open until ctx ends. It reopens those that the server
// closes.
func (f *flood) keep(ctx context.Context, count int, use func(net.Conn)) {
	var all sync.WaitGroup
	for range count {
		all.Go(func() {
			for ctx.Err() == nil {
				conn, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", f.server.Address)
				if err == nil {
					f.opened.Add(1)
					end := context.AfterFunc(ctx, func() { _ = conn.Close() })
					use(conn)
					end()
					_ = conn.Close()
				}
				pause(ctx, 5*time.Second) // the attack keeps connections and does not send gigabytes
			}
		})
	}
	all.Wait()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// unfinished keeps requests open whose bodies lack one byte. The user is a reader, and the program in
// the requests does not exist.
func (f *flood) unfinished(ctx context.Context, count int) {
	body := strings.Repeat(" ", 1<<20-2)
	head := fmt.Sprintf("POST /v2/giftcards/programs/%024d/cards/bulk HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		0, f.reader.token, len(body)+1)
	f.keep(ctx, count, func(conn net.Conn) {
		if _, err := io.WriteString(conn, head+body); err == nil {
			_, _ = io.Copy(io.Discard, conn) // until the server closes it
		}
	})
}

// slowReaders keeps downloads of one link open, and reads 64 bytes ten times a second.
func (f *flood) slowReaders(ctx context.Context, count int) {
	f.keep(ctx, count, func(conn net.Conn) {
		_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", f.link); err != nil {
			return
		}
		for one := make([]byte, 64); ctx.Err() == nil; pause(ctx, 100*time.Millisecond) {
			if _, err := conn.Read(one); err != nil || bytes.Contains(one, []byte(" 429 ")) {
				return
			}
		}
	})
}

// costly sends bulk requests of the given size that cost most to validate. Each
// recipient has an e-mail address in another script and a telephone number. A request has
// as many recipients as it may have, and their names fill the rest.
func (f *flood) costly(ctx context.Context, bytes int) {
	const recipients = 99_000 // above 100,000, none of them would be validated
	name := strings.Repeat("ж", max(10, (bytes/recipients-92)/2))
	var body strings.Builder
	body.WriteString(`{"initialValue":"0.01","expiresAt":"never","recipients":[`)
	for i := 0; i < recipients && body.Len() < bytes-2_000; i++ {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"customerEmail":"ж%d@пример%d.example","customerPhone":"+141555526%02d","x":"%s"}`, i, i, i%100, name)
	}
	body.WriteString(`]}`)
	for ctx.Err() == nil {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.server.URL()+"/v2/giftcards/programs/"+f.attacker.ProgramID+"/cards/bulk", strings.NewReader(body.String()))
		f.trial.must(err)
		r.Header.Set("Authorization", "Bearer "+f.attacker.token)
		if response, err := http.DefaultClient.Do(r); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusUnprocessableEntity { // its date is invalid
				f.refused.Add(1)
			}
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// csvLink lets the attacker issue cards, and returns the path of their CSV.
func (f *flood) csvLink(count int) (path string) {
	f.trial.Helper()
	l := f.trial.newLoad(f.attacker, f.server.URL)
	status, answer, err := l.do(http.MethodPost, bulkPath, "", fmt.Sprintf(`{"initialValue":5,"count":%d}`, count))
	f.trial.must(err)
	var task struct{ TaskID, Status, CsvDownloadURL string }
	if err := json.Unmarshal(answer, &task); err != nil || status != http.StatusAccepted {
		f.trial.Fatalf("the attacker's cards: %d %s", status, answer)
	}
	check.Until(f.trial, "the attacker's cards", func() bool {
		_, answer, err := l.do(http.MethodGet, bulkPath+"/"+task.TaskID, "", "")
		return err == nil && json.Unmarshal(answer, &task) == nil && task.CsvDownloadURL != ""
	})
	_, path, _ = strings.Cut(task.CsvDownloadURL, f.server.Address)
	return path
}

// newUser makes a user by the operator's commands. The user gets the merchant and program of another
// user, or a new merchant and program.
func (tr *trial) newUser(state, database, role string, of merchant) merchant {
	tr.Helper()
	m := of
	m.Username, m.Password = role+"@example.com", "a password of a test"
	command := func(stdin string, args ...string) (id string) {
		tr.Helper()
		var made struct{ ID string }
		tr.must(json.Unmarshal(tr.command(state, database, stdin, args...), &made))
		return made.ID
	}
	if m.MerchantID == "" {
		m.MerchantID = command("", "merchant", "create", "Attacker")
		m.ProgramID = command("", "program", "create", "--merchant", m.MerchantID, "Cards")
	}
	command(m.Password+"\n", "user", "create", "--merchant", m.MerchantID, "--role="+role, m.Username)
	return m
}

// needFiles fails unless this process may open enough files.
func (tr *trial) needFiles(count uint64) {
	tr.Helper()
	var limit syscall.Rlimit
	tr.must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)) // Go's runtime has raised the limit to its maximum
	if limit.Cur < count {
		tr.Fatalf("the flood needs %d open files, and %d are allowed: raise the limit (ulimit -n)", count, limit.Cur)
	}
}
