package sandbox_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store/storetest"
)

const bulkPath = "/v2/giftcards/programs/{programId}/cards/bulk"

// declaredAnswer is an answer that the complete document declares.
type declaredAnswer struct {
	method, path, status string
	headers, mediaTypes  []string
	public               bool
}

// declaredAnswers returns all answers that the complete document declares.
func declaredAnswers(t *testing.T) (all []declaredAnswer) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Security  *[]any
			Responses map[string]struct{ Headers, Content map[string]any }
		}
	}
	must(t, json.Unmarshal(openapi.Complete, &document))
	for path, item := range document.Paths {
		for method, operation := range item {
			for status, response := range operation.Responses {
				a := declaredAnswer{method: strings.ToUpper(method), path: path, status: status, public: operation.Security != nil}
				for name := range response.Headers {
					a.headers = append(a.headers, name)
				}
				for mediaType := range response.Content {
					a.mediaTypes = append(a.mediaTypes, mediaType)
				}
				all = append(all, a)
			}
		}
	}
	if len(all) < 250 {
		t.Fatalf("only %d answers are declared", len(all))
	}
	return all
}

// filled returns a path with values for its parameters.
func filled(path string) string {
	return strings.NewReplacer(
		"{programId}", "5eb7cf5a86d9755df3a6c5a1", "{cardId}", "5eb7cf5a86d9755df3a6c5a2", "{transactionId}", "5eb7cf5a86d9755df3a6c5a3",
		"{taskId}", "0d1f3a5c-7b9e-4f21-8c3d-5a6b7c8d9e10", "{link}", "x", "{receipt}", "x",
	).Replace(path)
}

// TestEveryDeclaredAnswerCanBeChosen for every operation, with its headers and in each media
// type. The client needs no token and no body, and nothing changes.
func TestEveryDeclaredAnswerCanBeChosen(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	// The examples have no value for these: a completed task is not polled again, and the page
	// of a download is no file.
	absent := map[string]string{"Retry-After": "GET 200", "Content-Disposition": "text/html"}
	for _, a := range declaredAnswers(t) {
		if a.path == bulkPath && (a.status == "201" || a.status == "202") {
			continue // these have an effect
		}
		for _, mediaType := range a.mediaTypes {
			path := filled(a.path)
			if strings.Contains(mediaType, "spreadsheet") {
				path += "?format=xlsx"
			}
			got := b.send(a.method, path, "", "", "Prefer: code="+a.status, "Accept: "+mediaType, "Idempotency-Key: again")
			what := fmt.Sprintf("%s %s %s as %s", a.method, a.path, a.status, mediaType)
			if fmt.Sprint(got.status) != a.status || got.header.Get("Preference-Applied") != "code="+a.status {
				t.Errorf("%s: %d %q %s", what, got.status, got.header.Get("Preference-Applied"), got.body)
			}
			if !strings.HasPrefix(got.header.Get("Content-Type"), mediaType) {
				t.Errorf("%s: it is %s", what, got.header.Get("Content-Type"))
			}
			for _, name := range a.headers {
				missing := absent[name] != "" && (absent[name] == a.method+" "+a.status || absent[name] == mediaType)
				if (got.header.Get(name) == "") != missing {
					t.Errorf("%s: header %s is %q", what, name, got.header.Get(name))
				}
			}
			if strings.Contains(string(got.body), `"detail":""`) || len(got.body) < 3 || got.header.Get("X-Request-Id") == "" {
				t.Errorf("%s: %s", what, got.body)
			}
			if plain := b.send(a.method, path, "", "", "Prefer: code="+a.status); plain.status != got.status {
				t.Errorf("%s, without Accept: %d %s", what, plain.status, plain.body)
			}
			if isReceipts := strings.HasSuffix(a.path, "{receipt}"); isReceipts && !strings.Contains(string(got.body), map[string]string{"200": "<bdi>Example</bdi>", "403": "Link is invalid"}[a.status]) {
				t.Errorf("%s: %s", what, got.body)
			}
			r, err := http.NewRequestWithContext(t.Context(), a.method, b.URL+path, nil)
			must(t, err)
			if err := servertest.Undeclared(r, &http.Response{StatusCode: got.status, Header: got.header}, bytes.Clone(got.body)); err != nil {
				t.Errorf("%s: by the complete document: %v\n%s", what, err, got.body)
			}
			if a.public && a.method == http.MethodGet {
				head := b.send(http.MethodHead, path, "", "", "Prefer: code="+a.status, "Accept: "+mediaType)
				if head.status != got.status || len(head.body) > 0 || head.header.Get("Content-Type") != got.header.Get("Content-Type") {
					t.Errorf("HEAD of %s: %d %s", what, head.status, head.header)
				}
			}
		}
	}
	for _, table := range []string{"gift_cards", "idempotency_keys", "audit_log"} {
		if n := storetest.Count(t, b.Store, table); n != 0 {
			t.Errorf("%d rows in %s, want none", n, table)
		}
	}
}

func TestAChosenAnswerHasTheIDsOfThePath(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	path := filled("/v2/giftcards/programs/{programId}/cards/{cardId}")
	got := b.send(http.MethodGet, path, "", "", "Prefer: code=200")
	if got.field(t, "id") != "5eb7cf5a86d9755df3a6c5a2" || got.field(t, "programId") != "5eb7cf5a86d9755df3a6c5a1" {
		t.Errorf("%s", got.body)
	}
	// The judge of all answers sees whether this one has other ids.
	if got := b.send(http.MethodGet, "/v2/giftcards/programs/x/cards/%3Cscript%3Ealert(1)%3C%2Fs%3E", "", "", "Prefer: code=200"); got.status != http.StatusOK {
		t.Errorf("without ids: %d %s", got.status, got.body)
	}
}

// TestACodeThatIsNotDeclaredIsRefused: the sentence lists the declared codes.
func TestACodeThatIsNotDeclaredIsRefused(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	got := b.send(http.MethodGet, "/healthz", "", "", "Prefer: code=418")
	if want := "Prefer: this operation has no answer 418; it declares 200, 429, 500 and 503"; got.status != http.StatusBadRequest || got.detail() != want {
		t.Errorf("%d %s, want %s", got.status, got.body, want)
	}
}

// TestPreferIsReadAsRFC7240Says: in capitals, in quotes, among other preferences, and in several
// headers.
func TestPreferIsReadAsRFC7240Says(t *testing.T) {
	t.Parallel()
	b := newBox(t)
	for _, c := range []struct {
		headers []string
		status  int
	}{
		{[]string{"code=503"}, 503},
		{[]string{"CODE = 503"}, 503},
		{[]string{`code="503"`}, 503},
		{[]string{"respond-async, wait=10, code=503; foo=bar"}, 503},
		{[]string{"respond-async", "code=503"}, 503},
		{[]string{`example="a, code=429", code=503`}, 503},
		{[]string{`dynamic=true, foo; code=503`}, 200}, // a parameter of another preference
		{[]string{`return=minimal`}, 200},
		{[]string{``}, 200},
		{[]string{`,;=,"`}, 200},
		{[]string{"code=503, code=503"}, 400},
		{[]string{"code=503", "code=429"}, 400},
		{[]string{"code"}, 400},
		{[]string{"code="}, 400},
		{[]string{"code=5"}, 400},
		{[]string{"code=0503"}, 400},
		{[]string{"code=+50"}, 400},
		{[]string{"code=-50"}, 400},
		{[]string{"code=teapot"}, 400},
		{[]string{"code=99999999999999999999"}, 400},
	} {
		var headers []string
		for _, value := range c.headers {
			headers = append(headers, "Prefer: "+value)
		}
		got := b.send(http.MethodGet, "/healthz", "", "", headers...)
		if got.status != c.status || (got.header.Get("Preference-Applied") == "code=503") != (c.status == 503) {
			t.Errorf("%q: %d %s, want %d", c.headers, got.status, got.body, c.status)
		}
	}
}

// TestABulkRequestIsCarriedOutAsPreferred, at once or by a task, whatever the threshold is.
func TestABulkRequestIsCarriedOutAsPreferred(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.BulkThreshold = 2 })
	m := b.Merchant()
	path := "/v2/giftcards/programs/" + m.ProgramID + "/cards/bulk"
	bulk := func(count, code int, key string) answer {
		t.Helper()
		return b.send(http.MethodPost, path, m.Token, fmt.Sprintf(`{"initialValue": "5", "count": %d}`, count), fmt.Sprintf("Prefer: code=%d", code), "Idempotency-Key: "+key)
	}
	atOnce := bulk(3, 201, "at-once")
	if atOnce.status != http.StatusCreated || atOnce.header.Get("Preference-Applied") != "code=201" || !strings.Contains(string(atOnce.body), `"issuedCount":3`) {
		t.Errorf("at once: %d %s", atOnce.status, atOnce.body)
	}
	byTask := bulk(1, 202, "by-task")
	if byTask.status != http.StatusAccepted || byTask.header.Get("Preference-Applied") != "code=202" {
		t.Errorf("by a task: %d %s", byTask.status, byTask.body)
	}
	waitForTask(t, b, m, byTask.field(t, "taskId"))
	if n := storetest.Count(t, b.Store, "gift_cards"); n != 4 {
		t.Errorf("%d cards, want 4", n)
	}
	// A replay is the first answer, and says that the preference was not followed.
	again := bulk(1, 201, "by-task")
	if again.status != http.StatusAccepted || again.header.Get("Preference-Applied") != "" || again.header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("a replay: %d %s", again.status, again.header)
	}
	if got := bulk(1001, 201, "many"); got.status != http.StatusBadRequest || got.header.Get("Preference-Applied") != "" {
		t.Errorf("1,001 cards at once: %d %s", got.status, got.body)
	}
	if got := b.send(http.MethodPost, path, m.Token, `{"initialValue": "0", "count": 1}`, "Prefer: code=201"); got.status != http.StatusUnprocessableEntity || got.header.Get("Preference-Applied") != "" {
		t.Errorf("a request that is refused: %d %s", got.status, got.header)
	}
	if got := b.send(http.MethodPost, path, "", `{"initialValue": "5", "count": 1}`, "Prefer: code=202"); got.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d %s", got.status, got.body)
	}
	if n := storetest.Count(t, b.Store, "gift_cards"); n != 4 {
		t.Errorf("%d cards in the end, want 4", n)
	}
}

// TestOperationsAreFoundAsTheServerFindsThem, also below the base path. Unknown paths and methods
// get the server's own answer.
func TestOperationsAreFoundAsTheServerFindsThem(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.BaseURL += "/cards" })
	for request, want := range map[string]int{
		"GET /healthz":         http.StatusServiceUnavailable,
		"HEAD /healthz":        http.StatusServiceUnavailable,
		"GET /cards/healthz":   http.StatusServiceUnavailable,
		"GET /v2/token":        http.StatusServiceUnavailable,
		"POST /cards/v2/token": http.StatusServiceUnavailable,
		"GET /v2/giftcards/programs/5eb7cf5a86d9755df3a6c5a1/cards/bulk/x%2Fy": http.StatusServiceUnavailable,
		"HEAD /v2/token":            http.StatusMethodNotAllowed,
		"DELETE /v2/token":          http.StatusMethodNotAllowed,
		"OPTIONS /v2/token":         http.StatusMethodNotAllowed,
		"GET /v2/nothing":           http.StatusNotFound,
		"GET /openapi.json":         http.StatusOK,
		"GET /cardsv2/token":        http.StatusNotFound,
		"GET /sandbox/nothing":      http.StatusNotFound,
		"GET /cards":                http.StatusFound,
		"PUT /openapi-sandbox.json": http.StatusNotFound,
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := b.send(method, path, "", "", "Prefer: code=503"); got.status != want {
			t.Errorf("%s: %d %s, want %d", request, got.status, got.body, want)
		}
	}
	location := b.send(http.MethodPost, "/cards"+filled(bulkPath), "", "", "Prefer: code=429")
	if location.status != http.StatusTooManyRequests {
		t.Errorf("bulk below the base path: %d", location.status)
	}
}

// TestThePageShowsTheSandboxsDocument, which names the server.
func TestThePageShowsTheSandboxsDocument(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.BaseURL += "/cards" })
	for _, base := range []string{"", "/cards"} {
		page := b.send(http.MethodGet, base+"/docs", "", "")
		if page.status != http.StatusOK || !strings.Contains(string(page.body), "openapi-sandbox.json") {
			t.Errorf("%s/docs: %d %s", base, page.status, page.body)
		}
		document := b.send(http.MethodGet, base+"/openapi-sandbox.json", "", "")
		if document.status != http.StatusOK || !json.Valid(document.body) || !strings.Contains(string(document.body), b.URL+"/cards") {
			t.Errorf("%s/openapi-sandbox.json: %d", base, document.status)
		}
		unchanged := b.send(http.MethodGet, base+"/openapi-sandbox.json", "", "", "If-None-Match: "+document.header.Get("ETag"))
		if unchanged.status != http.StatusNotModified {
			t.Errorf("%s/openapi-sandbox.json again: %d", base, unchanged.status)
		}
	}
}

// TestPagesOfOtherOriginsMaySendTheHeaders.
func TestPagesOfOtherOriginsMaySendTheHeaders(t *testing.T) {
	t.Parallel()
	b := newBox(t, func(o *server.Options) { o.CORSOrigins = []string{"https://shop.example.com"} })
	for _, header := range []string{"Prefer", "Sandbox-Now", "Sandbox-Fault", "Sandbox-Task"} {
		got := b.send(http.MethodOptions, "/healthz", "", "", "Origin: https://shop.example.com", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: "+header)
		if allowed := strings.Split(got.header.Get("Access-Control-Allow-Headers"), ","); !slices.ContainsFunc(allowed, func(a string) bool { return strings.TrimSpace(a) == header }) {
			t.Errorf("%s is not allowed: %q", header, allowed)
		}
	}
	got := b.send(http.MethodGet, "/healthz", "", "", "Origin: https://shop.example.com", "Prefer: code=503")
	if got.header.Get("Access-Control-Allow-Origin") == "" || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Preference-Applied") {
		t.Errorf("a chosen answer has %s", got.header)
	}
}
