//go:build proxies

package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
)

// slowRequest is longer than the minute after which proxies give up by default.
const slowRequest = 65 * time.Second

// TestASampleOfAProxyPassesEverythingOn runs the samples in docs/proxies with the addresses and the
// certificate of the test.
func TestASampleOfAProxyPassesEverythingOn(t *testing.T) {
	t.Parallel()
	for name, sample := range map[string]struct {
		file    string
		replace func(front, back, certificate string) []string
		command func(config string) []string
	}{
		"nginx": {
			"nginx.conf",
			func(front, back, certificate string) []string {
				return []string{
					"127.0.0.1:8080", back, "listen 443 ssl", "listen " + front + " ssl", "/etc/ssl/example.com.crt", certificate, "/etc/ssl/example.com.key", certificate,
				}
			},
			func(config string) []string {
				return []string{"nginx", "-c", config, "-e", "stderr", "-g", "daemon off; pid " + config + ".pid;"}
			},
		},
		"haproxy": {
			"haproxy.cfg",
			func(front, back, certificate string) []string {
				return []string{"127.0.0.1:8080", back, "bind :443", "bind " + front, "/etc/haproxy/example.com.pem", certificate}
			},
			func(config string) []string { return []string{"haproxy", "-db", "-f", config} },
		},
		"caddy": {
			"Caddyfile",
			func(front, back, certificate string) []string {
				_, port, _ := net.SplitHostPort(front)
				return []string{
					"127.0.0.1:8080", back, "example.com {", "{\n\tadmin off\n\tauto_https disable_redirects\n}\nexample.com:" + port + " {\n\ttls " + certificate + " " + certificate,
				}
			},
			func(config string) []string {
				return []string{"caddy", "run", "--adapter", "caddyfile", "--config", config}
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, front, back := processtest.StateDir(t), processtest.FreeAddress(t), processtest.FreeAddress(t)
			config := filepath.Join(dir, sample.file)
			text, err := os.ReadFile("../../docs/proxies/" + sample.file)
			must(t, err)
			certificate := combinedCertificate(t, dir)
			// If a sample has changed, the test must fail here and not run it with wrong addresses.
			pairs := sample.replace(front, back, certificate)
			for i := 0; i < len(pairs); i += 2 {
				if !strings.Contains(string(text), pairs[i]) {
					t.Fatalf("%s has no %s any more", sample.file, pairs[i])
				}
				text = []byte(strings.ReplaceAll(string(text), pairs[i], pairs[i+1]))
			}
			must(t, os.WriteFile(config, text, 0o644))
			server := processtest.Serve(t, dir, back, "GIFTCARDS_BASE_URL="+proxied, "GIFTCARDS_TRUSTED_PROXY=127.0.0.1/32")
			runProxy(t, dir, sample.command(config))
			passesEverythingOn(t, dir, front)
			must(t, server.Stop(syscall.SIGTERM))
		})
	}
}

// proxied is the server's address in the samples.
const proxied = "https://example.com/cards"

func runProxy(t *testing.T, dir string, command []string) {
	t.Helper()
	if _, err := exec.LookPath(command[0]); err != nil {
		t.Fatalf("%s is needed: apt-get install %s", command[0], command[0])
	}
	cmd := exec.Command(command[0], command[1:]...)
	var said bytes.Buffer // read when the proxy has ended
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "XDG_DATA_HOME=" + dir, "XDG_CONFIG_HOME=" + dir}
	cmd.Stdout, cmd.Stderr = &said, &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s says:\n%s", command[0], said.String())
		}
	})
}

// proxyClient sends requests to the proxy from an address that is not the proxy's. It
// follows no redirect.
type proxyClient struct {
	http.Client
	t     *testing.T
	token string
}

func newProxyClient(t *testing.T, front string) *proxyClient {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	return &proxyClient{t: t, Client: http.Client{
		Timeout:       2 * time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true, ServerName: "example.com"},
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, "tcp", front)
			},
		},
	}}
}

func (c *proxyClient) do(method, address string, header http.Header, body io.Reader, size int64) (status int, got http.Header, text []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, body)
	must(c.t, err)
	if header != nil {
		r.Header = header
	}
	r.Header.Set("X-Forwarded-For", "203.0.113.9") // a forged header
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if size > 0 {
		r.ContentLength = size
	}
	response, err := c.Do(r)
	must(c.t, err)
	defer response.Body.Close()
	text, err = io.ReadAll(response.Body)
	must(c.t, err)
	return response.StatusCode, response.Header, text
}

func (c *proxyClient) post(address, body string) (status int, got http.Header, text []byte) {
	c.t.Helper()
	return c.do(http.MethodPost, address, http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body), 0)
}

func passesEverythingOn(t *testing.T, dir, front string) {
	t.Helper()
	made, err := readDemo(filepath.Join(dir, "demo.json"))
	must(t, err)
	c := newProxyClient(t, front)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		response, err := c.Get(proxied + "/readyz")
		if err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy does not lead to the server: %v", err)
		}
	}
	form := url.Values{"username": {made.Username}, "password": {made.Password}}.Encode()
	status, _, text := c.do(http.MethodPost, proxied+"/v2/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, strings.NewReader(form), 0)
	var token struct{ AccessToken string }
	if err := json.Unmarshal(text, &token); err != nil || status != http.StatusOK {
		t.Fatalf("login: %d %s", status, text)
	}
	c.token = token.AccessToken
	cards := proxied + "/v2/giftcards/programs/" + made.ProgramID + "/cards"

	status, header, text := c.post(cards+"/bulk", `{"initialValue":5,"count":51}`)
	poll, err := url.Parse(cards + "/bulk")
	must(t, err)
	poll, err = poll.Parse(header.Get("Location"))
	must(t, err)
	if found, _, _ := c.do(http.MethodGet, poll.String(), nil, nil, 0); status != http.StatusAccepted || found != http.StatusOK {
		t.Errorf("a task: %d %s, its Location %s: %d", status, text, poll, found)
	}
	// One body is just below the limit of a bulk request, and one just above it.
	for length, want := range map[int]int{63 << 20: http.StatusCreated, 64<<20 + 1: http.StatusRequestEntityTooLarge} {
		body := `{"initialValue":5,"count":2}`
		body += strings.Repeat(" ", length-len(body))
		status, _, text = c.post(cards+"/bulk", body)
		if status != want || !json.Valid(text) {
			t.Errorf("a body of %d bytes: %d %.300s", length, status, text)
		}
	}
	_, _, text = c.post(cards+"/bulk", `{"initialValue":5,"count":2}`)
	var issued struct{ CsvDownloadURL string }
	must(t, json.Unmarshal(text, &issued))
	if status, _, text = c.do(http.MethodGet, issued.CsvDownloadURL, nil, nil, 0); status != http.StatusOK || strings.Count(string(text), "\n") != 3 {
		t.Errorf("CSV %s: %d %s", issued.CsvDownloadURL, status, text)
	}
	if status, _, text = c.do(http.MethodHead, issued.CsvDownloadURL, nil, nil, 0); status != http.StatusOK || len(text) > 0 {
		t.Errorf("HEAD of the CSV: %d", status)
	}
	_, _, page := c.do(http.MethodGet, proxied+"/docs", nil, nil, 0)
	addresses := regexp.MustCompile(`(?:src|data-document)="([^"]*)"`).FindAllStringSubmatch(string(page), -1)
	for _, address := range addresses {
		if status, _, _ := c.do(http.MethodGet, proxied+"/"+address[1], nil, nil, 0); status != http.StatusOK {
			t.Errorf("%s of the page: %d", address[1], status)
		}
	}
	if len(addresses) != 3 {
		t.Errorf("the page has the addresses %v", addresses)
	}
	if status, header, _ := c.do(http.MethodGet, proxied, nil, nil, 0); status != http.StatusFound || !strings.HasSuffix(header.Get("Location"), "/cards/docs") {
		t.Errorf("%s: %d %s", proxied, status, header.Get("Location"))
	}
	waitsForASlowAnswer(t, dir, func() (int, []byte) {
		status, _, text := c.post(cards+"/bulk", `{"initialValue":5,"count":2}`) // a single card gives up after 30 seconds
		return status, text
	})
	_, listed, stderr := command(t, "", "audit", "list", "--state-dir="+dir)
	var entries []struct{ Operation, Client string }
	if err := json.Unmarshal([]byte(listed), &entries); err != nil {
		t.Fatalf("%v %s", err, stderr)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Operation, "GiftCards") && e.Client != "127.0.0.2" {
			t.Errorf("%s came from %s, not from 127.0.0.2", e.Operation, e.Client)
		}
	}
}

// waitsForASlowAnswer makes a card wait for a lock for longer than a minute.
func waitsForASlowAnswer(t *testing.T, dir string, create func() (int, []byte)) {
	t.Helper()
	database, running := embedded.Running(dir)
	if !running {
		t.Fatal("the private database is not found")
	}
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.Exec(t.Context(), "begin; lock table gift_cards in access exclusive mode")
	must(t, err)
	released := make(chan error, 1)
	go func() {
		time.Sleep(slowRequest)
		_, err := conn.Exec(t.Context(), "rollback")
		released <- err
	}()
	status, text := create()
	must(t, <-released)
	if status != http.StatusCreated {
		t.Errorf("an answer that took %s: %d %s", slowRequest, status, text)
	}
}

// combinedCertificate writes a certificate and its key into one file.
func combinedCertificate(t *testing.T, dir string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	path := filepath.Join(dir, "example.com.pem")
	must(t, os.WriteFile(path, text, 0o644))
	return path
}
