package validate_test

import (
	"bytes"
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

	"github.com/getkin/kin-openapi/openapi3"

	"giftcards/server/validate"
	"giftcards/server/validate/recordings"
)

const document = "../../openapi/openapi-complete.json"

// cardRules stand for the rules that the server hangs on the document.
func cardRules() validate.Options {
	return validate.Options{
		Fields: map[string]validate.FieldRule{
			"CreateGiftCardRequest.expiresAt":    inFuture,
			"BulkIssueGiftCardRequest.expiresAt": inFuture,
			"BulkIssueGiftCardRequest.count": func(v validate.Value) *validate.ErrorDetail {
				if v.Int() > 100_000 {
					return validate.TooLarge(100_000)
				}
				return nil
			},
		},
		Lists: map[string]validate.ListBounds{"BulkIssueGiftCardRequest.recipients": {Least: 1, Most: 100_000}},
		Bodies: map[string]validate.BodyRule{
			"CreateGiftCardRequest": func(v validate.Value) *validate.ErrorDetail {
				deliver, expires := v.Field("deliverAt"), v.Field("expiresAt")
				if deliver.IsNull() || expires.IsNull() || !deliver.Time().After(expires.Time()) {
					return nil
				}
				err := validate.ValueError("deliverAt must not be after expiresAt")
				err.Loc = validate.Loc{"deliverAt"}
				return err
			},
			"BulkIssueGiftCardRequest": func(v validate.Value) *validate.ErrorDetail {
				if v.Field("count").IsNull() == v.Field("recipients").IsNull() {
					return validate.ValueError("exactly one of count and recipients is required")
				}
				return nil
			},
		},
	}
}

// inFuture takes the time of the recordings for now.
func inFuture(v validate.Value) *validate.ErrorDetail {
	now := recordings.Now
	switch {
	case !v.Time().After(now):
		return validate.NotInFuture()
	case v.Time().After(now.AddDate(5, 0, 0)):
		return validate.ValueError("expiresAt must be at most 5 years ahead")
	}
	return nil
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

// send lets the operation that a path belongs to judge a request.
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
	cases, err := recordings.Load("testdata/fastapi")
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
	if c.Accepted {
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
