package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestSettingsThatWouldLoseMessagesOrExposeASecretAreRefused. No error contains a secret.
func TestSettingsThatWouldLoseMessagesOrExposeASecretAreRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("a secret of a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	mail := []string{"--smtp-url=smtps://mail.example.com:4465", "--mail-from=cards@example.com"}
	texts := []string{"--sms-url=https://api.example.com", "--sms-account=AC1", "--sms-from=Books", "--sms-token-file=" + file}
	for name, c := range map[string]struct {
		args []string
		want string // empty: no fault
	}{
		"nothing":                      {nil, ""},
		"STARTTLS":                     {[]string{"--smtp-url=smtp://user@mail.example.com", "--smtp-password-file=" + file, "--mail-from=cards@example.com", "--sms-url=outbox"}, ""},
		"TLS":                          {append(mail, "--sms-url=outbox"), ""},
		"this machine":                 {[]string{"--smtp-url=smtp+plain://localhost", "--mail-from=cards@example.com", "--sms-url=outbox"}, ""},
		"both":                         {append(mail, texts...), ""},
		"a provider":                   {append(texts, "--smtp-url=outbox"), ""},
		"from in the outbox":           {[]string{"--mail-from=cards@example.com"}, ""},
		"text messages lost":           {mail, "--sms-url: "},
		"mail lost":                    {texts, "--smtp-url: "},
		"a provider forgotten":         {[]string{"--sms-account=AC1"}, "--sms-url: "},
		"in the clear":                 {[]string{"--smtp-url=smtp+plain://mail.example.com", "--mail-from=cards@example.com"}, "--smtp-url: "},
		"no such port":                 {[]string{"--smtp-url=smtp://mail.example.com:99999", "--mail-from=cards@example.com"}, "--smtp-url: "},
		"password in the URL":          {[]string{"--smtp-url=smtp://user:hidden@mail.example.com", "--mail-from=cards@example.com"}, "--smtp-password-file"},
		"a password of nobody":         {append(mail, "--sms-url=outbox", "--smtp-password-file="+file), "--smtp-url: "},
		"nobody to be from":            {[]string{"--smtp-url=smtp://mail.example.com"}, "--mail-from: "},
		"from beyond ASCII":            {[]string{"--mail-from=kärten@example.com"}, "--mail-from: "},
		"from an international":        {[]string{"--mail-from=cards@bücher.example"}, ""},
		"no password":                  {[]string{"--smtp-url=smtp://user@mail.example.com", "--mail-from=cards@example.com"}, "--smtp-password-file: "},
		"no such file":                 {[]string{"--smtp-url=smtp://user@mail.example.com", "--mail-from=cards@example.com", "--smtp-password-file=/nowhere"}, "--smtp-password-file: "},
		"user in the URL":              {[]string{"--sms-url=https://u:hidden@api.example.com", "--sms-account=AC1", "--sms-from=Books", "--sms-token-file=" + file}, "--sms-url: "},
		"own database, nothing said":   {[]string{"--database-url=postgres://nowhere/x"}, "--smtp-url: want a server, or outbox"},
		"own database, no mail":        {append([]string{"--database-url=postgres://nowhere/x"}, texts...), "--smtp-url: "},
		"own database, no texts":       {append([]string{"--database-url=postgres://nowhere/x"}, mail...), "--sms-url: want the https address"},
		"own database, both to files":  {[]string{"--database-url=postgres://nowhere/x", "--smtp-url=outbox", "--sms-url=outbox"}, ""},
		"own database, both have some": {append(append([]string{"--database-url=postgres://nowhere/x"}, mail...), texts...), ""},
		"a helo":                       {append([]string{"--smtp-helo=mail.bücher.example", "--sms-url=outbox"}, mail...), ""},
		"an address as helo":           {append([]string{"--smtp-helo=[192.0.2.1]", "--sms-url=outbox"}, mail...), ""},
		"a helo that servers refuse":   {append([]string{"--smtp-helo=4f1ab2c3d4e5", "--sms-url=outbox"}, mail...), "--smtp-helo: want the name of a host"},
		"a helo of two lines":          {append([]string{"--smtp-helo=mail.example.com\r\nMAIL FROM:<x>", "--sms-url=outbox"}, mail...), "--smtp-helo: "},
		"a key for DKIM":               {append([]string{"--dkim-key-file=" + dkimKeyFile(t), "--sms-url=outbox"}, mail...), ""},
		"no key for DKIM":              {append([]string{"--dkim-key-file=" + file, "--sms-url=outbox"}, mail...), "--dkim-key-file: want a private key in PEM"},
		"a selector of two lines":      {append([]string{"--dkim-key-file=" + dkimKeyFile(t), "--dkim-selector=a\r\nb", "--sms-url=outbox"}, mail...), "--dkim-selector: want a name of DNS"},
		"a key for files":              {[]string{"--dkim-key-file=" + dkimKeyFile(t), "--smtp-url=outbox", "--sms-url=outbox"}, "--dkim-key-file: is for mails that are sent"},
		"a broken file of texts":       {[]string{"--language-dir=" + brokenTexts(t)}, "--language-dir: de.txt:2: for: {recipient} is missing"},
		"reports":                      {append([]string{"--mail-bounces=bounces@bücher.example", "--sms-url=outbox"}, mail...), ""},
		"reports to nobody":            {append([]string{"--mail-bounces=bounces", "--sms-url=outbox"}, mail...), "--mail-bounces: "},
		"reports on files":             {[]string{"--mail-bounces=bounces@example.com"}, "--mail-bounces: needs a server"},
		"no place for the mark":        {append([]string{"--mail-bounces=" + strings.Repeat("b", 35) + "@example.com", "--sms-url=outbox"}, mail...), "--mail-bounces: want at most 34"},
		"no templates":                 {[]string{"--template-dir=/nowhere"}, "--template-dir: there is no directory /nowhere"},
	} {
		// --listen=nowhere keeps a server with accepted settings from starting.
		code, _, stderr := command(t, "", append([]string{"serve", "--listen=nowhere"}, c.args...)...)
		others := ""
		for line := range strings.Lines(stderr) {
			if strings.HasPrefix(line, "  --") && !strings.HasPrefix(line, "  --listen: ") {
				others += line
			}
		}
		if code != exitSettings || (others == "") != (c.want == "") || !strings.Contains(others, c.want) {
			t.Errorf("%s: exit code %d\n%s", name, code, stderr)
		}
		if strings.Contains(stderr, "hidden") || strings.Contains(stderr, "a secret") {
			t.Errorf("%s: a secret is told\n%s", name, stderr)
		}
	}
}

// TestOnlyAServerNeedsTheSecretsOfSending: an operator can list messages without them.
func TestOnlyAServerNeedsTheSecretsOfSending(t *testing.T) {
	t.Parallel()
	settings := []string{"--smtp-url=smtp://user@mail.example.com", "--mail-from=cards@example.com", "--template-dir=/nowhere"}
	if code, _, stderr := command(t, "", append([]string{"version"}, settings...)...); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}

// dkimKeyFile returns the path of a file with a key that can sign mails.
func dkimKeyFile(t *testing.T) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	file := filepath.Join(t.TempDir(), "dkim.pem")
	must(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return file
}

// brokenTexts returns a directory with a file of texts that has a fault in its second line.
func brokenTexts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "de.txt"), []byte("# Deutsch\nfor = Für dich\n"), 0o600))
	return dir
}
