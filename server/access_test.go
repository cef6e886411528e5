package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"giftcards/gen/api"
	"giftcards/server/password"
	"giftcards/server/servertest"
	"giftcards/store"
)

// TestAReaderPollsButNeitherIssuesNorOpensCodes: a new role holds at once, also for older tokens,
// whether it allows more or less.
func TestAReaderPollsButNeitherIssuesNorOpensCodes(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	many, two := 60, 2
	request := api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}
	key := "the-key"
	task := bulk(t, m, &key, request).JSON202.TaskId
	if status := pollToEnd(t, m, task); status.CsvDownloadUrl == nil {
		t.Fatal("an issuer has no CSV")
	}
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, store.RoleReader) })

	status := pollToEnd(t, m, task)
	if status.Status != "completed" || len(*status.Cards) != many || status.CsvDownloadUrl != nil {
		t.Errorf("a reader's poll: %s, %d cards, CSV %v", status.Status, len(*status.Cards), status.CsvDownloadUrl)
	}
	for name, refused := range map[string]servertest.Answer{
		"create":        m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`)),
		"bulk":          m.Do(http.MethodPost, m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":1,"count":2}`)),
		"a replay":      m.Do(http.MethodPost, m.Cards()+"/bulk", withKey(key), []byte(`{"initialValue":"7","count":60}`)),
		"another's":     m.Do(http.MethodPost, s.Merchant().Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":1,"count":2}`)),
		"no such thing": m.Do(http.MethodPost, "/v2/giftcards/programs/000000000000000000000000/cards/bulk", jsonHeader, []byte(`{"initialValue":1,"count":2}`)),
	} {
		want, sentence := http.StatusForbidden, "User may not issue gift cards"
		switch name {
		case "another's":
			sentence = "Program belongs to another merchant"
		case "no such thing":
			want, sentence = http.StatusNotFound, "Program not found"
		}
		if refused.Status != want || !strings.Contains(string(refused.Body), sentence) {
			t.Errorf("%s: %d %s, want %d %s", name, refused.Status, refused.Body, want, sentence)
		}
	}
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, store.RoleIssuer) })
	if issued := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &two}); issued.JSON201 == nil {
		t.Errorf("an issuer again: %d %s", issued.StatusCode(), issued.Body)
	}
}

// TestAChangedPasswordEndsTheTokensGivenBefore: tokens that are given afterwards work, even within
// the same second.
func TestAChangedPasswordEndsTheTokensGivenBefore(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m, other := s.Merchant(), s.Merchant()
	hash, err := password.Hash("another password")
	if err != nil {
		t.Fatal(err)
	}
	before := s.Login(m.Email, m.Password)
	change(t, s, func(tx *store.Tx) (store.User, error) {
		return tx.SetPassword(t.Context(), strings.ToUpper(m.Email), hash)
	})
	after := s.Login(m.Email, "another password")
	if tokenWorks(t, s, m.Token) || tokenWorks(t, s, before) {
		t.Error("a token from before the change works")
	}
	if !tokenWorks(t, s, after) || !tokenWorks(t, s, other.Token) {
		t.Error("a token from after the change, or of another user, does not work")
	}
	if answer := login(t, s, url.Values{"username": {m.Email}, "password": {m.Password}}); answer.Status != http.StatusUnauthorized {
		t.Errorf("the old password: %d", answer.Status)
	}
	s.Clock.Move(2 * time.Second)
	if tokenWorks(t, s, before) || !tokenWorks(t, s, after) || !tokenWorks(t, s, s.Login(m.Email, "another password")) {
		t.Error("two seconds later it is otherwise")
	}
}

// TestADeactivatedUserIsRefusedAtOnce: the user's old tokens stay ended after a reactivation.
func TestADeactivatedUserIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, false) })
	if tokenWorks(t, s, m.Token) {
		t.Error("a deactivated user's token works")
	}
	if answer := login(t, s, url.Values{"username": {m.Email}, "password": {m.Password}}); answer.Status != http.StatusUnauthorized || !strings.Contains(string(answer.Body), "Incorrect username or password") {
		t.Errorf("a deactivated user logs in: %d %s", answer.Status, answer.Body)
	}
	change(t, s, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, true) })
	if tokenWorks(t, s, m.Token) || !tokenWorks(t, s, s.Login(m.Email, m.Password)) {
		t.Error("after the return the old token works, or a new one does not")
	}
}

// TestACachedAccessDecidesNothing: creates and polls start from the access cache, but a change on
// another instance holds for the next request, also if that is refused for another reason.
func TestACachedAccessDecidesNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	other := servertest.NewOn(t, s.DatabaseURL, s.KeyFile)
	many := 60
	for name, end := range map[string]struct {
		do       func(m *servertest.Merchant)
		status   int
		sentence string
	}{
		"logged out elsewhere": {func(m *servertest.Merchant) {
			if _, err := other.Client(m.Token).LogoutWithResponse(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, http.StatusUnauthorized, "Could not validate credentials"},
		"deactivated": {func(m *servertest.Merchant) {
			change(t, other, func(tx *store.Tx) (store.User, error) { return tx.SetActive(t.Context(), m.Email, false) })
		}, http.StatusUnauthorized, "Could not validate credentials"},
		"a reader now": {func(m *servertest.Merchant) {
			change(t, other, func(tx *store.Tx) (store.User, error) { return tx.SetRole(t.Context(), m.Email, store.RoleReader) })
		}, http.StatusForbidden, "User may not issue gift cards"},
	} {
		m := s.Merchant()
		create := func(body string) servertest.Answer {
			return m.Do(http.MethodPost, m.Cards(), withKey("a-key"), []byte(body))
		}
		card := `{"initialValue":1,"merchantId":"` + m.ID + `"}`
		task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "7"), Count: &many}).JSON202.TaskId
		pollToEnd(t, m, task)
		if first := create(card); first.Status != http.StatusCreated {
			t.Fatalf("%s, before: %d %s", name, first.Status, first.Body)
		}
		end.do(m)
		poll := m.Do(http.MethodGet, m.Cards()+"/bulk/"+task, nil, nil)
		if end.status == http.StatusForbidden { // a reader may poll, but gets no link
			if poll.Status != http.StatusOK || strings.Contains(string(poll.Body), `"csvDownloadUrl":"`) {
				t.Errorf("%s, a poll: %d %.300s", name, poll.Status, poll.Body)
			}
		} else if poll.Status != end.status {
			t.Errorf("%s, a poll: %d %.300s", name, poll.Status, poll.Body)
		}
		replay := create(card)
		if replay.Status != end.status || !strings.Contains(string(replay.Body), end.sentence) {
			t.Errorf("%s, a replay: %d %s", name, replay.Status, replay.Body)
		}
		if bad := create(`{}`); end.status == http.StatusUnauthorized && bad.Status != end.status {
			t.Errorf("%s, a bad request: %d %s", name, bad.Status, bad.Body)
		}
	}
}

// TestAListOfOneProgramIsOneTransaction once the access is in the cache: begin, the comparison of
// the access, the page and commit go to the database together.
func TestAListOfOneProgramIsOneTransaction(t *testing.T) {
	t.Parallel()
	s := servertest.NewCounting(t)
	m := s.Merchant()
	for _, path := range []string{allCards + "?programId=" + m.ProgramID, searchPath(m.ProgramID)} {
		list(t, m, path)
		if answer := m.Do(http.MethodGet, path, nil, nil); answer.Status != http.StatusOK || answer.Statements != 4 {
			t.Errorf("%s: %d after %d statements, want 200 after 4", path, answer.Status, answer.Statements)
		}
	}
}
