package server_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/money"
	"giftcards/store/storetest"
	"giftcards/store/storetest/check"
)

// atNoon starts a server whose clock shows noon in UTC, so that no test of a daily limit runs across
// midnight.
func atNoon(t *testing.T) *servertest.Server {
	t.Helper()
	s := servertest.New(t)
	now := s.Clock.Now().UTC()
	s.Clock.Move(now.Truncate(24 * time.Hour).Add(12 * time.Hour).Sub(now))
	return s
}

// limitCards limits the cards a day of a program or user.
func limitCards(t *testing.T, s *servertest.Server, scope string, cards int64) {
	t.Helper()
	limited, err := id.Parse(scope)
	if err != nil {
		t.Fatal(err)
	}
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.SetLimits(t.Context(), limited, store.Limits{CardsPerDay: &cards})
	})
}

// written returns the number of rows in all tables that issuing cards writes to.
func written(t *testing.T, s *servertest.Server) (rows [7]int) {
	t.Helper()
	for i, table := range []string{"gift_cards", "messages", "bulk_tasks", "task_recipients", "idempotency_keys", "audit_log", "river_job"} {
		if err := s.Store.Pool().QueryRow(t.Context(), "select count(*) from "+table).Scan(&rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

// TestARequestAboveADailyLimitIsA403ThatNamesTheLimit. It writes nothing. A faulty request gets the
// answer to its faults, and a replay its first answer.
func TestARequestAboveADailyLimitIsA403ThatNamesTheLimit(t *testing.T) {
	t.Parallel()
	s := atNoon(t)
	m := s.Merchant()
	card := `{"initialValue":7.005,"customerEmail":"ada@example.com","merchantId":"` + m.ID + `"}`
	limitCards(t, s, m.ProgramID, 63)
	post := func(path, key, body string) servertest.Answer {
		return m.Do(http.MethodPost, m.Cards()+path, withKey(key), []byte(body))
	}
	issued := map[string]servertest.Answer{
		"create": post("", "create", card),
		"bulk":   post("/bulk", "bulk", `{"initialValue":1,"count":2}`),
		"task":   post("/bulk", "task", `{"initialValue":1,"count":60}`),
	}
	var accepted api.BulkIssuanceAsyncResponse
	if err := json.Unmarshal(issued["task"].Body, &accepted); err != nil || issued["task"].Status != http.StatusAccepted {
		t.Fatalf("task: %d %s", issued["task"].Status, issued["task"].Body)
	}
	pollToEnd(t, m, accepted.TaskId)
	before := written(t, s)

	const words = `{"detail":"Daily limit of the program reached: cards are limited to 63 a day, 0 left until midnight UTC"}`
	for name, c := range map[string]struct {
		answer servertest.Answer
		status int
		body   string // a part of the answer
	}{
		"create":                   {post("", "another", card), 403, words},
		"create without a key":     {post("", "", card), 403, words},
		"bulk":                     {post("/bulk", "another", `{"initialValue":1,"recipients":[{"customerEmail":"ada@example.com"}]}`), 403, words},
		"task":                     {post("/bulk", "another", `{"initialValue":1,"count":60}`), 403, words},
		"a bad body":               {post("", "another", `{"initialValue":0}`), 422, "greater_than_equal"},
		"another merchant's id":    {post("", "another", `{"initialValue":1,"merchantId":"000000000000000000000000"}`), 422, "merchantId must be"},
		"a bad body of bulk":       {post("/bulk", "another", `{"initialValue":1}`), 422, "exactly one of"},
		"a key of another request": {post("", "create", strings.Replace(card, "7.005", "8", 1)), 422, "idempotency-key was used"},
		"a replay of the create":   {post("", "create", card), 201, string(issued["create"].Body)},
		"a replay of the bulk":     {post("/bulk", "bulk", `{"initialValue":1,"count":2}`), 201, `"issuedCount":2`},
		"a replay of the task":     {post("/bulk", "task", `{"initialValue":1,"count":60}`), 202, accepted.TaskId},
	} {
		if c.answer.Status != c.status || !strings.Contains(string(c.answer.Body), c.body) {
			t.Errorf("%s: %d %s, want %d %s", name, c.answer.Status, c.answer.Body, c.status, c.body)
		}
		if replay := strings.HasPrefix(name, "a replay"); replay != (c.answer.Header.Get("Idempotent-Replayed") == "true") {
			t.Errorf("%s: Idempotent-Replayed is %q", name, c.answer.Header.Get("Idempotent-Replayed"))
		}
	}
	if after := written(t, s); after != before {
		t.Errorf("rows before the refusals %v, after them %v", before, after)
	}
	measured := s.Metrics()
	if got := measured[`giftcards_limit_refusals_total{limit="program"}`]; got != 4 {
		t.Errorf("%v refusals are counted, want 4", got)
	}
	if atOnce, byTasks := measured[`giftcards_issued_value_total{by="request"}`], measured[`giftcards_issued_value_total{by="task"}`]; atOnce != 9.005 || byTasks != 60 {
		t.Errorf("a value of %v and %v is counted, want 9.005 and 60", atOnce, byTasks)
	}
	s.Clock.Move(12 * time.Hour)
	m.Token = s.Login(m.Email, m.Password) // the token before has expired
	if tomorrow := post("", "tomorrow", card); tomorrow.Status != http.StatusCreated {
		t.Errorf("on the next day: %d %s", tomorrow.Status, tomorrow.Body)
	}
}

// TestAReloadAboveADailyLimitIsA403 in both ways to reload, and changes nothing. Money that is on
// cards already can still be spent, given back and moved.
func TestAReloadAboveADailyLimitIsA403(t *testing.T) {
	t.Parallel()
	s := atNoon(t)
	m := s.Merchant()
	post := func(path, key, body string) servertest.Answer {
		return m.Do(http.MethodPost, m.Cards()+path, withKey(key), []byte(body))
	}
	var card api.GiftCardResponse
	if err := json.Unmarshal(post("", "create", `{"initialValue":10,"merchantId":"`+m.ID+`"}`).Body, &card); err != nil {
		t.Fatal(err)
	}
	program, err := id.Parse(m.ProgramID)
	if err != nil {
		t.Fatal(err)
	}
	limit, err := money.Parse("20")
	if err != nil {
		t.Fatal(err)
	}
	storetest.AsOwner(t, s.Store, func(tx *store.Tx) (struct{}, error) {
		return struct{}{}, tx.SetLimits(t.Context(), program, store.Limits{ValuePerDay: &limit})
	})
	const words = `{"detail":"Daily limit of the program reached: value is limited to 20.00 a day, 0.00 left until midnight UTC"}`
	for _, c := range []struct {
		what, path, key, body string
		status                int
		says                  string
	}{
		{"activation", "/" + card.Id + "/activate", "a", `{}`, 200, `"balance":"10.00"`},
		{"reload up to the limit", "/" + card.Id + "/reload", "b", `{"amount":20}`, 200, `"balance":"30.00"`},
		{"reload above it", "/" + card.Id + "/reload", "c", `{"amount":0.01}`, 403, words},
		{"reload by number", "/reload-by-number", "d", `{"cardNumber":"` + card.CardNumber + `","amount":0.01}`, 403, words},
		{"the first reload again", "/" + card.Id + "/reload", "b", `{"amount":20}`, 200, `"balance":"30.00"`},
		{"redemption", "/" + card.Id + "/redeem", "e", `{"amount":30}`, 200, `"remainingBalance":"0.00"`},
		{"reload of a card that cannot be reloaded", "/" + card.Id + "/reload", "f", `{"amount":1}`, 400, "Gift card is not active"},
		{"creation", "", "g", `{"initialValue":1,"merchantId":"` + m.ID + `"}`, 403, words},
	} {
		if got := post(c.path, c.key, c.body); got.Status != c.status || !strings.Contains(string(got.Body), c.says) {
			t.Errorf("%s: %d %s, want %d %s", c.what, got.Status, got.Body, c.status, c.says)
		}
	}
}

// TestOnlyUsersWhoMayIssueLearnOfALimit: a reader and another merchant's user get the same refusals
// as without a limit. The limit does not apply to another merchant.
func TestOnlyUsersWhoMayIssueLearnOfALimit(t *testing.T) {
	t.Parallel()
	s := atNoon(t)
	m, other := s.Merchant(), s.Merchant()
	limitCards(t, s, m.ProgramID, 0)
	for path, body := range map[string]string{"": `{"initialValue":1,"merchantId":"` + m.ID + `"}`, "/bulk": `{"initialValue":1,"count":2}`} {
		stranger := other.Do(http.MethodPost, m.Cards()+path, jsonHeader, []byte(body))
		if stranger.Status != http.StatusForbidden || string(stranger.Body) != `{"detail":"Program belongs to another merchant"}`+"\n" {
			t.Errorf("another merchant%s: %d %q", path, stranger.Status, stranger.Body)
		}
		allowed := other.Do(http.MethodPost, other.Cards()+path, jsonHeader, []byte(strings.Replace(body, m.ID, other.ID, 1)))
		if allowed.Status != http.StatusCreated {
			t.Errorf("another merchant's own program%s: %d %s", path, allowed.Status, allowed.Body)
		}
	}
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, store.RoleReader) })
	for path, body := range map[string]string{"": `{"initialValue":1,"merchantId":"` + m.ID + `"}`, "/bulk": `{"initialValue":1,"count":2}`} {
		reader := m.Do(http.MethodPost, m.Cards()+path, jsonHeader, []byte(body))
		if reader.Status != http.StatusForbidden || !strings.Contains(string(reader.Body), "User may not issue gift cards") {
			t.Errorf("a reader%s: %d %s", path, reader.Status, reader.Body)
		}
	}
}

// TestAUsersLimitHoldsFromTheNextRequestOn, for creates and bulk requests, even if the user's access
// is in the cache.
func TestAUsersLimitHoldsFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	s := atNoon(t)
	elsewhere := servertest.NewOn(t, s.DatabaseURL, s.KeyFile)
	m := s.Merchant()
	card := []byte(`{"initialValue":1,"merchantId":"` + m.ID + `"}`)
	if first := m.Do(http.MethodPost, m.Cards(), jsonHeader, card); first.Status != http.StatusCreated {
		t.Fatalf("without a limit: %d %s", first.Status, first.Body)
	}
	var user store.User
	change(t, elsewhere, func(tx *store.Tx) (_ store.User, err error) {
		user, err = tx.FindUserByEmail(t.Context(), m.Email)
		return user, err
	})
	limitCards(t, elsewhere, user.ID.String(), 1)
	const words = `{"detail":"Daily limit of the user reached: cards are limited to 1 a day, `
	if bulk := m.Do(http.MethodPost, m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":1,"count":2}`)); bulk.Status != http.StatusForbidden || !strings.HasPrefix(string(bulk.Body), words) {
		t.Errorf("bulk: %d %s", bulk.Status, bulk.Body)
	}
	for _, want := range []int{http.StatusCreated, http.StatusForbidden} {
		answer := m.Do(http.MethodPost, m.Cards(), jsonHeader, card)
		if answer.Status != want || want == http.StatusForbidden && !strings.HasPrefix(string(answer.Body), words) {
			t.Errorf("create: %d %s, want %d", answer.Status, answer.Body, want)
		}
	}
}

// TestABulkThatWaitedForALimitChecksItsAccessAgain: the user is deactivated while the
// request waits for the day's totals.
func TestABulkThatWaitedForALimitChecksItsAccessAgain(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"at once": `{"initialValue":1,"count":2}`, "by a task": `{"initialValue":1,"count":60}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t)
			m := s.Merchant()
			limitCards(t, s, m.ProgramID, 100)
			lock, err := s.Store.Pool().Begin(t.Context())
			must(t, err)
			defer func() { _ = lock.Rollback(context.WithoutCancel(t.Context())) }()
			_, err = lock.Exec(t.Context(), "lock table issued_totals in exclusive mode")
			must(t, err)
			done := make(chan servertest.Answer, 1)
			go func() { done <- m.Do(http.MethodPost, m.Cards()+"/bulk", withKey("waits"), []byte(body)) }()
			check.Until(t, "a request that waits for the totals", func() (waits bool) {
				must(t, s.Store.Pool().QueryRow(t.Context(), `select exists (select from pg_locks
					where not granted and database = (select oid from pg_database where datname = current_database()))`).Scan(&waits))
				return waits
			})
			change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, false) })
			before := written(t, s)
			must(t, lock.Rollback(t.Context()))
			wantDetail(t, name, <-done, http.StatusUnauthorized, "Could not validate credentials")
			if after := written(t, s); after != before {
				t.Errorf("rows %v, before %v", after, before)
			}
		})
	}
}
