// Package till is a small client of the gift-card API: the code under test.
package till

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Till redeems one card.
type Till struct {
	Client      *http.Client
	Card, Token string // Card is the address of the card
}

// RefusedError is a refusal of the server.
type RefusedError struct{ Detail string }

func (e RefusedError) Error() string { return e.Detail }

// Redeem redeems an amount once and returns what is left. It retries under the same key, and
// waits as the server says.
func (t *Till) Redeem(ctx context.Context, amount string) (left string, err error) {
	key := rand.Text()
	for range 3 {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.Card+"/redeem", strings.NewReader(`{"amount": "`+amount+`"}`))
		if err != nil {
			return "", err
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + t.Token}, "Idempotency-Key": {key}}
		answer, err := t.Client.Do(r)
		if err != nil {
			continue // nobody knows whether the money moved
		}
		var body struct{ RemainingBalance, Detail string }
		err = json.NewDecoder(answer.Body).Decode(&body)
		answer.Body.Close()
		switch {
		case answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode == http.StatusServiceUnavailable:
			seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
			time.Sleep(time.Duration(seconds) * time.Second)
		case err != nil: // the answer broke off
		case answer.StatusCode != http.StatusOK:
			return "", RefusedError{body.Detail}
		default:
			return body.RemainingBalance, nil
		}
	}
	return "", errors.New("no answer to three attempts")
}
