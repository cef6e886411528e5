package sandbox_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/server"
	"giftcards/store/storetest/check"
)

// ask sends a request without a connection.
func ask(t testing.TB, handler http.Handler, method, path string) *httptest.ResponseRecorder {
	t.Helper()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return answer
}

// kept is a request in the journal.
type kept struct {
	ID             uint64
	At             time.Time
	DurationMs     *float64
	MerchantID     *string
	Operation      *string
	Method, Path   string
	PathCut        bool
	IdempotencyKey *string
	Replayed       bool
	RequestID      *string
	Request        keptMessage
	Answer         *struct {
		Status  int
		Arrived string
		keptMessage
	}
	Errors []struct {
		Type, Msg string
		Loc       []any
	}
	Broke []string
}

type keptMessage struct {
	Headers             map[string][]string
	HeadersCut, BodyCut bool
	Body                *string
	BodyBase64          []byte
	BodyBytes           int64
}

// requests returns the records of the journal that a query chooses.
func (b *box) requests(query string) []kept {
	b.t.Helper()
	got := b.want(http.StatusOK, http.MethodGet, "/sandbox/requests?"+query, "", "")
	return decoded[struct{ Requests []kept }](b.t, got).Requests
}

// TestTheJournalShowsThatARetryHadTheSameKey, so that a client's test can assert it. The newest
// request comes first.
func TestTheJournalShowsThatARetryHadTheSameKey(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	body := fmt.Sprintf(`{"initialValue": "25.00", "merchantId": %q}`, m.ID)
	b.send(http.MethodPost, cards, m.Token, body, "Idempotency-Key: \"a key\"", "X-Request-Id: mine")
	b.send(http.MethodPost, cards, m.Token, body, "Idempotency-Key: a key")
	b.send(http.MethodPost, cards, m.Token, body, "Idempotency-Key: another")
	got := b.requests("world=" + m.ID + "&operation=createGiftCard&idempotencyKey=" + url.QueryEscape("a key"))
	if len(got) != 2 {
		t.Fatalf("%d requests, want 2: %+v", len(got), got)
	}
	retry, first := got[0], got[1]
	if first.Replayed || !retry.Replayed || *first.IdempotencyKey != "a key" || *retry.IdempotencyKey != "a key" || first.ID >= retry.ID {
		t.Errorf("first %+v\nretry %+v", first, retry)
	}
	if *first.RequestID != "mine" || first.Method != http.MethodPost || first.Path != cards || *first.Operation != "createGiftCard" || *first.MerchantID != m.ID ||
		*first.Request.Body != body || first.Request.BodyBytes != int64(len(body)) || first.Request.BodyCut || first.Answer.Status != 201 ||
		!strings.Contains(*first.Answer.Body, `"cardNumber"`) || first.Answer.Arrived != "whole" || first.DurationMs == nil ||
		first.Request.Headers["Content-Type"][0] != "application/json" || first.Answer.Headers["Content-Type"][0] != "application/json" {
		t.Errorf("first %+v", first)
	}
}

// TestTheJournalNamesTheStatementThatWasBroken: the location and the message of each error of a
// 422, or the sentence of another refusal.
func TestTheJournalNamesTheStatementThatWasBroken(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	b.send(http.MethodPost, cards+"/bulk", m.Token, `{"initialValue": -1, "recipients": [{"customerEmail": "nobody"}]}`)
	invalid := b.requests("limit=1&status=422")[0]
	want := []string{
		"body.initialValue: Input should be greater than or equal to 0.01",
		"body.recipients.0.customerEmail: value is not a valid email address: An email address must have an @-sign.",
	}
	if !slices.Equal(invalid.Broke, want) || len(invalid.Errors) != 2 || invalid.Errors[0].Type != "greater_than_equal" || fmt.Sprint(invalid.Errors[1].Loc) != "[body recipients 0 customerEmail]" {
		t.Errorf("broke %q, errors %+v", invalid.Broke, invalid.Errors)
	}
	// The last input of this answer is cut off in the journal.
	b.send(http.MethodPost, cards, m.Token, fmt.Sprintf(`{"initialValue": "x", "merchantId": %q, "customerName": {"a": %q}}`, m.ID, strings.Repeat("é", 20_000)))
	long := b.requests("limit=1")[0]
	if len(long.Broke) < 2 || !strings.HasPrefix(long.Broke[len(long.Broke)-1], "body.customerName: ") || !long.Answer.BodyCut || !long.Request.BodyCut {
		t.Errorf("broke %q, cut %v and %v", long.Broke, long.Request.BodyCut, long.Answer.BodyCut)
	}
	path, _ := card(b, m, "")
	b.send(http.MethodPost, path+"/redeem", m.Token, `{"amount": "5.00"}`)
	if got := b.requests("limit=1&operation=redeemGiftCard")[0]; !slices.Equal(got.Broke, []string{"Gift card is not active"}) || len(got.Errors) != 0 {
		t.Errorf("broke %q, errors %+v", got.Broke, got.Errors)
	}
	b.send(http.MethodPost, cards, m.Token, "{}", "Sandbox-Fault: never")
	if got := b.requests("limit=1")[0]; len(got.Broke) != 1 || !strings.HasPrefix(got.Broke[0], "Sandbox-Fault must be ") {
		t.Errorf("broke %q", got.Broke)
	}
	b.send(http.MethodGet, "/v2/giftcard", m.Token, "")
	if got := b.requests("limit=1")[0]; !slices.Equal(got.Broke, []string{"Not Found"}) || got.Operation != nil || got.Path != "/v2/giftcard" {
		t.Errorf("an unknown path: %+v", got)
	}
	b.send(http.MethodPost, cards, "", `{"unread": true}`)
	if got := b.requests("limit=1")[0]; !slices.Equal(got.Broke, []string{"Not authenticated"}) || got.Request.Body == nil || *got.Request.Body != `{"unread": true}` {
		t.Errorf("a body that the server does not read: %+v", got)
	}
	b.send(http.MethodPost, cards, m.Token, "{}", "Sandbox-Fault: down")
	if got := b.requests("limit=1")[0]; len(got.Broke) != 0 || got.Answer.Status != 503 || *got.Request.Body != "{}" {
		t.Errorf("a fault of the server: %+v", got)
	}
}

// TestTheJournalHasNoTokenAndNoPassword, wherever a client writes them.
func TestTheJournalHasNoTokenAndNoPassword(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	const secret = "hunter2-hunter2"
	login := func(contentType, body string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/v2/token?password="+secret+"&access_token="+m.Token, strings.NewReader(body))
		must(t, err)
		r.Header.Set("Content-Type", contentType)
		b.do(r)
	}
	// These two bodies are not UTF-8, so the journal has them in base64, if at all.
	login("application/x-www-form-urlencoded", "username=\xff&password="+secret)
	b.send(http.MethodPost, "/v2/giftcards/programs/"+m.ProgramID+"/cards", m.Token, "\xff"+m.Token)
	login("application/x-www-form-urlencoded", "username=a@example.com&pass%77ord="+secret+"&password="+secret)
	login("application/json", `{"username": "a@example.com", "password": "`+secret+`"}`)
	login("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"+secret+"\r\n--x--\r\n")
	login("application/x-www-form-urlencoded", "username="+url.QueryEscape(m.Email)+"&password="+url.QueryEscape(m.Password))
	cards := "/v2/giftcards/programs/" + m.ProgramID + "/cards"
	b.send(http.MethodPost, cards, m.Token, `{"token": "`+m.Token+`"}`, "X-Also: "+m.Token, "Cookie: session="+secret, "Proxy-Authorization: "+secret)
	b.send(http.MethodGet, "/v2/"+m.Token, "", "")
	journal := ask(t, b.handler, http.MethodGet, "/sandbox/requests").Body.String()
	for _, part := range []string{secret, m.Token, m.Token[:len(m.Token)-1], url.QueryEscape(m.Password), strings.Split(m.Token, ".")[1]} {
		if strings.Contains(journal, part) {
			t.Errorf("the journal has the secret %s", part)
		}
	}
	got := b.requests("limit=100")
	for _, r := range got {
		if bytes.Contains(r.Request.BodyBase64, []byte(secret)) || bytes.Contains(r.Request.BodyBase64, []byte(m.Token)) {
			t.Errorf("the journal has a secret in base64: %s", r.Request.BodyBase64)
		}
	}
	if given := got[1].Request.Headers["Authorization"]; !slices.Equal(given, []string{"Bearer (left out)"}) {
		t.Errorf("Authorization: %q", given)
	}
	in := got[2]
	if !strings.HasPrefix(*in.Request.Body, "username="+url.QueryEscape(m.Email)+"&password=(left out)") || !strings.Contains(*in.Answer.Body, `"accessToken":"(left out)"`) {
		t.Errorf("login: %s, answer %s", *in.Request.Body, *in.Answer.Body)
	}
	// The token in the answer tells whose login it was.
	if in.MerchantID == nil || *in.MerchantID != m.ID || got[3].MerchantID != nil {
		t.Errorf("the login is of %v, a refused one of %v", in.MerchantID, got[3].MerchantID)
	}
}

// TestEachWorldSeesAndForgetsItsOwnRequests: requests without a token belong to no world, and are
// listed only together with all others.
func TestEachWorldSeesAndForgetsItsOwnRequests(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	one, other := b.Merchant(), b.Merchant()
	for range 3 {
		b.send(http.MethodGet, "/v2/token", one.Token, "")
	}
	b.send(http.MethodGet, "/v2/token", other.Token, "")
	b.send(http.MethodGet, "/v2/token", "", "")
	b.send(http.MethodGet, "/healthz", "", "")
	b.send(http.MethodGet, "/openapi.json", "", "")
	count := func(query string, want int) {
		t.Helper()
		if got := b.requests(query); len(got) != want {
			t.Errorf("%q: %d requests, want %d", query, len(got), want)
		}
	}
	count("", 5)
	count("world="+one.ID, 3)
	count("world="+other.ID, 1)
	count("status=401", 1)
	count("status=200&limit=2", 2)
	count("operation=get_token_info_v2_token_get", 5)
	count("after="+fmt.Sprint(b.requests("")[2].ID), 2)
	b.want(http.StatusNoContent, http.MethodDelete, "/sandbox/requests?world="+one.ID, "", "")
	count("world="+one.ID, 0)
	count("", 2)
	// A world may be given by its name. The requests of its neighbour belong to it, and are
	// forgotten with its own.
	w := b.world(`{"name": "named"}`)
	b.send(http.MethodGet, "/v2/token", w.Token, "")
	b.send(http.MethodGet, "/v2/token", w.Neighbour.Token, "")
	count("world=named", 2)
	count("world="+w.MerchantID, 1)
	b.want(http.StatusNoContent, http.MethodDelete, "/sandbox/worlds/named", "", "")
	count("world="+w.MerchantID, 0)
	count("", 2)
}

// TestTheJournalSaysHowMuchOfAnAnswerArrived, and keeps only the beginning of a long answer.
func TestTheJournalSaysHowMuchOfAnAnswerArrived(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.LinkDownloads = 0 })
	m := b.Merchant()
	kinds := kindsOfAnswers(t, b, m)
	p := protocols(t, b)[0]
	for _, k := range kinds {
		_, whole, err := p.ask(t, k, "")
		must(t, err)
		usual := b.requests("limit=1")[0]
		if usual.Answer.Status != k.status || usual.Answer.Arrived != "whole" || k.method != http.MethodHead && usual.Answer.BodyBytes != int64(len(whole)) ||
			usual.Answer.BodyCut != (usual.Answer.BodyBytes > 16<<10) {
			t.Errorf("%s: %+v, and %d bytes came", k.name, usual.Answer, len(whole))
		}
		if k.name == "a workbook" && (usual.Answer.Body != nil || string(usual.Answer.BodyBase64) != string(whole[:16<<10])) {
			t.Errorf("%s is kept as %d bytes", k.name, len(usual.Answer.BodyBase64))
		}
		if k.name == "a CSV" && *usual.Answer.Body != string(whole[:16<<10]) {
			t.Errorf("%s is kept as %d bytes", k.name, len(*usual.Answer.Body))
		}
		_, _, _ = p.ask(t, k, "lost-answer")
		if lost := b.requests("limit=1")[0]; lost.Answer.Status != k.status || lost.Answer.Arrived != "nothing" || lost.Answer.BodyBytes == 0 && k.method != http.MethodHead || lost.DurationMs == nil {
			t.Errorf("%s, lost: %+v", k.name, lost.Answer)
		}
		if k.method == http.MethodHead {
			continue
		}
		_, _, _ = p.ask(t, k, "cut=7")
		if cut := b.requests("limit=1")[0]; cut.Answer.Status != k.status || cut.Answer.Arrived != "part" || cut.Answer.BodyBytes != 7 {
			t.Errorf("%s, cut: %+v", k.name, cut.Answer)
		}
	}
}

// TestARequestIsInTheJournalBeforeItsAnswer: a test that has the answer finds the request.
func TestARequestIsInTheJournalBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	go b.send(http.MethodGet, "/v2/token", m.Token, "", "Sandbox-Fault: slow=1s")
	check.Until(t, "the request", func() bool { return len(b.requests("")) == 1 })
	if got := b.requests("")[0]; got.DurationMs == nil && got.Answer != nil {
		t.Errorf("a request under way: %+v", got)
	}
	check.Until(t, "the answer", func() bool { return b.requests("")[0].DurationMs != nil })
	for range 200 {
		b.send(http.MethodGet, "/v2/token", m.Token, "")
		if got := b.requests("limit=1")[0]; got.Answer == nil || got.Answer.Status != 200 || got.Answer.Body == nil {
			t.Fatalf("after its answer a request is %+v", got)
		}
	}
}

// TestABadQueryOfTheJournalIsRefused in one sentence, without effect.
func TestABadQueryOfTheJournalIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	m := b.Merchant()
	b.send(http.MethodGet, "/v2/token", m.Token, "")
	const names = "; there are world, operation, status, idempotencyKey, after and limit"
	for _, c := range []struct{ method, query, want string }{
		{"GET", "limit=0", "limit must be a number from 1 to 1000"},
		{"GET", "limit=1001", "limit must be a number from 1 to 1000"},
		{"GET", "limit=ten", "limit must be a number from 1 to 1000"},
		{"GET", "status=99", "status must be a number from 100 to 599"},
		{"GET", "status=4xx", "status must be a number from 100 to 599"},
		{"GET", "status=", "status must not be empty"},
		{"GET", "status=200&status=201", "status must be sent once"},
		{"GET", "after=-1", "after must be the id of a request"},
		{"GET", "after=99999999999999999999", "after must be the id of a request"},
		{"GET", "operation=createCard", `There is no operation "createCard"; an operation is an operationId of /openapi-complete.json, or its beginning before _v2_`},
		{"GET", "key=x", `There is no parameter "key"` + names},
		{"GET", "%zz=1", "The query cannot be read: write each parameter as name=value"},
		{"DELETE", "", "Name the world whose requests are to be forgotten, as in /sandbox/requests?world=NAME"},
		{"DELETE", "world=", "world must not be empty"},
		{"DELETE", "status=200", `There is no parameter "status"; there is only world`},
	} {
		got := b.send(c.method, "/sandbox/requests?"+c.query, "", "")
		if got.status != http.StatusBadRequest || got.detail() != c.want {
			t.Errorf("%s %s: %d %s, want %s", c.method, c.query, got.status, got.body, c.want)
		}
	}
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		if got := b.send(method, "/sandbox/requests?world=nowhere", "", ""); got.status != http.StatusNotFound || got.detail() != `There is no world "nowhere"` {
			t.Errorf("%s of no world: %d %s", method, got.status, got.body)
		}
	}
	if n := len(b.requests("")); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}
