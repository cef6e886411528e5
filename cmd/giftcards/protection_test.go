package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest"
)

// writeCertificate makes a certificate for 127.0.0.1, and returns a pool that trusts it.
func writeCertificate(t *testing.T, dir string, serial int64) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "a test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	must(t, os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
	parsed, err := x509.ParseCertificate(der)
	must(t, err)
	trust = x509.NewCertPool()
	trust.AddCert(parsed)
	return certFile, keyFile, trust
}

// TestServeSpeaksHTTPS: the server speaks TLS 1.2 and later and HTTP/2, refuses plain HTTP,
// and the health check finds it.
func TestServeSpeaksHTTPS(t *testing.T) {
	t.Parallel()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	certFile, keyFile, trust := writeCertificate(t, t.TempDir(), 1)
	certificates := []string{"GIFTCARDS_TLS_CERT=" + certFile, "GIFTCARDS_TLS_KEY=" + keyFile}
	server := processtest.NewServer(t, address, func() *exec.Cmd {
		return processtest.Command(processtest.Program(t), dir, address, append(certificates, "GIFTCARDS_DEMO_PASSWORD=a known password")...)
	})
	server.Launch()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trust}, ForceAttemptHTTP2: true}}
	server.Await(client, "https://"+address)

	response, err := client.Post("https://"+address+"/v2/token", "application/x-www-form-urlencoded", strings.NewReader("username=demo@example.com&password=a+known+password"))
	must(t, err)
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 || response.Header.Get("Strict-Transport-Security") == "" ||
		response.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a login: %d over %s, %v\n%s", response.StatusCode, response.Proto, response.Header, body)
	}
	// TLS 1.1 is refused (RFC 8996).
	for version, spoken := range map[uint16]bool{tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
		connection, err := tls.Dial("tcp", address, &tls.Config{RootCAs: trust, MinVersion: version, MaxVersion: version})
		if (err == nil) != spoken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			must(t, connection.Close())
		}
	}
	if plain, err := http.Get("http://" + address + "/readyz"); err == nil && plain.StatusCode != http.StatusBadRequest {
		t.Errorf("in the clear: %d", plain.StatusCode)
	}
	if code, _, stderr := command(t, "", "health", "--listen="+address, "--tls-cert="+certFile, "--tls-key="+keyFile); code != 0 {
		t.Errorf("health: %d %s", code, stderr)
	}
	if made, err := readDemo(filepath.Join(dir, "demo.json")); err != nil || made.BaseURL != "https://"+address {
		t.Errorf("demo.json: %v, at %s", err, made.BaseURL)
	}
	must(t, server.Stop(syscall.SIGTERM))
	if printed := server.Output(); strings.Contains(printed, "PRIVATE") || strings.Contains(printed, "a known password") {
		t.Errorf("a secret is printed:\n%s", printed)
	}
}

func TestARenewedCertificateIsUsedAndABrokenOneIsNot(t *testing.T) {
	t.Parallel()
	dir, log := t.TempDir(), &storetest.Log{}
	certFile, keyFile, _ := writeCertificate(t, dir, 1)
	c := &certificate{certFile: certFile, keyFile: keyFile, every: time.Minute, log: slog.New(slog.NewTextHandler(log, nil))}
	now := time.Now()
	serial := func(after time.Duration) int64 {
		got, err := c.get(now.Add(after))
		must(t, err)
		return got.Leaf.SerialNumber.Int64()
	}
	if got := serial(0); got != 1 {
		t.Fatalf("certificate %d", got)
	}
	writeCertificate(t, dir, 2)
	if early, late := serial(59*time.Second), serial(time.Minute); early != 1 || late != 2 {
		t.Errorf("certificates %d within the minute, %d after it", early, late)
	}
	must(t, os.WriteFile(keyFile, []byte("half of a renewal"), 0o600))
	if got := serial(2 * time.Minute); got != 2 || !strings.Contains(log.String(), "certificate not read") {
		t.Errorf("certificate %d, and in the log: %s", got, log)
	}
	writeCertificate(t, dir, 3)
	if got := serial(3 * time.Minute); got != 3 {
		t.Errorf("certificate %d after the other half", got)
	}
	if _, err := (&certificate{certFile: "/nowhere", keyFile: "/nowhere"}).get(now); err == nil {
		t.Error("no certificate at all is no error")
	}
}

func TestSettingsThatWouldNotProtectAreRefused(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := writeCertificate(t, t.TempDir(), 1)
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"all of them": {[]string{
			"--tls-cert=" + certFile, "--tls-key=" + keyFile, "--trusted-proxy=10.0.0.0/8,2001:db8::/32", "--cors-origin=https://shop.example.com,http://localhost:3000",
			"--user-rate=0", "--address-rate=0", "--failed-logins=0", "--balance-checks=0",
		}, ""},
		"a certificate without a key": {[]string{"--tls-cert=" + certFile}, "--tls-cert: "},
		"a key without a certificate": {[]string{"--tls-key=" + keyFile}, "--tls-cert: "},
		"no certificate":              {[]string{"--tls-cert=" + keyFile, "--tls-key=" + keyFile}, "--tls-cert: "},
		"no such file":                {[]string{"--tls-cert=/nowhere", "--tls-key=" + keyFile}, "--tls-cert: "},
		"a proxy's name":              {[]string{"--trusted-proxy=proxy.example.com"}, "--trusted-proxy: "},
		"an address without a length": {[]string{"--trusted-proxy=10.0.0.1"}, "--trusted-proxy: "},
		"all origins":                 {[]string{"--cors-origin=*"}, "--cors-origin: "},
		"a pattern":                   {[]string{"--cors-origin=https://*.example.com"}, "--cors-origin: "},
		"a path":                      {[]string{"--cors-origin=https://shop.example.com/"}, "--cors-origin: "},
		"null":                        {[]string{"--cors-origin=null"}, "--cors-origin: "},
		"no scheme":                   {[]string{"--cors-origin=shop.example.com"}, "--cors-origin: "},
		"capitals":                    {[]string{"--cors-origin=https://Shop.example.com"}, "--cors-origin: "},
		"a rate below none":           {[]string{"--user-rate=-1"}, "--user-rate: "},
		"a rate that is no number":    {[]string{"--address-rate=many"}, "--address-rate: "},
		"beyond what can be":          {[]string{"--failed-logins=1000001"}, "--failed-logins: "},
	} {
		// version checks the settings as serve does, and starts nothing.
		code, _, stderr := command(t, "", append([]string{"version"}, c.args...)...)
		if (code == 0) != (c.want == "") || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
		if strings.Contains(stderr, "PRIVATE KEY") {
			t.Errorf("%s: the key is told\n%s", name, stderr)
		}
	}
}

// TestHelpAndFaultsTellNoSecret of the environment.
func TestHelpAndFaultsTellNoSecret(t *testing.T) {
	secrets := map[string]string{
		"DATABASE_URL":            "postgres://giftcards:hidden-database-password@127.0.0.1:1/giftcards",
		"GIFTCARDS_SMTP_PASSWORD": "hidden-smtp-password",
		"GIFTCARDS_SMS_TOKEN":     "hidden-sms-token",
		"GIFTCARDS_DEMO_PASSWORD": "hidden-demo-password",
	}
	for name, value := range secrets {
		t.Setenv(name, value)
	}
	for _, args := range [][]string{
		{"--help"}, {"serve", "--help"}, {"serve", "--nothing"}, {"serve", "--user-rate=-1"}, {"serve", "--sms-url=nonsense"},
		{"version", "--smtp-url=smtp://user@mail.example.com", "--mail-from=a@example.com", "--sms-url=https://sms.example.com"},
	} {
		if _, stdout, stderr := command(t, "", args...); strings.Contains(stdout+stderr, "hidden-") {
			t.Errorf("%v tells a secret:\n%s%s", args, stdout, stderr)
		}
	}
	t.Setenv("DATABASE_URL", "postgres://giftcards:hidden-database-password@nowhere:port/giftcards")
	if code, stdout, stderr := command(t, "", "version"); code != exitSettings || strings.Contains(stdout+stderr, "hidden-") {
		t.Errorf("a bad address: exit code %d\n%s%s", code, stdout, stderr)
	}
}
