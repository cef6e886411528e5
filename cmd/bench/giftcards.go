package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"giftcards/server/password"
)

// shop is the merchant, the program and the token that requests use.
type shop struct {
	merchantID, programID string
	token, colleague      string // the tokens of two users
}

// serverEnvironment is the environment of the server and its commands. The caller's
// settings have no effect on them.
func (b *bench) serverEnvironment() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "DATABASE_URL=" + b.db.server.URL(), "GIFTCARDS_STATE_DIR=" + b.dir, "GIFTCARDS_SMTP_URL=outbox", "GIFTCARDS_SMS_URL=outbox"}
}

// adminAddress is the admin address of the server that lines share.
func (b *bench) adminAddress() string { return "127.0.0.1:" + strconv.Itoa(b.port+3) }

// startServer starts the server with its defaults, except for the largest task and the rate
// limits, which would bound the load. Delivery cannot be turned off. It is limited to one
// mail a second, which does not affect the figures.
func (b *bench) startServer(ctx context.Context, port int, flags ...string) (*process, error) {
	address := "127.0.0.1:" + strconv.Itoa(port)
	// Only the shared server has an admin address, because there is one port for it.
	admin := b.adminAddress()
	if port != b.port {
		admin = "off"
	}
	args := append([]string{
		"serve", "--listen=" + address, "--bulk-maximum=" + strconv.Itoa(max(b.sizes.bulk, 100_000)), "--mail-per-second=1", "--user-rate=0", "--address-rate=0", "--link-downloads=0", "--balance-checks=0",
	}, flags...)
	return start(ctx, b.dir, address, b.giftcards, append(b.serverEnvironment(), "GIFTCARDS_ADMIN_LISTEN="+admin), args...)
}

// openShop makes a merchant, a program and two users by the operator's commands, starts the
// server, and logs both users in.
func (b *bench) openShop(ctx context.Context) (s shop, err error) {
	if err := b.command(ctx, nil, "", "migrate", "up"); err != nil {
		return s, err
	}
	if err := b.command(ctx, &s.merchantID, "", "merchant", "create", "Bench"); err != nil {
		return s, err
	}
	if err := b.command(ctx, &s.programID, "", "program", "create", "--merchant="+s.merchantID, "Bench cards"); err != nil {
		return s, err
	}
	tokens := map[string]*string{"bench@example.com": &s.token, "colleague@example.com": &s.colleague}
	secret := strings.Repeat("bench", password.MinLength)
	for user := range tokens {
		if err := b.command(ctx, nil, secret, "user", "create", "--merchant="+s.merchantID, user); err != nil {
			return s, err
		}
	}
	// The commands above need no server; the logins do.
	if b.server, err = b.startServer(ctx, b.port); err != nil {
		return s, err
	}
	for user, token := range tokens {
		if *token, err = login(ctx, b.server.address, user, secret); err != nil {
			return s, err
		}
	}
	return s, nil
}

// login returns a token of a user.
func login(ctx context.Context, address, user, secret string) (token string, err error) {
	form := url.Values{"username": {user}, "password": {secret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/v2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var given struct{ AccessToken string }
	answer, err := do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&given)
	return given.AccessToken, err
}

// command runs one of the operator's commands and reads the id that it prints.
func (b *bench) command(ctx context.Context, id *string, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, b.giftcards, args...)
	cmd.Env = b.serverEnvironment()
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("giftcards %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()))
	}
	if id == nil {
		return nil
	}
	// Every command that creates something prints it with its id.
	var made struct{ ID string }
	err = json.Unmarshal(out, &made)
	*id = made.ID
	return err
}

// do sends a request that is not part of a load. Any answer except 2xx is an error.
func do(request *http.Request) (*http.Response, error) {
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode/100 != 2 {
		defer answer.Body.Close()
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 2000))
		return nil, fmt.Errorf("%s %s: %s: %s", request.Method, request.URL.Path, answer.Status, text)
	}
	return answer, nil
}

func (b *bench) cards() string { return b.shop.cards() }

func (s shop) cards() string { return "/v2/giftcards/programs/" + s.programID + "/cards" }

// request prepares a request to a server.
func (b *bench) request(ctx context.Context, method, address, path string, body []byte) (*http.Request, error) {
	return b.shop.request(ctx, method, address, path, body)
}

func (s shop) request(ctx context.Context, method, address, path string, body []byte) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("Content-Type", "application/json")
	return request, nil
}

// authorize gives a request of a load the shop's token.
func (b *bench) authorize(request *fasthttp.Request) {
	request.Header.Set("Authorization", "Bearer "+b.shop.token)
}

// accepted sends a bulk request and returns the task's path.
func (b *bench) accepted(ctx context.Context, body []byte) (task string, err error) {
	request, err := b.request(ctx, http.MethodPost, b.server.address, b.cards()+"/bulk", body)
	if err != nil {
		return "", err
	}
	answer, err := do(request)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("bulk request: %s, want 202", answer.Status)
	}
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.Header.Get("Location"), err
}

// pollEvery is much shorter than a task, and polling costs little.
const pollEvery = 10 * time.Millisecond

// completed polls until the task is completed. It reads only the beginning of an answer,
// which contains the status, so that the time to send the cards does not count.
func (b *bench) completed(ctx context.Context, task string) error {
	for {
		request, err := b.request(ctx, http.MethodGet, b.server.address, task, nil)
		if err != nil {
			return err
		}
		answer, err := do(request)
		if err != nil {
			return err
		}
		// The status is within the first 256 bytes.
		begin := make([]byte, 256)
		n, err := io.ReadFull(answer.Body, begin)
		if closeErr := answer.Body.Close(); n == 0 || closeErr != nil {
			return fmt.Errorf("poll: %w", errors.Join(err, closeErr))
		}
		switch {
		case bytes.Contains(begin[:n], []byte(`"status":"completed"`)):
			return nil
		case bytes.Contains(begin[:n], []byte(`"status":"failed"`)):
			return fmt.Errorf("the task failed: %s", begin[:n])
		}
		time.Sleep(pollEvery)
	}
}
