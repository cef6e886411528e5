package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/openapi"
	"giftcards/store/storetest"
	"giftcards/store/storetest/full"
)

// sent is the answer to a request.
type sent struct {
	status int
	header http.Header
	body   []byte
}

func (c client) with(t *testing.T, method, path, body, header string) sent {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, c.BaseURL+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	if name, value, ok := strings.Cut(header, ": "); ok {
		r.Header.Set(name, value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	must(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	must(t, err)
	return sent{response.StatusCode, response.Header, answer}
}

// sandboxPaths returns the paths that only the sandbox's document has, and the paths of its pages.
func sandboxPaths(t *testing.T) []string {
	t.Helper()
	paths := []string{"/sandbox", "/sandbox/", "/openapi-sandbox.json"}
	var complete, sandbox struct{ Paths map[string]any }
	must(t, json.Unmarshal(openapi.Complete, &complete))
	must(t, json.Unmarshal(openapi.Sandbox, &sandbox))
	for path := range sandbox.Paths {
		if complete.Paths[path] == nil {
			paths = append(paths, path)
		}
	}
	return paths
}

// TestWithoutTheFlagNothingOfASandboxIsReachable: its headers are ignored, whether they are right or
// wrong, and its paths are unknown.
func TestWithoutTheFlagNothingOfASandboxIsReachable(t *testing.T) {
	t.Parallel()
	dir := processtest.UsedStateDir(t)
	server := processtest.Serve(t, dir, processtest.FreeAddress(t))
	c := login(t, dir)
	for _, path := range sandboxPaths(t) {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			got := c.with(t, method, strings.NewReplacer("{", "", "}", "").Replace(path), "{}", "")
			if got.status != http.StatusNotFound || method != http.MethodHead && !bytes.Equal(bytes.TrimSpace(got.body), []byte(`{"detail":"Not Found"}`)) {
				t.Errorf("%s %s: %d %s", method, path, got.status, got.body)
			}
		}
	}
	cards := "/v2/giftcards/programs/" + c.ProgramID + "/cards"
	for _, header := range []string{
		"Prefer: code=429", "Prefer: code=418", "Prefer: code=x", "Sandbox-Now: 2040-01-01T00:00:00Z", "Sandbox-Now: never",
		"Sandbox-Fault: lost-answer", "Sandbox-Fault: slow=1h", "Sandbox-Fault: cut=1", "Sandbox-Fault: down", "Sandbox-Fault: x",
		"Sandbox-Task: failed", "Sandbox-Task: stuck", "Sandbox-Task: slow=1h", "Sandbox-Task: x",
	} {
		if got := c.with(t, http.MethodGet, "/healthz", "", header); got.status != http.StatusOK || got.header.Get("Preference-Applied") != "" {
			t.Errorf("%s on /healthz: %d %s", header, got.status, got.body)
		}
		got := c.with(t, http.MethodPost, cards, `{"initialValue":"5","merchantId":"`+c.MerchantID+`"}`, header)
		var card struct{ CreatedAt time.Time }
		if err := json.Unmarshal(got.body, &card); err != nil || got.status != http.StatusCreated || card.CreatedAt.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s on a create: %d %s", header, got.status, got.body)
		}
		if got := c.with(t, http.MethodPost, cards+"/bulk", `{"initialValue":"5","count":1}`, header); got.status != http.StatusCreated {
			t.Errorf("%s on a bulk request: %d %s", header, got.status, got.body)
		}
	}
	if got := c.with(t, http.MethodGet, "/docs", "", ""); strings.Contains(string(got.body), "sandbox") {
		t.Error("/docs names a sandbox")
	}
	if strings.Contains(server.Output(), "sandbox") {
		t.Errorf("the output names a sandbox:\n%s", server.Output())
	}
}

// TestADatabaseOfASandboxStaysOne: a server without the flag refuses it, and a server with the flag
// refuses a real database. Migrations and the demo need the flag too. The other commands do not.
func TestADatabaseOfASandboxStaysOne(t *testing.T) {
	t.Parallel()
	for _, sandbox := range []bool{true, false} {
		url, dir := storetest.URL(t), processtest.StateDir(t)
		flag := map[bool]string{true: "--sandbox=true", false: "--sandbox=false"}
		refusal := map[bool]string{true: "belongs to a sandbox: set --sandbox", false: "does not belong to a sandbox"}[sandbox]
		with := func(sandbox bool, args ...string) (int, string) {
			t.Helper()
			code, stdout, stderr := command(t, "", append(slices.Clone(args), flag[sandbox], "--database-url="+url, "--state-dir="+dir)...)
			return code, stdout + stderr
		}
		if code, output := with(sandbox, "migrate", "up"); code != 0 {
			t.Fatalf("migrate up: %d %s", code, output)
		}
		for _, args := range [][]string{
			{"serve", "--listen=" + processtest.FreeAddress(t), "--admin-listen=off", "--smtp-url=outbox", "--sms-url=outbox"}, {"migrate", "up"}, {"demo"},
		} {
			if code, output := with(!sandbox, args...); code != exitFailed || !strings.Contains(output, refusal) {
				t.Errorf("%q on a database with sandbox %t: %d %s", args, sandbox, code, output)
			}
		}
		if code, output := with(sandbox, "demo"); code != 0 || !strings.Contains(output, demoUser) {
			t.Errorf("demo: %d %s", code, output)
		}
		for _, either := range []bool{true, false} {
			if code, output := with(either, "merchant", "list"); code != 0 || !strings.Contains(output, "Demo merchant") {
				t.Errorf("merchant list: %d %s", code, output)
			}
			if code, output := with(either, "migrate", "status"); code != 0 {
				t.Errorf("migrate status: %d %s", code, output)
			}
		}
	}
}

// TestASandboxSaysWhatItIsAndServes its page, its document and chosen answers.
func TestASandboxSaysWhatItIsAndServes(t *testing.T) {
	t.Parallel()
	dir := processtest.StateDir(t)
	server := processtest.Serve(t, dir, processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true")
	for _, want := range []string{"It is a sandbox", server.URL() + "/sandbox", server.URL() + "/openapi-sandbox.json", "not sent, but written to"} {
		if !strings.Contains(server.Output(), want) {
			t.Errorf("the output lacks %q:\n%s", want, server.Output())
		}
	}
	c := login(t, dir)
	if got := c.with(t, http.MethodGet, "/v2/token", "", "Prefer: code=429"); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
		t.Errorf("Prefer: code=429: %d %s", got.status, got.body)
	}
	document := c.with(t, http.MethodGet, "/openapi-sandbox.json", "", "")
	if !bytes.Equal(document.body, openapi.Sandbox) {
		t.Errorf("the document: %d %.200s", document.status, document.body)
	}
}

// TestASandboxSendsNothing: it refuses settings for sending, and writes messages to files, also with a
// database that is not private.
func TestASandboxSendsNothing(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"--smtp-url=smtp://mail.example.com": "a sandbox sends no mail",
		"--sms-url=https://api.twilio.com":   "a sandbox sends no text messages",
	} {
		code, _, stderr := command(t, "", "serve", "--sandbox", setting, "--state-dir="+processtest.StateDir(t))
		if code != exitSettings || !strings.Contains(stderr, want) {
			t.Errorf("%s: %d %s", setting, code, stderr)
		}
	}
	dir := processtest.StateDir(t)
	server := processtest.Serve(t, dir, processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true", "DATABASE_URL="+storetest.URL(t))
	if !strings.Contains(server.Output(), "not sent, but written to") {
		t.Errorf("with another database: %s", server.Output())
	}
}

// TestTheSandboxsPageWorksAsItIsPasted: the commands of docs/sandbox.md, in one shell.
func TestTheSandboxsPageWorksAsItIsPasted(t *testing.T) {
	t.Parallel()
	full.Only()
	page, err := os.ReadFile("../../docs/sandbox.md")
	must(t, err)
	var text strings.Builder
	for _, block := range regexp.MustCompile("(?s)\n```sh\n(.*?)```\n").FindAllStringSubmatch(string(page), -1) {
		text.WriteString(block[1])
	}
	dir := processtest.StateDir(t)
	processtest.Serve(t, dir, processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true")
	for name, shell := range shells() {
		out := pasteInto(t, shell, nil, []string{"HOME=" + dir, "GIFTCARDS_STATE_DIR=" + dir}, text.String())
		for want, times := range map[string]int{
			"HTTP/1.1 429 ": 1, "Preference-Applied: code=429": 1, "Retry-After: 1": 1,
			"HTTP/1.1 201 ": 2, "Idempotent-Replayed: true": 1, "HTTP/1.1 503 ": 1, `"status":"processing"`: 2, `"replayed":true`: 1, `"arrived":"nothing"`: 1, `"issuedCount":100`: 1, "Preference-Applied: code=201": 1, "HTTP/1.1 202 ": 1, "Preference-Applied: code=202": 1,
			`"neighbour":`: 2, `"status":"expired"`: 1, `"securityCode":`: 2,
			"HTTP/1.1 400 ": 1, `"detail":"Gift card has expired"`: 1, `"remainingBalance":"20.00"`: 1,
		} {
			if strings.Count(out, want) != times {
				t.Errorf("%s: not %d times %q in\n%s", name, times, want, out)
			}
		}
	}
}

// TestLimitsOfAnAddressAreOffInASandbox, because suites that run in parallel share an address.
func TestLimitsOfAnAddressAreOffInASandbox(t *testing.T) {
	t.Parallel()
	server := processtest.Serve(t, processtest.StateDir(t), processtest.FreeAddress(t), "GIFTCARDS_SANDBOX=true", "DATABASE_URL="+storetest.URL(t))
	c := client{demo: demo{BaseURL: server.URL()}}
	// More than the defaults of --failed-logins and --balance-checks.
	for n := range 12 {
		login := c.with(t, "POST", "/v2/token", "username=nobody@example.com&password=wrong", "Content-Type: application/x-www-form-urlencoded")
		if login.status != http.StatusUnauthorized {
			t.Errorf("login %d: %d %s", n, login.status, login.body)
		}
		// Each check has another number, because five wrong codes lock a number in any case.
		check := c.with(t, "POST", "/v2/giftcards/customer/balance-check", fmt.Sprintf(`{"cardNumber": "91466094572877%02d", "securityCode": "123456"}`, n), "")
		if check.status != http.StatusNotFound {
			t.Errorf("balance check %d: %d %s", n, check.status, check.body)
		}
	}
}
