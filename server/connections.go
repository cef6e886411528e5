package server

import (
	"net"
	"net/netip"
	"sync"

	"golang.org/x/net/netutil"
)

// addressShare is the part of all connections that one address may have: an eighth.
const addressShare = 8

// sendBuffer is the size in bytes of the system's buffer for an answer that the client has
// not read yet. The system's default is some megabytes, which would hide a slow reader of
// a stream for minutes.
const sendBuffer = 256 << 10

// LimitConnections limits the open connections of a listener to most. The next one waits
// until one is closed. An address (in IPv6 a /64) may have an eighth of them, and further
// ones are closed at once. The networks of trusted proxies have no such limit, because one
// proxy speaks for many clients.
func LimitConnections(l net.Listener, most int, trusted []*net.IPNet) net.Listener {
	return &limitedListener{
		Listener: netutil.LimitListener(tunedListener{l}, most),
		most:     max(most/addressShare, 1), trusted: trusted, open: map[netip.Prefix]int{},
	}
}

// tunedListener sets the send buffer of each connection.
type tunedListener struct{ net.Listener }

// Accept returns the next connection.
func (l tunedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // if the system refuses, its default stays
	}
	return c, err
}

type limitedListener struct {
	net.Listener

	most    int // of one address
	trusted []*net.IPNet
	mutex   sync.Mutex
	open    map[netip.Prefix]int
}

// Accept returns the next connection that is within the limit of its address.
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
		// Accept goes on after a refusal, because an error here would stop the whole server.
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

// limitedConn is a connection that counts against its address until it is closed.
type limitedConn struct {
	net.Conn

	end func()
}

// Close closes the connection and gives its place back.
func (c *limitedConn) Close() error {
	c.end()
	return c.Conn.Close()
}
