package faults_test

import (
	"bufio"
	"fmt"
	"net"
	"sync"
	"time"

	"giftcards/cmd/giftcards/processtest"
)

// proxy is a proxy between a server and PostgreSQL that can break connections. It parses the protocol
// just enough to find the beginning of a statement and the end of its answer.
type proxy struct {
	trial    *trial
	listener net.Listener
	target   string
	mutex    sync.Mutex
	pairs    map[*pair]bool
	cut      *cut            // the next cut, nil if none
	seen     map[string]bool // statements that passed while a cut was armed
	done     map[string]bool // cut boundaries, as mode and statement
}

// mode is the moment at a boundary at which a connection breaks.
type mode int

const (
	unsent     mode = iota // the statement never reaches the database
	sent                   // the database gets it, and the client's connection breaks at once, perhaps while it still runs
	unanswered             // the database has executed it, and the answer is lost
	answered               // after the answer
	modes
)

func (m mode) String() string {
	return [...]string{"unsent", "sent", "unanswered", "answered"}[m]
}

// cut is a break at the n-th boundary of any connection from now on.
type cut struct {
	mode  mode
	only  string // the statement whose boundaries count; "" for all
	left  int
	all   bool // breaks all connections, and not only the one that has reached the boundary
	fired chan struct{}
	what  string
}

func (tr *trial) newProxy(target string) *proxy {
	tr.Helper()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", processtest.FreePort(tr)))
	tr.must(err)
	p := &proxy{trial: tr, listener: listener, target: target, pairs: map[*pair]bool{}, seen: map[string]bool{}, done: map[string]bool{}}
	tr.Cleanup(func() { listener.Close(); p.breakAll() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

// lead connects to another target from now on, and breaks the connections to the old one.
func (p *proxy) lead(target string) {
	p.mutex.Lock()
	p.target = target
	p.mutex.Unlock()
	p.breakAll()
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// arm prepares a cut.
func (p *proxy) arm(c cut) *cut {
	c.fired, c.all = make(chan struct{}), p.trial.roll(4) == 0
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cut = &c
	return p.cut
}

// uncut returns a cut for each statement seen so far and each mode in which it was not cut yet.
func (p *proxy) uncut() (cuts []cut) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for statement := range p.seen {
		for m := range modes {
			if partial := statement == copyData && m > sent; !partial && !p.done[m.String()+" "+statement] { // a part of a COPY has no answer
				cuts = append(cuts, cut{mode: m, only: statement, left: 1})
			}
		}
	}
	return cuts
}

// disarm removes the cut, and reports whether it was made.
func (p *proxy) disarm(c *cut) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.cut = nil
	return over(c.fired)
}

// boundary returns the cut to make at a statement that was just read, or nil if there is none.
func (p *proxy) boundary(statement string) *cut {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	c := p.cut
	if c == nil {
		return nil
	}
	p.seen[statement] = true
	if c.only != "" && c.only != statement {
		return nil
	}
	if c.left--; c.left > 0 {
		return nil
	}
	c.what = c.mode.String() + " " + statement
	p.cut, p.done[c.what] = nil, true
	return c
}

func (p *proxy) breakAll() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for pair := range p.pairs {
		pair.close()
	}
}

// execute breaks the pair, or all pairs if the cut says so.
func (p *proxy) execute(c *cut, at *pair) {
	if c.all {
		p.breakAll()
	} else {
		at.close()
	}
	close(c.fired)
}

// pair is a client's connection, and the connection to the database that serves it.
type pair struct {
	proxy            *proxy
	client, database net.Conn
	statements       map[string]string // prepared statements, by name
	mutex            sync.Mutex
	pending          *cut // to be made at the next answer
}

func (p *proxy) serve(client net.Conn) {
	p.mutex.Lock()
	target := p.target
	p.mutex.Unlock()
	database, err := net.DialTimeout("tcp", target, 5*time.Second)
	if err != nil {
		client.Close()
		return
	}
	at := &pair{proxy: p, client: client, database: database, statements: map[string]string{}}
	p.mutex.Lock()
	p.pairs[at] = true
	p.mutex.Unlock()
	defer func() {
		at.close()
		p.mutex.Lock()
		delete(p.pairs, at)
		p.mutex.Unlock()
	}()
	go func() {
		at.answers()
		at.close()
	}()
	at.questions()
}

// close resets the client's connection and closes the database's normally.
func (at *pair) close() {
	if tcp, isTCP := at.client.(*net.TCPConn); isTCP && at.proxy.trial.roll(2) == 0 {
		_ = tcp.SetLinger(0)
	}
	_ = at.client.Close()
	_ = at.database.Close()
}

// questions passes the client's messages on, one statement at a time.
func (at *pair) questions() {
	from := bufio.NewReaderSize(at.client, 64<<10)
	_, group, err := read(from, true)
	if err != nil {
		return
	}
	if _, err := at.database.Write(group); err != nil {
		return
	}
	group = group[:0]
	statement := ""
	for {
		kind, raw, err := read(from, false)
		if err != nil {
			return
		}
		group = append(group, raw...)
		if named := at.name(kind, raw[5:]); named != "" {
			statement = named
		}
		switch kind {
		case 'Q', 'S', 'c', 'd': // a query, a sync, the end of a COPY, a part of a COPY
			if !at.pass(kind, statement, group) {
				return
			}
		case 'H', 'X', 'p', 'f': // these must be sent at once
			if _, err := at.database.Write(group); err != nil {
				return
			}
		default:
			continue
		}
		group = group[:0]
	}
}

// pass sends a statement to the database, unless the cut is due before it.
func (at *pair) pass(kind byte, statement string, group []byte) bool {
	var c *cut
	if kind != 'd' || at.copies() {
		c = at.proxy.boundary(statement)
	}
	if c != nil && c.mode == unsent {
		at.proxy.execute(c, at)
		return false
	}
	if c != nil && (c.mode == unanswered || c.mode == answered) {
		at.mutex.Lock()
		at.pending = c
		at.mutex.Unlock()
	}
	_, err := at.database.Write(group)
	if c != nil && c.mode == sent {
		at.proxy.execute(c, at)
		return false
	}
	return err == nil
}

// copies reports whether a part of a COPY is a boundary. Such a part has no answer.
func (at *pair) copies() bool {
	at.proxy.mutex.Lock()
	defer at.proxy.mutex.Unlock()
	return at.proxy.cut != nil && (at.proxy.cut.mode == unsent || at.proxy.cut.mode == sent)
}

// answers passes on the database's messages. An answer ends with ReadyForQuery, or with the
// message that begins a COPY.
func (at *pair) answers() {
	from := bufio.NewReaderSize(at.database, 64<<10)
	var held []byte
	for {
		kind, raw, err := read(from, false)
		if err != nil {
			return
		}
		held = append(held, raw...)
		at.mutex.Lock()
		c := at.pending
		at.mutex.Unlock()
		ended := kind == 'Z' || kind == 'G'
		if c != nil && !ended {
			continue
		}
		if c != nil && c.mode == unanswered {
			at.proxy.execute(c, at)
			return
		}
		if ended || from.Buffered() == 0 || len(held) > 256<<10 {
			if _, err := at.client.Write(held); err != nil {
				return
			}
			held = held[:0]
		}
		if c != nil {
			at.proxy.execute(c, at)
			return
		}
	}
}

const copyData = "copy data"
