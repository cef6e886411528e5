package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/openapi"
	"giftcards/server"
	"giftcards/server/servertest"
	"giftcards/store"
	"giftcards/store/storetest/full"
)

// operation is the part of an operation of the complete document that the tests need.
type operation struct {
	name, method, path string
	public, keyed      bool
}

// operations returns all operations of the complete document.
func operations(t *testing.T) (all []operation) {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			Security   *[]any
			Parameters []struct{ Name, In string }
		}
	}
	if err := json.Unmarshal(openapi.Complete, &document); err != nil {
		t.Fatal(err)
	}
	for path, item := range document.Paths {
		for method, declared := range item {
			o := operation{method: strings.ToUpper(method), path: path, public: declared.Security != nil && len(*declared.Security) == 0}
			o.name = o.method + " " + path
			for _, p := range declared.Parameters {
				o.keyed = o.keyed || p.In == "header" && p.Name == "idempotency-key"
			}
			if _, ok := attempts[o.name]; !ok {
				t.Errorf("%s is not tried: say in attempts how it is asked for", o.name)
			}
			all = append(all, o)
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.name, b.name) })
	return all
}

var parameterPattern = regexp.MustCompile(`\{\w+\}`)

// try requests an operation on things. It sends authorization as a header unless it is empty.
func (w *world) try(o operation, x things, authorization string, header http.Header) servertest.Answer {
	w.t.Helper()
	path, body := w.request(o, x)
	return w.send(o.method, path, body, authorization, header)
}

// request returns the path and the body of an operation on things.
func (w *world) request(o operation, x things) (path, body string) {
	w.t.Helper()
	values := map[string]string{
		"{programId}": x.program, "{taskId}": x.task, "{link}": x.link, "{receipt}": x.receipt, "{cardId}": x.card, "{transactionId}": x.entry,
	}
	path = parameterPattern.ReplaceAllStringFunc(o.path, func(name string) string {
		value, ok := values[name]
		if !ok {
			w.t.Errorf("%s: say in things what %s is", o.name, name)
		}
		return value
	})
	if of := attempts[o.name].body; of != nil {
		body = of(x)
	}
	return path, body
}

func (w *world) send(method, path, body, authorization string, header http.Header) servertest.Answer {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.s.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	maps.Copy(r.Header, header)
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w.cases++
	return w.s.Send(r)
}

// world has two merchants. Each has a program, a completed task with a CSV, and a card that was
// redeemed. world also has ids of things that do not exist.
type world struct {
	t                    *testing.T
	s                    *servertest.Server
	owner, stranger      *servertest.Merchant
	owned, foreign, void things // the owner's, the stranger's, and ids that nothing has
	of                   map[*servertest.Merchant]things
	cases                int
}

func newWorld(t *testing.T, change ...func(*server.Options)) *world {
	t.Helper()
	s := servertest.NewCounting(t, change...)
	w := &world{t: t, s: s, owner: s.Merchant(), stranger: s.Merchant()}
	w.of = map[*servertest.Merchant]things{}
	all := func(m *servertest.Merchant) things {
		many := 60
		task := bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &many}).JSON202.TaskId
		link := *pollToEnd(t, m, task).CsvDownloadUrl
		w.of[m] = things{program: m.ProgramID, task: task, link: link[strings.LastIndex(link, "/")+1:], receipt: receiptOf(t, s, m), merchant: m.ID, user: m.Email, password: m.Password}
		w.of[m] = w.ready(operation{name: refundName}, m)
		return w.of[m]
	}
	w.owned, w.foreign = all(w.owner), all(w.stranger)
	w.void = things{
		program: strings.Repeat("0", 24), task: "00000000-0000-4000-8000-000000000000", link: "AAAA", receipt: "AAAA",
		merchant: strings.Repeat("0", 24), user: "nobody@example.com", password: "a password of nobody",
		card: strings.Repeat("0", 24), number: "9000000000000001", code: "000000", second: "9000000000000019", entry: strings.Repeat("0", 24),
	}
	return w
}

// bearer returns the header with a fresh token of the merchant's user.
func (w *world) bearer(m *servertest.Merchant) string {
	return "Bearer " + mint(w.t, w.s, decodePart(w.t, strings.Split(m.Token, ".")[1])["sub"].(string), m.ID)
}

// refused fails unless all answers are the same refusal after the same number of statements, so that
// neither the answer nor its time distinguishes the cases.
func (w *world) refused(what string, status int, detail string, answers ...servertest.Answer) {
	w.t.Helper()
	for i, a := range answers {
		if want := fmt.Sprintf(`{"detail":%q}`, detail); a.Status != status || strings.TrimSpace(string(a.Body)) != want {
			w.t.Errorf("%s, %d: %d %s, want %d %s", what, i, a.Status, a.Body, status, want)
		}
		w.same(what, answers[0], a)
	}
}

func (w *world) same(what string, a, b servertest.Answer) {
	w.t.Helper()
	if a.Status != b.Status || string(a.Body) != string(b.Body) || a.Statements != b.Statements {
		w.t.Errorf("%s: %d %s after %d statements, and %d %s after %d", what, a.Status, a.Body, a.Statements, b.Status, b.Body, b.Statements)
	}
	for _, name := range []string{"Content-Type", "WWW-Authenticate", "Retry-After", "Location", "Idempotent-Replayed"} {
		if a.Header.Get(name) != b.Header.Get(name) {
			w.t.Errorf("%s: %s %q, and %q", what, name, a.Header.Get(name), b.Header.Get(name))
		}
	}
}

// TestMerchantsAreApart tries every operation of the complete document as each kind of caller who
// does not own the things that the request names.
func TestMerchantsAreApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bad := badTokens(t, w.s, w.owner, w.stranger)
	all := operations(t)
	for _, o := range all {
		if answer := w.grant(o, w.owner, w.bearer(w.owner), nil); answer.Status != attempts[o.name].granted {
			t.Errorf("%s: the owner gets %d %s", o.name, answer.Status, answer.Body)
		}
		if o.public {
			for _, authorization := range []string{"", "Bearer " + bad["other key"], w.bearer(w.stranger)} {
				if answer := w.grant(o, w.owner, authorization, nil); answer.Status != attempts[o.name].granted {
					t.Errorf("%s asks for a token: %d %s", o.name, answer.Status, answer.Body)
				}
			}
			continue
		}
		w.withoutToken(o, bad)
		w.asStranger(o)
		w.asReader(o)
	}
	t.Logf("%d operations, %d bad tokens, %d cases", len(all), len(bad), w.cases)
}

// withoutToken tries an operation without a good token. The answer must not tell which things exist.
// Without -full, it combines only an absent token with all things.
func (w *world) withoutToken(o operation, bad map[string]string) {
	w.t.Helper()
	anyThings := []things{w.owned, w.foreign, w.void}
	for name, token := range bad {
		var answers []servertest.Answer
		for _, x := range anyThings[:full.Size(3, 1)] {
			answers = append(answers, w.try(o, x, "Bearer "+token, nil))
		}
		w.refused(o.name+", a token "+name, http.StatusUnauthorized, "Could not validate credentials", answers...)
	}
	good := strings.TrimPrefix(w.bearer(w.owner), "Bearer ")
	var answers []servertest.Answer
	for _, x := range anyThings {
		for _, authorization := range []string{"", "Bearer", "Bearer ", "Basic " + good, good, "Token " + good} {
			answers = append(answers, w.try(o, x, authorization, nil))
		}
		elsewhere := http.Header{"Cookie": {"token=" + good + "; Authorization=" + good}, "X-Authorization": {"Bearer " + good}, "X-Eposn-Merchant-Token": {good}}
		answers = append(answers, w.try(o, x, "", elsewhere))
	}
	w.refused(o.name+", no token", http.StatusUnauthorized, "Not authenticated", answers...)
	if got := answers[0].Header.Get("WWW-Authenticate"); got != "Bearer" {
		w.t.Errorf("%s: WWW-Authenticate %q", o.name, got)
	}
}

// asReader tries as a user of the owner who may only read.
func (w *world) asReader(o operation) {
	w.t.Helper()
	reader := "Bearer " + mint(w.t, w.s, userAs(w.t, w.s, w.owner.ID, store.RoleReader), w.owner.ID)
	refusal := attempts[o.name].reader
	switch answer := w.grant(o, w.owner, reader, nil); {
	case refusal != "":
		w.refused(o.name+" by a reader", http.StatusForbidden, refusal, answer)
	case answer.Status != attempts[o.name].granted:
		w.t.Errorf("%s by a reader: %d %s", o.name, answer.Status, answer.Body)
	case strings.Contains(string(answer.Body), "csvDownloadUrl\":\""), answer.Header.Get("Link") != "":
		w.t.Errorf("%s gives a reader the codes: %s", o.name, answer.Body)
	}
}

// asStranger tries as a user of another merchant.
func (w *world) asStranger(o operation) {
	w.t.Helper()
	if !strings.Contains(o.path, "{programId}") {
		answer := w.try(o, w.owned, w.bearer(w.stranger), nil)
		if answer.Status != attempts[o.name].granted || strings.Contains(string(answer.Body), w.owner.Email) || strings.Contains(string(answer.Body), w.owned.number) {
			w.t.Errorf("%s by another merchant: %d %s", o.name, answer.Status, answer.Body)
		}
		return
	}
	// In another merchant's program, the answer must not tell whether a thing exists.
	stranger := w.bearer(w.stranger)
	within := func(program string) (answers []servertest.Answer) {
		for _, rest := range []things{w.owned, w.foreign, w.void} {
			rest.program = program
			answers = append(answers, w.try(o, rest, stranger, nil), w.try(o, rest, stranger, http.Header{"Idempotency-Key": {"a-key-of-nobody"}}))
		}
		return answers
	}
	w.refused(o.name+" in another's program", http.StatusForbidden, "Program belongs to another merchant", within(w.owned.program)...)
	w.refused(o.name+" in another's program, spelled otherwise", http.StatusForbidden, "Program belongs to another merchant",
		within(fmt.Sprintf("%%%x", w.owned.program[0])+w.owned.program[1:])...)
	w.refused(o.name+" in no program", http.StatusNotFound, "Program not found", within(w.void.program)...)

	w.foreignThingsInOwnProgram(o, stranger)
	if attempts[o.name].body != nil {
		w.badBodies(o, stranger)
	}
	if o.keyed {
		w.sameKey(o, stranger)
	}
}

// badBodies tries bodies with faults. The server judges a body before it looks the program up, so
// that the answer does not tell whether the program exists. A body with a wrong merchant gets the
// same answer whether or not that merchant exists.
func (w *world) badBodies(o operation, stranger string) {
	w.t.Helper()
	path := func(program string) string { return strings.ReplaceAll(o.path, "{programId}", program) }
	var answers []servertest.Answer
	for _, program := range []string{w.foreign.program, w.owned.program, w.void.program} {
		answers = append(answers, w.send(o.method, path(program), `{}`, stranger, nil))
	}
	for _, a := range answers {
		if attempts[o.name].lenient { // it is not refused as a body, so it depends on the program
			break
		}
		if a.Status != http.StatusUnprocessableEntity {
			w.t.Errorf("%s with an empty body: %d %s", o.name, a.Status, a.Body)
		}
		w.same(o.name+" with an empty body", answers[0], a)
	}
	if !strings.Contains(attempts[o.name].body(w.owned), w.owned.merchant) {
		return
	}
	theirs, nobodys := w.foreign, w.foreign
	theirs.merchant, nobodys.merchant = w.owned.merchant, w.void.merchant
	one, other := w.try(o, theirs, stranger, nil), w.try(o, nobodys, stranger, nil)
	other.Body = []byte(strings.ReplaceAll(string(other.Body), w.void.merchant, w.owned.merchant)) // the 422 repeats the merchant of the request
	if one.Status != http.StatusUnprocessableEntity {
		w.t.Errorf("%s for another merchant: %d %s", o.name, one.Status, one.Body)
	}
	w.same(o.name+" for another merchant", one, other)
}

// sameKey tries the idempotency key of another merchant. It must not return that merchant's
// answer.
func (w *world) sameKey(o operation, stranger string) {
	w.t.Helper()
	key := http.Header{"Idempotency-Key": {"shared"}}
	first := w.grant(o, w.owner, w.bearer(w.owner), key)
	w.refused(o.name+" under a key of another", http.StatusForbidden, "Program belongs to another merchant", w.try(o, w.owned, stranger, key))
	granted := w.grant(o, w.stranger, stranger, key)
	if granted.Status != first.Status || granted.Header.Get("Idempotent-Replayed") != "" || string(granted.Body) == string(first.Body) {
		w.t.Errorf("%s in one's own program under a key that another used: %d %s", o.name, granted.Status, granted.Body)
	}
}
