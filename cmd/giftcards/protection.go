package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"giftcards/server"
)

// protection is the settings of HTTPS, proxies, CORS and rate limits.
type protection struct {
	TLSCert string `name:"tls-cert" env:"GIFTCARDS_TLS_CERT" placeholder:"FILE" help:"Certificate with its chain (PEM); with it and --tls-key the server speaks HTTPS. It is read again every minute."`
	TLSKey  string `name:"tls-key" env:"GIFTCARDS_TLS_KEY" placeholder:"FILE" help:"The certificate's private key (PEM)."`

	TrustedProxy []string `env:"GIFTCARDS_TRUSTED_PROXY" placeholder:"CIDR" help:"Addresses of proxies, such as 10.0.0.0/8, whose X-Forwarded-For names the client; separated by commas. Default: none."`
	CORSOrigin   []string `name:"cors-origin" env:"GIFTCARDS_CORS_ORIGIN" placeholder:"ORIGIN" help:"Origins such as https://shop.example.com whose pages may call the server; separated by commas. Default: none."`

	MaxConnections int `env:"GIFTCARDS_MAX_CONNECTIONS" default:"4096" placeholder:"N" help:"Most open connections; an eighth of them from one address, unless it is a trusted proxy's or this machine's (${default})."`

	UserRate      int `env:"GIFTCARDS_USER_RATE" default:"1000" placeholder:"N" help:"Rate limit of one user's tokens together, in requests a second, with bursts of twice as many; 0 is no limit (${default})."`
	AddressRate   int `env:"GIFTCARDS_ADDRESS_RATE" default:"2000" placeholder:"N" help:"Rate limit of one address, in requests a second, with bursts of twice as many; 0 is no limit (${default})."`
	LinkDownloads int `env:"GIFTCARDS_LINK_DOWNLOADS" default:"10" placeholder:"N" help:"Rate limit of one CSV link, in downloads a minute, with bursts of as many; 0 is no limit (${default})."`
	FailedLogins  int `env:"GIFTCARDS_FAILED_LOGINS" default:"10" placeholder:"N" help:"Wrong passwords that one address may send in 5 minutes; five times as many for one user, and six times as many right ones; 0 is no limit (${default})."`
	BalanceChecks int `env:"GIFTCARDS_BALANCE_CHECKS" default:"5" placeholder:"N" help:"Rate limit of one address, in balance checks a minute, with bursts of as many; four times as many different numbers in vain in 10 minutes refuse it for an hour; 0 is no limit (${default})."`

	proxies []*net.IPNet
}

// maxRate is more than one instance can answer.
const maxRate = 1_000_000

// leastConnections leaves one address 8 connections, which is enough for a browser.
const leastConnections = 64

func (p *protection) check(f faults) {
	f.note("tls-cert", (p.TLSCert == "") == (p.TLSKey == ""), "want --tls-cert and --tls-key, or neither")
	// With only one of the two, the fault above is enough.
	if p.secure() && p.TLSCert != "" && p.TLSKey != "" {
		_, err := tls.LoadX509KeyPair(p.TLSCert, p.TLSKey)
		f.note("tls-cert", err == nil, fmt.Sprint(err))
	}
	// A list's fault is noted at its first unfit value; a later fit value does not delete it.
	for _, text := range p.TrustedProxy {
		_, network, err := net.ParseCIDR(text)
		if err != nil {
			f.note("trusted-proxy", false, fmt.Sprintf("want addresses such as 10.0.0.0/8 or 192.0.2.1/32, not %q", text))
			continue
		}
		p.proxies = append(p.proxies, network)
	}
	for _, origin := range p.CORSOrigin {
		if !isOrigin(origin) {
			f.note("cors-origin", false, fmt.Sprintf("want origins such as https://shop.example.com, not %q", origin))
		}
	}
	f.note("max-connections", p.MaxConnections >= leastConnections && p.MaxConnections <= maxRate, fmt.Sprintf("want %d to %d, not %d", leastConnections, maxRate, p.MaxConnections))
	for flag, rate := range map[string]int{"user-rate": p.UserRate, "address-rate": p.AddressRate, "link-downloads": p.LinkDownloads, "failed-logins": p.FailedLogins, "balance-checks": p.BalanceChecks} {
		f.note(flag, rate >= 0 && rate <= maxRate, "want 0 to "+strconv.Itoa(maxRate))
	}
}

// isOrigin reports whether text is an origin in the form that browsers send. It refuses
// patterns, because a forgotten dot in one would let other origins in.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && text == u.Scheme+"://"+u.Host &&
		u.Hostname() != "" && text == strings.ToLower(text) && !strings.ContainsAny(text, "*?")
}

// secure reports whether the server speaks HTTPS.
func (p *protection) secure() bool { return p.TLSCert != "" || p.TLSKey != "" }

func (p *protection) scheme() string {
	if p.secure() {
		return "https://"
	}
	return "http://"
}

// apply copies the settings into the server's options.
func (p *protection) apply(o *server.Options) {
	o.UserRate, o.AddressRate, o.LinkDownloads, o.FailedLogins, o.BalanceChecks = p.UserRate, p.AddressRate, p.LinkDownloads, p.FailedLogins, p.BalanceChecks
	o.TrustedProxies, o.CORSOrigins = p.proxies, p.CORSOrigin
}

// tlsConfig returns nil if the server speaks plain HTTP.
func (p *protection) tlsConfig(log *slog.Logger) *tls.Config {
	if !p.secure() {
		return nil
	}
	c := &certificate{certFile: p.TLSCert, keyFile: p.TLSKey, every: time.Minute, log: log}
	return &tls.Config{
		MinVersion:     tls.VersionTLS12, // RFC 9325 forbids older versions
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()) },
	}
}

// certificate caches a certificate and reads it again from time to time, because it may
// be renewed while the server runs.
type certificate struct {
	certFile, keyFile string
	every             time.Duration
	log               *slog.Logger

	mutex   sync.Mutex
	current *tls.Certificate
	read    time.Time
}

// get returns the newest readable certificate.
func (c *certificate) get(now time.Time) (*tls.Certificate, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	// Every handshake comes here, but the files are read only once per c.every.
	if c.current != nil && now.Sub(c.read) < c.every {
		return c.current, nil
	}
	fresh, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	switch {
	case err == nil:
		c.current = &fresh
	case c.current == nil:
		return nil, err
	default: // a renewal may have written only one of the files yet
		c.log.Warn("certificate not read, the old one stays in use", "error", err)
	}
	c.read = now
	return c.current, nil
}
