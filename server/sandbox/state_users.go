package sandbox

import (
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"giftcards/store"
	"giftcards/store/id"
)

// addUser adds a user of the world's merchant, and gives the client the user's token, address
// and password.
func (c *scene) addUser(role string) (store.User, error) {
	user, secret, err := userRequest{Role: role}.plan()
	if err != nil {
		return store.User{}, err
	}
	user.MerchantID = c.world.MerchantID
	ctx := c.request.Context()
	user, err = store.Write(ctx, c.sandbox.Store, func(tx *store.Tx) (store.User, error) { return tx.AddUser(ctx, user) })
	if err != nil {
		return store.User{}, err
	}
	c.values["userId"], c.values["email"], c.values["password"] = user.ID, user.Email, secret
	c.values["token"], err = c.sandbox.sign(user, tokenLifetime)
	return user, err
}

func otherUser(c *scene) error {
	_, err := c.addUser(c.params["role"])
	return err
}

// deactivatedUser gives the client the token of a user, and then deactivates the user.
func deactivatedUser(c *scene) error {
	user, err := c.addUser(c.params["role"])
	if err != nil {
		return err
	}
	ctx := c.request.Context()
	return store.Do(ctx, c.sandbox.Store, func(tx *store.Tx) error {
		_, err := tx.SetActive(ctx, user.Email, false)
		return err
	})
}

// endedToken logs out with the scene's own token, so that the other tokens of the world stay valid.
func endedToken(c *scene) error {
	c.values["token"] = c.token
	return c.do(step{method: http.MethodPost, path: "/v2/token/logout"}, nil)
}

func expiredToken(c *scene) (err error) {
	c.values["token"], err = c.sandbox.sign(c.issuer(), -time.Hour)
	return err
}

// issuer returns the issuer from whom the scene's requests come.
func (c *scene) issuer() store.User {
	for _, user := range c.world.Users {
		if user.Role == store.RoleIssuer && user.Active {
			return user
		}
	}
	return store.User{} // newScene refuses a world without an issuer
}

// exhaustedDay lets a new user issue one card a day, and issues it.
func exhaustedDay(c *scene) error {
	user, err := c.addUser(store.RoleIssuer)
	if err != nil {
		return err
	}
	ctx, one := c.request.Context(), int64(1)
	err = store.Do(ctx, c.sandbox.Store, func(tx *store.Tx) error { return tx.SetLimits(ctx, user.ID, store.Limits{CardsPerDay: &one}) })
	if err != nil {
		return err
	}
	c.token = c.values["token"].(string)
	c.params["amount"] = "10.00"
	_, err = c.issue(time.Time{}, nil)
	return err
}

// mostExhausted is how many users may have an exhausted rate limit. One more replaces the user
// whose last request is longest ago.
const mostExhausted = 10_000

// exhausted are the users whose requests the sandbox refuses as if their rate limit were
// exhausted. A test could not rely on the real limit, because it recovers within milliseconds.
type exhausted struct {
	users *lru.Cache[string, *exhaustion]
}

type exhaustion struct {
	merchant id.ID
	left     atomic.Int64 // requests that are still refused
}

// always is more requests than any test sends.
const always = 1 << 62

func newExhausted() exhausted {
	users, err := lru.New[string, *exhaustion](mostExhausted)
	if err != nil {
		panic(err) // only for a size below 1
	}
	return exhausted{users}
}

func exhaustedRate(c *scene) error {
	user, err := c.addUser(c.params["role"])
	if err != nil {
		return err
	}
	e := &exhaustion{merchant: user.MerchantID}
	e.left.Store(always)
	if n := c.counted("requests"); n > 0 {
		e.left.Store(int64(n))
	}
	c.sandbox.exhausted.users.Add(user.ID.String(), e)
	return nil
}

// endExhausted lets all users of the world send requests again.
func endExhausted(c *scene) error {
	users := c.sandbox.exhausted.users
	for _, user := range users.Keys() {
		if e, ok := users.Peek(user); ok && e.merchant == c.world.MerchantID {
			users.Remove(user)
		}
	}
	return nil
}

// refuses reports whether the sandbox refuses a request for an exhausted rate limit, and counts
// the request.
func (s *Sandbox) refuses(r *http.Request) bool {
	if s.exhausted.users.Len() == 0 {
		return false
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	claims, err := s.Keys.VerifyToken(strings.TrimSpace(token), s.Store.Clock())
	if err != nil {
		return false
	}
	e, ok := s.exhausted.users.Get(claims.Subject)
	return ok && e.left.Add(-1) >= 0
}
