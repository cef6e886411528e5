package validate_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestLargeInputIsLeftOut(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for _, test := range []struct {
		length int
		echoed bool
	}{{64*1024 - 2, true}, {64*1024 - 1, false}} {
		body := `{"initialValue": 25, "count": 1, "designTemplate": "` + strings.Repeat("x", test.length) + `"}`
		_, errs := send(t, v, http.MethodPost, cards+"/bulk", jsonHeader(), []byte(body))
		detail, err := json.Marshal(errs)
		if err != nil {
			t.Fatal(err)
		}
		if got := bytes.Contains(detail, []byte(`"input"`)); got != test.echoed {
			t.Errorf("%d characters: echoed %v", test.length, got)
		}
	}
}

// TestAnErrorHoldsNoCopyOfALargeBody: a refusal must not take more memory than the server
// reserves for the body.
func TestAnErrorHoldsNoCopyOfALargeBody(t *testing.T) {
	t.Parallel()
	v := compile(t, cardRules())
	for _, test := range []struct{ name, contentType, body string }{
		{"a list that is too long", "application/json", `{"initialValue": 25, "recipients": [` + strings.Repeat("{},", 100_000) + `{}]}`},
		{"an object that lacks a property", "application/json", `{"count": 1, "x": "` + strings.Repeat("x", 300_000) + `"}`},
		{"a text that is not JSON", "text/plain", strings.Repeat("\x01", 300_000)},
		{"bytes that are not UTF-8", "text/plain", strings.Repeat("x\xff", 150_000)},
	} {
		_, errs := send(t, v, http.MethodPost, cards+"/bulk", map[string]string{"Content-Type": test.contentType}, []byte(test.body))
		if len(errs) != 1 || errs[0].Input != nil {
			t.Errorf("%s: %d errors, the first with %d bytes of input", test.name, len(errs), len(errs[0].Input))
		}
	}
}

// TestInputsOfAnAnswerAreBounded: each input is small enough, but all together are as large as
// the body.
func TestInputsOfAnAnswerAreBounded(t *testing.T) {
	t.Parallel()
	body := `{"initialValue": 25, "recipients": [` + strings.Repeat(`{"customerName": ["`+strings.Repeat("x", 10_000)+`"]},`, 1000) + `{}]}`
	_, errs := send(t, compile(t, cardRules()), http.MethodPost, cards+"/bulk", jsonHeader(), []byte(body))
	echoed := 0
	for _, err := range errs {
		echoed += len(err.Input)
	}
	if len(errs) != 1000 || echoed < 1<<20 || echoed > 1<<20+64<<10 {
		t.Errorf("%d errors with %d bytes of inputs, want 1000 with a MiB", len(errs), echoed)
	}
}
