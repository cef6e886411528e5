package main

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

type healthCommand struct{}

// healthTimeout is below what container runtimes grant a health check.
const healthTimeout = 2 * time.Second

// Run asks the server on this machine whether it is ready. It is for health
// checks in images that have no other program.
func (healthCommand) Run(s *session) error {
	host, port, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return err
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1" // a bare container cannot look up localhost
	}
	r, err := http.NewRequestWithContext(s, http.MethodGet, s.config.scheme()+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// The certificate is for the name that clients use, and nothing secret is sent.
	client := http.Client{Timeout: healthTimeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as said above
	}}
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("not ready: %s %s", response.Status, body)
	}
	_, err = fmt.Fprintln(s.stdout, "ready")
	return err
}
