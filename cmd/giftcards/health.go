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

// healthTimeout is shorter than the time that container runtimes allow a health check.
const healthTimeout = 2 * time.Second

// Run asks the server on this machine whether it is ready. The image's health check uses
// it, because the image contains no other program.
func (healthCommand) Run(s *session) error {
	host, port, err := net.SplitHostPort(s.config.Listen)
	if err != nil {
		return err
	}
	if host == "" || net.ParseIP(host).IsUnspecified() {
		host = "127.0.0.1" // a minimal image cannot look up localhost
	}
	r, err := http.NewRequestWithContext(s, http.MethodGet, s.config.scheme()+net.JoinHostPort(host, port)+"/readyz", nil)
	if err != nil {
		return err
	}
	// The certificate does not name this address. Skipping its verification is safe,
	// because the request contains no secret.
	client := http.Client{Timeout: healthTimeout, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // see above
	}}
	response, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	// The body names the reason, such as "Database is not reachable".
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
		return fmt.Errorf("not ready: %s %s", response.Status, body)
	}
	_, err = fmt.Fprintln(s.stdout, "ready")
	return err
}
