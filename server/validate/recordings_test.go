package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/server/validate/recordings"
)

const document = "../../openapi/openapi-complete.json"

// cardRules are the server's rules in 2028, so that the recorded dates do not age.
func cardRules() validate.Options {
	return rules.Rules{
		Now:         func(context.Context) time.Time { return recordings.Now },
		BulkMaximum: 100_000,
	}.Options()
}

func compile(t testing.TB, o validate.Options) *validate.Validator {
	t.Helper()
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	return compileText(t, raw, o)
}

func compileText(t testing.TB, raw []byte, o validate.Options) *validate.Validator {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	v, err := validate.Compile(doc, raw, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// send lets the operation of a path judge a request.
func send(t testing.TB, v *validate.Validator, method, target string, headers map[string]string, body []byte) (*validate.Request, validate.Errors) {
	t.Helper()
	r := httptest.NewRequest(method, "/", bytes.NewReader(body))
	path, query, _ := strings.Cut(target, "?")
	r.URL.RawQuery = query
	r.Header = http.Header{}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	for _, o := range v.Operations() {
		if params, ok := matches(o, method, path); ok {
			return o.Validate(r, func(name string) string { return params[name] }, body)
		}
	}
	t.Fatalf("no operation for %s %s", method, path)
	return nil, nil
}

func matches(o *validate.Operation, method, path string) (map[string]string, bool) {
	template, parts := strings.Split(o.Path, "/"), strings.Split(path, "/")
	if o.Method != method || len(template) != len(parts) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range template {
		if name, ok := strings.CutPrefix(part, "{"); ok {
			value, err := url.PathUnescape(parts[i])
			if err != nil {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
		} else if part != parts[i] {
			return nil, false
		}
	}
	return params, true
}

func TestRecordedRequestsGetTheRecordedAnswers(t *testing.T) {
	t.Parallel()
	cases, err := recordings.Load("testdata/fastapi", "testdata/lifecycle")
	if err != nil {
		t.Fatal(err)
	}
	v := compile(t, cardRules())
	var mutex sync.Mutex
	passed, total := map[string]int{}, map[string]int{}
	t.Cleanup(func() {
		for _, group := range slices.Sorted(maps.Keys(total)) {
			t.Logf("%-32s %d of %d", group, passed[group], total[group])
		}
	})
	for _, c := range cases {
		t.Run(c.ID, func(t *testing.T) {
			t.Parallel()
			failed := answer(t, v, &c)
			mutex.Lock()
			defer mutex.Unlock()
			total[c.Group()]++
			if failed != "" {
				t.Error(failed)
				return
			}
			passed[c.Group()]++
		})
	}
}

// answer says how the answer to a recorded request differs from the recorded one.
func answer(t *testing.T, v *validate.Validator, c *recordings.Case) string {
	t.Helper()
	_, errs := send(t, v, c.Method, c.Target, c.Headers, c.Body)
	if c.Expect != recordings.Refused {
		if len(errs) > 0 {
			return "refused: " + errs.Error()
		}
		return ""
	}
	if len(errs) == 0 {
		return "accepted"
	}
	detail, err := json.Marshal(errs)
	if err != nil {
		return err.Error()
	}
	return c.Difference(detail)
}
