package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/storetest/check"
)

// must ends the test if there is an error.
var must = check.Must

func TestMain(m *testing.M) { os.Exit(processtest.Run(m)) }

// command runs the program in this process.
func command(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errors bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code = run(ctx, args, strings.NewReader(stdin), &out, &errors)
	return code, out.String(), errors.String()
}

// onDatabase returns the variables of a server on a database that is not private. The server writes
// messages into its outbox.
func onDatabase(url string, more ...string) []string {
	return append([]string{"DATABASE_URL=" + url, "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox"}, more...)
}

// issueTo makes a card for an address and returns its id.
func (c client) issueTo(t *testing.T, address string) string {
	t.Helper()
	status, answer, err := c.do(t.Context(), http.MethodPost, "", "", `{"initialValue":"5","merchantId":"`+c.MerchantID+`","customerEmail":"`+address+`"}`)
	must(t, err)
	var card struct{ ID string }
	if err := json.Unmarshal(answer, &card); err != nil || status != http.StatusCreated {
		t.Fatalf("%d %s", status, answer)
	}
	return card.ID
}

// client is a logged-in demo merchant.
type client struct {
	demo
	token string
}

func (c client) do(ctx context.Context, method, path, key, body string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.BaseURL+"/v2/giftcards/programs/"+c.ProgramID+"/cards"+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, answer, err
}

func login(t *testing.T, dir string) client {
	t.Helper()
	made, err := readDemo(filepath.Join(dir, "demo.json"))
	must(t, err)
	c := client{demo: made}
	response, err := http.PostForm(c.BaseURL+"/v2/token", url.Values{"username": {c.Username}, "password": {c.Password}})
	must(t, err)
	defer response.Body.Close()
	var token struct{ AccessToken string }
	must(t, json.NewDecoder(response.Body).Decode(&token))
	c.token = token.AccessToken
	return c
}
