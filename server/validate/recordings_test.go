package validate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/openapi"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/server/validate/recordings"
)

// cardRules are the server's rules in 2028, so that the recorded dates do not age.
func cardRules() validate.Options {
	return rules.Rules{
		Now:         func(context.Context) time.Time { return recordings.Now },
		BulkMaximum: 100_000,
	}.Options()
}

// compile compiles the complete document, which is loaded once for all tests.
func compile(t testing.TB, o validate.Options) *validate.Validator {
	t.Helper()
	doc, err := openapi.Load()
	if err != nil {
		t.Fatal(err)
	}
	v, err := validate.Compile(doc, openapi.Complete, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
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
	for i := range cases {
		if difference := answer(t, v, &cases[i]); difference != "" {
			t.Errorf("%s: %s", cases[i].ID, difference)
		}
	}
	t.Logf("%d recorded requests", len(cases))
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
