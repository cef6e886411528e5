package server

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/netutil"
)

// addressShare is which part of all connections one address may have.
const addressShare = 8

// sendBuffer is how much of an answer the system keeps for a client that does not
// read, in bytes. The system's own choice is some megabytes, with which a slow
// reader of a stream would go unnoticed for minutes.
const sendBuffer = 256 << 10

// LimitConnections bounds how many connections of a listener are open at once: no
// more than most are accepted, the next waits until one is closed. An address (of
// IPv6 a /64) gets an eighth of them, and what it opens beyond that is closed at
// once; the networks of trusted proxies, which speak for many, have no such bound.
func LimitConnections(l net.Listener, most int, trusted []*net.IPNet) net.Listener {
	return &limitedListener{
		Listener: netutil.LimitListener(tunedListener{l}, most),
		most:     max(most/addressShare, 1), trusted: trusted, open: map[netip.Prefix]int{},
	}
}

// tunedListener bounds what the system keeps for a connection.
type tunedListener struct{ net.Listener }

// Accept returns the next connection.
func (l tunedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a system that refuses keeps its own
	}
	return c, err
}

type limitedListener struct {
	net.Listener

	most    int // of an address
	trusted []*net.IPNet
	mutex   sync.Mutex
	open    map[netip.Prefix]int
}

// Accept returns the next connection that is within its address's bound.
func (l *limitedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		address, isTCP := c.RemoteAddr().(*net.TCPAddr)
		if !isTCP || l.trusts(address.IP) {
			return c, nil
		}
		from := network(address.IP.String(), 32, 64)
		if l.take(from) {
			return &limitedConn{Conn: c, end: sync.OnceFunc(func() { l.giveBack(from) })}, nil
		}
		_ = c.Close()
	}
}

func (l *limitedListener) trusts(ip net.IP) bool {
	for _, network := range l.trusted {
		if network.Contains(ip) {
			return true
		}
	}
	return false
}

func (l *limitedListener) take(from netip.Prefix) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.open[from] >= l.most {
		return false
	}
	l.open[from]++
	return true
}

func (l *limitedListener) giveBack(from netip.Prefix) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.open[from]--; l.open[from] == 0 {
		delete(l.open, from)
	}
}

// limitedConn counts until it is closed.
type limitedConn struct {
	net.Conn

	end func()
}

// Close closes the connection and gives its place back.
func (c *limitedConn) Close() error {
	c.end()
	return c.Conn.Close()
}
