package server_test

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/password"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/id"
)

// links returns a link from each kind of answer that has one: a bulk answer, its replay and a poll.
func links(t *testing.T, m *servertest.Merchant, key string) map[string]string {
	t.Helper()
	few, many := 2, 60
	request := api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &few}
	atOnce, replay := bulk(t, m, &key, request), bulk(t, m, &key, request)
	task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
	return map[string]string{
		"at once": *atOnce.JSON201.CsvDownloadUrl, "a replay": *replay.JSON201.CsvDownloadUrl, "a poll": *pollToEnd(t, m, task).CsvDownloadUrl,
	}
}

// wantEnded fails unless the answer is that to a link that never existed, in every byte except the
// time and the request id.
func wantEnded(t *testing.T, s *servertest.Server, what string, answer servertest.Answer) {
	t.Helper()
	never := get(t, s, s.URL+"/v2/giftcards/downloads/never")
	for _, header := range []http.Header{answer.Header, never.Header} {
		header.Del("Date")
		header.Del("X-Request-Id")
	}
	if answer.Status != http.StatusForbidden || string(answer.Body) != string(never.Body) || !reflect.DeepEqual(answer.Header, never.Header) {
		t.Errorf("%s: %d %.60s %v, want %s %v", what, answer.Status, answer.Body, answer.Header, never.Body, never.Header)
	}
}

// TestALinkEndsWithTheTokensOfItsUser. The links of a user who may no longer see codes end too. The
// refusal reveals nothing and writes nothing.
func TestALinkEndsWithTheTokensOfItsUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) { o.LinkDownloads = 1000 })
	hash, err := password.Hash("another password")
	if err != nil {
		t.Fatal(err)
	}
	active := func(yes bool) func(*store.Tx, string) (store.User, error) {
		return func(tx *store.Tx, email string) (store.User, error) { return tx.SetActive(t.Context(), email, yes) }
	}
	role := func(role string) func(*store.Tx, string) (store.User, error) {
		return func(tx *store.Tx, email string) (store.User, error) { return tx.SetRole(t.Context(), email, role) }
	}
	setPassword := func(tx *store.Tx, email string) (store.User, error) { return tx.SetPassword(t.Context(), email, hash) }
	for name, c := range map[string]struct {
		changes []func(*store.Tx, string) (store.User, error)
		works   bool
	}{
		"deactivated":             {[]func(*store.Tx, string) (store.User, error){active(false)}, false},
		"deactivated and back":    {[]func(*store.Tx, string) (store.User, error){active(false), active(true)}, false},
		"another password":        {[]func(*store.Tx, string) (store.User, error){setPassword}, false},
		"a reader":                {[]func(*store.Tx, string) (store.User, error){role(store.RoleReader)}, false},
		"a reader, and an issuer": {[]func(*store.Tx, string) (store.User, error){role(store.RoleReader), role(store.RoleIssuer)}, true},
	} {
		m, other := s.Merchant(), s.Merchant()
		given, others := links(t, m, "key"), links(t, other, "key")
		for from, link := range given {
			if answer := get(t, s, link); answer.Status != http.StatusOK {
				t.Errorf("%s, before, from %s: %d %.60s", name, from, answer.Status, answer.Body)
			}
		}
		for _, do := range c.changes {
			change(t, s, func(tx *store.Tx) (store.User, error) { return do(tx, m.Email) })
		}
		before := len(audited(t, s, m.ID))
		for from, link := range given {
			answer := get(t, s, link)
			if c.works {
				if answer.Status != http.StatusOK {
					t.Errorf("%s, from %s: %d %.60s", name, from, answer.Status, answer.Body)
				}
				continue
			}
			wantEnded(t, s, name+", from "+from, answer)
		}
		if after := len(audited(t, s, m.ID)); !c.works && after != before {
			t.Errorf("%s: %d entries of refused downloads are in the audit log", name, after-before)
		}
		for from, link := range others {
			if answer := get(t, s, link); answer.Status != http.StatusOK {
				t.Errorf("%s: another user's from %s: %d %.60s", name, from, answer.Status, answer.Body)
			}
		}
	}
}

// TestALinkOfAUserOfAnotherMerchantIsRefused: the program no longer belongs to the user's
// merchant.
func TestALinkOfAUserOfAnotherMerchantIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, other := s.Merchant(), s.Merchant()
	given := links(t, m, "key")
	to, err := id.Parse(other.ID)
	if err != nil {
		t.Fatal(err)
	}
	change(t, s, func(tx *store.Tx) (store.User, error) {
		_, err := tx.Unwrap().Exec(t.Context(), "update users set merchant_id = $1 where email = $2", to, m.Email)
		return store.User{}, err
	})
	for from, link := range given {
		wantEnded(t, s, from, get(t, s, link))
	}
}

// TestSeveralChangesWithinOneSecondEndAllTokensAndLinks, although tokens and links have their time
// only in whole seconds.
func TestSeveralChangesWithinOneSecondEndAllTokensAndLinks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.Stop()
	m := s.Merchant()
	active := func(yes bool) {
		change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, yes) })
	}
	type given struct {
		token string
		links map[string]string
	}
	var ended []given
	for _, key := range []string{"first", "second", "third"} {
		active(true)
		m.Token = s.Login(m.Email, m.Password)
		m.Client = s.Client(m.Token)
		now := given{m.Token, links(t, m, key)}
		if !tokenWorks(t, s, now.token) {
			t.Errorf("%s: the token of now does not work", key)
		}
		for from, link := range now.links {
			if answer := get(t, s, link); answer.Status != http.StatusOK {
				t.Errorf("%s: the link of now from %s: %d %.60s", key, from, answer.Status, answer.Body)
			}
		}
		ended = append(ended, now)
		active(false)
		active(true)
		for _, later := range []time.Duration{0, 10 * time.Second} {
			s.Clock.Move(later)
			for _, old := range ended {
				if tokenWorks(t, s, old.token) {
					t.Errorf("%s: an earlier token works %s later", key, later)
				}
				for from, link := range old.links {
					wantEnded(t, s, key+": an earlier link from "+from, get(t, s, link))
				}
			}
			s.Clock.Move(-later)
		}
	}
}

// TestRoleAndLogoutHoldWithinOneSecond: neither depends on the time of the token.
func TestRoleAndLogoutHoldWithinOneSecond(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	s.Clock.Stop()
	m := s.Merchant()
	create := func() int {
		return m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`)).Status
	}
	for _, c := range []struct {
		role string
		want int
	}{{store.RoleReader, http.StatusForbidden}, {store.RoleIssuer, http.StatusCreated}, {store.RoleReader, http.StatusForbidden}} {
		change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, c.role) })
		if got := create(); got != c.want {
			t.Errorf("as %s: %d, want %d", c.role, got, c.want)
		}
	}
	for range 3 {
		out := s.Login(m.Email, m.Password)
		if answer, err := s.Client(out).LogoutWithResponse(t.Context()); err != nil || answer.StatusCode() != http.StatusOK {
			t.Fatalf("logout: %v", err)
		}
		if tokenWorks(t, s, out) || !tokenWorks(t, s, s.Login(m.Email, m.Password)) {
			t.Error("the token that was logged out works, or the next one does not")
		}
	}
}

// TestDownloadsOverOneLinkAreLimited, so that nobody can fill the audit log. Every other link, also
// a fresh one to the same cards, has its own quota.
func TestDownloadsOverOneLinkAreLimited(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t, func(o *server.Options) { o.LinkDownloads = 3 })
	m := s.Merchant()
	given := links(t, m, "key")
	link, other := given["at once"], given["a poll"]
	s.Clock.Stop()
	before := len(audited(t, s, m.ID))
	for range 3 {
		if answer := get(t, s, link); answer.Status != http.StatusOK || answer.Header.Get("RateLimit") != "" {
			t.Errorf("%d %.60s %s", answer.Status, answer.Body, answer.Header.Get("RateLimit"))
		}
	}
	for range 5 {
		wantTooMany(t, "the next", get(t, s, link), `"link";q=3;w=60`, `"link";r=0;t=20`, "20")
	}
	if after := len(audited(t, s, m.ID)); after != before+3 {
		t.Errorf("%d downloads are in the audit log, want 3", after-before)
	}
	if answer := get(t, s, other); answer.Status != http.StatusOK {
		t.Errorf("another link: %d %.60s", answer.Status, answer.Body)
	}
	s.Clock.Move(20 * time.Second)
	if answer := get(t, s, link); answer.Status != http.StatusOK {
		t.Errorf("20 seconds later: %d %.60s", answer.Status, answer.Body)
	}
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, false) })
	for range 6 { // a 429 would tell that the link was once good
		wantEnded(t, s, "an ended link", get(t, s, other))
	}
}

// TestADownloadIsItsUsersInTheAuditLog, with the address of the client that downloaded.
func TestADownloadIsItsUsersInTheAuditLog(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	get(t, s, links(t, m, "key")["at once"])
	entries := audited(t, s, m.ID)
	who, last := entries[0], entries[len(entries)-1]
	if last.Operation != "downloadGiftCards" || last.UserID.IsZero() || last.UserID != who.UserID || last.Cards != 2 || last.ProgramID.String() != m.ProgramID ||
		!strings.HasPrefix(last.Client, "127.") {
		t.Errorf("the log says %+v, of user %s", last, who.UserID)
	}
}
