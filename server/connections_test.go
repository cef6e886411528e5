package server_test

import (
	"net"
	"net/http"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/store/storetest/check"
)

// limited starts a server with a limit of connections, and returns its address.
func limited(t *testing.T, most int, trusted ...*net.IPNet) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	h := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })}
	go func() { _ = h.Serve(server.LimitConnections(listener, most, trusted)) }()
	t.Cleanup(func() { _ = h.Close() })
	return listener.Addr().String()
}

// connect opens a connection, leaves it open, and reports whether a request on it is
// answered.
func connect(t *testing.T, address string, within time.Duration) (conn net.Conn, answered bool) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(within)))
	if _, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		return conn, false
	}
	n, _ := conn.Read(make([]byte, 12))
	return conn, n > 0
}

// TestAnAddressGetsAnEighthOfAllConnections: the server closes further ones at once. When the
// address has closed one, it may open another.
func TestAnAddressGetsAnEighthOfAllConnections(t *testing.T) {
	t.Parallel()
	address := limited(t, 32)
	var open []net.Conn
	for i := range 4 {
		conn, answered := connect(t, address, time.Minute)
		if !answered {
			t.Errorf("connection %d is not served", i)
		}
		open = append(open, conn)
	}
	if _, answered := connect(t, address, time.Minute); answered {
		t.Error("an address has more than its part")
	}
	must(t, open[0].Close())
	check.Until(t, "a place that was given back", func() bool {
		_, answered := connect(t, address, time.Minute)
		return answered
	})
}

// TestATrustedProxyMayOpenAllConnections. A further connection waits until one is closed.
func TestATrustedProxyMayOpenAllConnections(t *testing.T) {
	t.Parallel()
	_, here, err := net.ParseCIDR("127.0.0.0/8")
	must(t, err)
	address := limited(t, 16, here)
	var open []net.Conn
	for i := range 16 {
		conn, answered := connect(t, address, time.Minute)
		if !answered {
			t.Errorf("connection %d is not served", i)
		}
		open = append(open, conn)
	}
	waiting, answered := connect(t, address, 200*time.Millisecond)
	if answered {
		t.Error("there are more connections than the server may have")
	}
	must(t, open[0].Close())
	must(t, waiting.SetDeadline(time.Now().Add(time.Minute)))
	if n, err := waiting.Read(make([]byte, 12)); n == 0 {
		t.Errorf("the connection that waited is not served: %v", err)
	}
}
