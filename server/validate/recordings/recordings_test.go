package recordings_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"giftcards/server/validate/recordings"
)

func TestDifferenceComparesByValue(t *testing.T) {
	t.Parallel()
	const element = `{"type": "t", "msg": "m", "loc": ["body", 1], "input": `
	for _, test := range []struct {
		got, want string
		equal     bool
	}{
		{element + `1e-07}`, element + `1E-7}`, true},
		{element + `100.0}`, element + `1e2}`, true},
		{`{"loc": ["body", 1], "msg": "m", "input": {"b": 1, "a": 2}, "type": "t"}`, element + `{"a": 2, "b": 1}}`, true},
		{element + `123456789012345678901}`, element + `123456789012345678902}`, false},
		{element + `"1"}`, element + `1}`, false},
		{element + `null}`, `{"type": "t", "msg": "m", "loc": ["body", 1]}`, false},
		{element + `[1]}`, element + `[1, 2]}`, false},
		{element + `1}, ` + element + `1}`, element + `1}`, false},
		{`{"type": "t", "msg": "m"}`, `{"type": "t", "msg": "m"}`, false},
	} {
		c := recordings.Case{Detail: json.RawMessage("[" + test.want + "]")}
		if got := c.Difference([]byte("[" + test.got + "]")); (got == "") != test.equal {
			t.Errorf("%s and %s: %q", test.got, test.want, got)
		}
	}
	c := recordings.Case{}
	if got := c.Difference([]byte(`{`)); got == "" {
		t.Error("no difference to what is not JSON")
	}
	if got := c.Difference([]byte(`"sentence"`)); got == "" {
		t.Error("no difference to what is no list")
	}
	if got := c.Difference([]byte("[" + element + "1}]")); got != "" {
		t.Errorf("any words: %s", got)
	}
}

func TestLoadReadsRequestsAndExpectations(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	write(t, directory, "a.jsonl", `{"id": "create/x/1", "method": "POST", "path": "/p", "headers": {"a": "b"}, "body": "x", "expect": {"status": "2xx"}}

{"id": "create/y", "method": "GET", "path": "/p", "headers": {}, "body_base64": "eP8=", "expect": {"status": 422, "detail": []}}
{"id": "create/z", "method": "GET", "path": "/p", "headers": {}, "expect": {"status": "not 422"}}`)
	cases, err := recordings.Load(directory)
	if err != nil {
		t.Fatal(err)
	}
	if len(cases) != 3 || cases[0].Expect != recordings.Accepted || cases[2].Expect != recordings.Valid || string(cases[0].Body) != "x" || cases[0].Group() != "create/x" ||
		cases[1].Expect != recordings.Refused || string(cases[1].Body) != "x\xff" || string(cases[1].Detail) != "[]" || cases[1].Group() != "create/y" {
		t.Errorf("got %+v", cases)
	}
}

func TestACaseAllowsTheStatusesThatItExpects(t *testing.T) {
	t.Parallel()
	for expect, statuses := range map[recordings.Expectation]map[int]bool{
		recordings.Refused:  {200: false, 404: false, 422: true, 500: false},
		recordings.Accepted: {200: true, 202: true, 404: false, 422: false, 500: false},
		recordings.Valid:    {200: true, 201: true, 400: true, 401: true, 404: true, 409: true, 429: true, 405: false, 413: false, 415: false, 422: false, 500: false, 503: false},
	} {
		for status, allowed := range statuses {
			c := recordings.Case{Expect: expect}
			if c.Allows(status) != allowed {
				t.Errorf("expectation %d allows %d: %v, want %v", expect, status, !allowed, allowed)
			}
		}
	}
}

func TestLoadRefusesBrokenFiles(t *testing.T) {
	t.Parallel()
	if _, err := recordings.Load(t.TempDir()); err == nil {
		t.Error("an empty directory was read")
	}
	for _, line := range []string{`{`, `{"id": "a", "expect": {"status": 500}}`} {
		directory := t.TempDir()
		write(t, directory, "a.jsonl", line)
		if _, err := recordings.Load(directory); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("%s: got %v", line, err)
		}
	}
}

func TestWithIDsReplacesEveryFormOfTheIDs(t *testing.T) {
	t.Parallel()
	c := recordings.Case{
		Target: "/" + recordings.Program + "/" + strings.ToUpper(recordings.Program) + "/" + recordings.Program[:23],
		Body:   []byte(recordings.Merchant + strings.ToUpper(recordings.Merchant)),
		Detail: json.RawMessage(`"` + recordings.Merchant + `"`),
	}.WithIDs("aaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbb")
	if c.Target != "/aaaaaaaaaaaaaaaaaaaaaaaa/AAAAAAAAAAAAAAAAAAAAAAAA/aaaaaaaaaaaaaaaaaaaaaaa" ||
		string(c.Body) != "bbbbbbbbbbbbbbbbbbbbbbbbBBBBBBBBBBBBBBBBBBBBBBBB" || string(c.Detail) != `"bbbbbbbbbbbbbbbbbbbbbbbb"` {
		t.Errorf("got %s %s %s", c.Target, c.Body, c.Detail)
	}
}

func write(t *testing.T, directory, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
