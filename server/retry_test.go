package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
)

// instances are two servers on one database, and an issuer who has a token of each. The clocks and
// settings of the servers may differ.
type instances struct {
	t             *testing.T
	first, second *servertest.Server
	issuer        *servertest.Merchant
	secondToken   string
}

// newInstances starts both servers. It applies change to the second one, and moves its clock.
func newInstances(t *testing.T, moved time.Duration, change func(*server.Options)) *instances {
	t.Helper()
	x := &instances{t: t, first: servertest.New(t)}
	x.second = servertest.NewOn(t, x.first.DatabaseURL, x.first.KeyFile, change)
	x.second.Clock.Move(moved)
	return x.again(t)
}

// again returns the same servers with another merchant.
func (x *instances) again(t *testing.T) *instances {
	t.Helper()
	m := x.first.Merchant()
	return &instances{t: t, first: x.first, second: x.second, issuer: m, secondToken: x.second.Login(m.Email, m.Password)}
}

// retry sends a request to the second server.
func (x *instances) retry(path, key, body string) servertest.Answer {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), http.MethodPost, x.second.URL+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header = withKey(key)
	r.Header.Set("Authorization", "Bearer "+x.secondToken)
	return x.second.Send(r)
}

// withoutLink returns an answer without the link to the CSV, which is fresh each time.
func withoutLink(t *testing.T, body []byte) string {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal(body, &fields); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	delete(fields, "csvDownloadUrl")
	return fmt.Sprint(fields)
}

func unchanged(*server.Options) {}

// TestARetryGetsItsFirstAnswerEvenIfItWouldBeRefusedNow: later, on an instance whose clock is
// behind, and after a change of a setting. Under another key the same request is refused.
func TestARetryGetsItsFirstAnswerEvenIfItWouldBeRefusedNow(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(time.RFC3339Nano) }
	soon, fiveYears := at(10*time.Minute), time.Now().AddDate(5, 0, 0).UTC().Format(time.RFC3339Nano)
	recipients := func(n int) string { return `"recipients":[{}` + strings.Repeat(",{}", n-1) + `]}` }
	fewer := func(o *server.Options) { o.BulkThreshold, o.BulkMaximum = 2, 2 }
	const create, bulk = `{"initialValue":1,"merchantId":"%s",`, `{"initialValue":1,`
	// retried is a request, and the fault for which the second instance would refuse it.
	type retried struct {
		body   string // of a create if it has %s, for the merchant, else of a bulk request
		status int    // of the first answer
		fault  string
	}
	for second, c := range map[string]struct {
		moved    time.Duration
		change   func(*server.Options)
		requests map[string]retried
	}{
		"later": {20 * time.Minute, unchanged, map[string]retried{
			"create, expired": {create + `"expiresAt":"` + soon + `"}`, 201, "datetime_future"},
			"bulk, expired":   {bulk + `"count":2,"expiresAt":"` + soon + `"}`, 201, "datetime_future"},
			"task, expired":   {bulk + `"count":51,"expiresAt":"` + soon + `"}`, 202, "datetime_future"},
		}},
		"behind": {-20 * time.Minute, unchanged, map[string]retried{
			"create, expiry too far":     {create + `"expiresAt":"` + fiveYears + `"}`, 201, "at most 5 years ahead"},
			"create, delivered too late": {create + `"deliverAt":"` + at(365*24*time.Hour-5*time.Minute) + `"}`, 201, "deliverAt must not be after"},
		}},
		"with a lower maximum": {0, fewer, map[string]retried{
			"bulk, too many":            {bulk + `"count":3}`, 201, "less_than_equal"},
			"bulk, too many recipients": {bulk + recipients(3), 201, "too_long"},
			"task, too many":            {bulk + `"count":51}`, 202, "less_than_equal"},
			"task, too many recipients": {bulk + recipients(51), 202, "too_long"},
		}},
		"later, with a lower maximum": {20 * time.Minute, fewer, map[string]retried{
			"bulk, both": {bulk + `"count":3,"expiresAt":"` + soon + `"}`, 201, "less_than_equal"},
		}},
	} {
		t.Run(second, func(t *testing.T) {
			t.Parallel()
			x := newInstances(t, c.moved, c.change)
			for name, r := range c.requests {
				x.again(t).wantReplay(name, r.body, r.status, r.fault)
			}
		})
	}
}

// wantReplay sends a request under a key to the first instance, and again to the second one.
func (x *instances) wantReplay(name, body string, status int, fault string) {
	x.t.Helper()
	path := x.issuer.Cards() + "/bulk"
	if strings.Contains(body, "%s") {
		path, body = x.issuer.Cards(), strings.Replace(body, "%s", x.issuer.ID, 1)
	}
	first := x.issuer.Do(http.MethodPost, path, withKey("k"), []byte(body))
	again := x.retry(path, "k", body)
	if first.Status != status || again.Status != status || again.Header.Get("Idempotent-Replayed") != "true" {
		x.t.Fatalf("%s: %d %s, then %d %s", name, first.Status, first.Body, again.Status, again.Body)
	}
	if withoutLink(x.t, first.Body) != withoutLink(x.t, again.Body) || first.Header.Get("Location") != again.Header.Get("Location") {
		x.t.Errorf("%s: %s, then %s", name, first.Body, again.Body)
	}
	unknown, keyless := x.retry(path, "another", body), x.retry(path, "", body)
	if unknown.Status != http.StatusUnprocessableEntity || !bytes.Contains(unknown.Body, []byte(fault)) || !bytes.Equal(unknown.Body, keyless.Body) {
		x.t.Errorf("%s: under another key: %d %s, without one: %d %s", name, unknown.Status, unknown.Body, keyless.Status, keyless.Body)
	}
	if n := count(x.t, x.first, "idempotency_keys where program_id = decode('"+x.issuer.ProgramID+"', 'hex')"); n != 1 {
		x.t.Errorf("%s: %d keys, want the first one", name, n)
	}
}

// TestAnotherBulkThresholdDoesNotChangeARetry, whether the first answer was a task or cards.
func TestAnotherBulkThresholdDoesNotChangeARetry(t *testing.T) {
	t.Parallel()
	x := newInstances(t, 0, func(o *server.Options) { o.BulkThreshold = 1 })
	path, body := x.issuer.Cards()+"/bulk", `{"initialValue":1,"count":3}`
	task := x.retry(path, "task", body)
	asTask := x.issuer.Do(http.MethodPost, path, withKey("task"), []byte(body))
	cards := x.issuer.Do(http.MethodPost, path, withKey("cards"), []byte(body))
	asCards := x.retry(path, "cards", body)
	if task.Status != http.StatusAccepted || asTask.Status != http.StatusAccepted || !bytes.Equal(task.Body, asTask.Body) {
		t.Errorf("a task: %d %s, then %d %s", task.Status, task.Body, asTask.Status, asTask.Body)
	}
	if cards.Status != http.StatusCreated || asCards.Status != http.StatusCreated || withoutLink(t, cards.Body) != withoutLink(t, asCards.Body) {
		t.Errorf("cards: %d %s, then %d %s", cards.Status, cards.Body, asCards.Status, asCards.Body)
	}
}

// TestARequestThatIsNoRetryIsRefusedInTheSameWordsWithAndWithoutAKey: each request has an expiry in
// the past, and also a fault that shows that it cannot have succeeded before.
func TestARequestThatIsNoRetryIsRefusedInTheSameWordsWithAndWithoutAKey(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, stranger := s.Merchant(), s.Merchant()
	past := `"expiresAt":"2020-01-01T00:00:00Z"`
	if answer := m.Do(http.MethodPost, m.Cards(), withKey("used"), fmt.Appendf(nil, `{"initialValue":1,"merchantId":%q}`, m.ID)); answer.Status != http.StatusCreated {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	for name, c := range map[string]struct{ path, body string }{
		"alone":                       {m.Cards(), `{"initialValue":1,"merchantId":"` + m.ID + `",` + past + `}`},
		"another fault":               {m.Cards(), `{"initialValue":0,"merchantId":"` + m.ID + `",` + past + `}`},
		"another merchant's id":       {m.Cards(), `{"initialValue":1,"merchantId":"` + stranger.ID + `",` + past + `}`},
		"another merchant's program":  {stranger.Cards(), `{"initialValue":1,"merchantId":"` + m.ID + `",` + past + `}`},
		"a program that is not there": {"/v2/giftcards/programs/000000000000000000000000/cards", `{"initialValue":1,"merchantId":"` + m.ID + `",` + past + `}`},
		"neither of two":              {m.Cards() + "/bulk", `{"initialValue":1,` + past + `}`},
		"more than any setting":       {m.Cards() + "/bulk", `{"initialValue":1,"count":9223372036854775807,` + past + `}`},
		"more than any integer":       {m.Cards() + "/bulk", `{"initialValue":1,"count":1` + strings.Repeat("0", 40) + `,` + past + `}`},
		"too many and too late":       {m.Cards() + "/bulk", `{"initialValue":1,"count":100001,` + past + `}`},
	} {
		keyless := m.Do(http.MethodPost, c.path, jsonHeader, []byte(c.body))
		for _, key := range []string{"used", "fresh"} {
			keyed := m.Do(http.MethodPost, c.path, withKey(key), []byte(c.body))
			if keyed.Status != http.StatusUnprocessableEntity || !bytes.Equal(keyed.Body, keyless.Body) {
				t.Errorf("%s, key %s: %d %s, without a key %d %s", name, key, keyed.Status, keyed.Body, keyless.Status, keyless.Body)
			}
		}
	}
	if n := count(t, s, "idempotency_keys"); n != 1 {
		t.Errorf("%d keys, want the one that was used", n)
	}
}

// TestARetryIsAnsweredOnlyIfItsUserMayStillIssue: a reader gets 403 and a deactivated user 401, even
// if the access cache still says that they may issue.
func TestARetryIsAnsweredOnlyIfItsUserMayStillIssue(t *testing.T) {
	t.Parallel()
	soon := time.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339Nano)
	for name, c := range map[string]struct {
		do     func(*store.Tx, string) (store.User, error)
		status int
	}{
		"reader": {func(tx *store.Tx, email string) (store.User, error) {
			return tx.SetRole(t.Context(), email, store.RoleReader)
		}, 403},
		"out": {func(tx *store.Tx, email string) (store.User, error) { return tx.SetActive(t.Context(), email, false) }, 401},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newInstances(t, 20*time.Minute, unchanged)
			requests := map[string]string{
				x.issuer.Cards():           fmt.Sprintf(`{"initialValue":1,"merchantId":%q,"expiresAt":%q}`, x.issuer.ID, soon),
				x.issuer.Cards() + "/bulk": fmt.Sprintf(`{"initialValue":1,"count":2,"expiresAt":%q}`, soon),
			}
			for path, body := range requests {
				first := x.issuer.Do(http.MethodPost, path, withKey("k"), []byte(body))
				if again := x.retry(path, "k", body); first.Status != http.StatusCreated || again.Status != http.StatusCreated {
					t.Fatalf("%s: %d %s, then %d %s", path, first.Status, first.Body, again.Status, again.Body)
				}
			}
			change(t, x.first, func(tx *store.Tx) (store.User, error) { return c.do(tx, x.issuer.Email) })
			for path, body := range requests {
				if again := x.retry(path, "k", body); again.Status != c.status {
					t.Errorf("%s: %d %s, want %d", path, again.Status, again.Body, c.status)
				}
			}
		})
	}
}

// TestARetryMayDifferInPartsThatAreNotStored: in the composition of Unicode characters, and in
// characters that sanitising removes.
func TestARetryMayDifferInPartsThatAreNotStored(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	for name, c := range map[string]struct{ path, first, again, other string }{
		"create": {
			m.Cards(),
			`{"initialValue":1,"merchantId":"` + m.ID + `","customerName":"Zo\u00eb\u0007B","customMessage":"Hi"}`,
			`{"initialValue":1,"merchantId":"` + m.ID + `","customerName":"Zoe\u0308 B","customMessage":"<b>Hi</b>\u0000"}`,
			`{"initialValue":1,"merchantId":"` + m.ID + `","customerName":"Zoe B","customMessage":"Hi"}`,
		},
		"bulk": {
			m.Cards() + "/bulk",
			`{"initialValue":1,"designTemplate":"caf\u00e9","recipients":[{"senderName":"\u212b","customMessage":"Hi"},{}]}`,
			`{"initialValue":1,"designTemplate":"cafe\u0301","recipients":[{"senderName":"A\u030a","customMessage":"Hi<script>x</script>"},{}]}`,
			`{"initialValue":1,"designTemplate":"caf\u00e9","recipients":[{},{"senderName":"\u212b","customMessage":"Hi"}]}`,
		},
	} {
		first, again := m.Do(http.MethodPost, c.path, withKey("k"), []byte(c.first)), m.Do(http.MethodPost, c.path, withKey("k"), []byte(c.again))
		if first.Status != http.StatusCreated || again.Status != http.StatusCreated || !bytes.Equal(first.Body, again.Body) {
			t.Errorf("%s: %d %s, then %d %s", name, first.Status, first.Body, again.Status, again.Body)
		}
		if other := m.Do(http.MethodPost, c.path, withKey("k"), []byte(c.other)); other.Status != http.StatusUnprocessableEntity {
			t.Errorf("%s: another request: %d %s", name, other.Status, other.Body)
		}
	}
}
