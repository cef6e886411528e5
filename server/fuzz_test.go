package server_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"

	"giftcards/server/servertest"
	"giftcards/server/validate/recordings"
)

// FuzzAnswers looks for an input that leads to a 5xx, a panic, a 422 whose detail is no list, or an
// answer that the complete document does not declare.
func FuzzAnswers(f *testing.F) {
	s := servertest.New(f)
	m := s.Merchant()
	cases, err := recordings.Load("validate/testdata/fastapi")
	if err != nil {
		f.Fatal(err)
	}
	for i := 0; i < len(cases); i += 25 {
		c := cases[i].WithIDs(m.ProgramID, m.ID)
		target, err := url.ParseRequestURI(c.Target)
		if err != nil {
			continue
		}
		f.Add(i%3, target.Path, target.RawQuery, c.Headers["content-type"], "", c.Body)
	}
	f.Add(0, "", "", "application/json", `"key"`, []byte(`{"initialValue":1,"merchantId":"`+m.ID+`"}`))
	f.Add(1, "", "cardId=x", "", "\x00", []byte(`{"initialValue":1e400,"count":2}`))
	f.Add(2, "/v2/token", "", "application/x-www-form-urlencoded", "", []byte("username=a&password=%zz&scope"))
	f.Fuzz(func(t *testing.T, kind int, path, query, contentType, key string, body []byte) {
		target := url.URL{Path: path, RawQuery: query}
		switch kind {
		case 0:
			target.Path = m.Cards()
		case 1:
			target.Path = m.Cards() + "/bulk"
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+target.RequestURI(), bytes.NewReader(body))
		if err != nil {
			return // Go's client cannot send it
		}
		r.Header = http.Header{"Authorization": {"Bearer " + m.Token}, "Content-Type": {contentType}, "Idempotency-Key": {key}}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			return // Go's client cannot send it
		}
		defer response.Body.Close()
		answer := new(bytes.Buffer)
		if _, err := answer.ReadFrom(response.Body); err != nil {
			t.Fatal(err)
		}
		if response.StatusCode >= 500 {
			t.Errorf("%d %s", response.StatusCode, answer)
		}
		if err := servertest.Undeclared(r, response, answer.Bytes()); err != nil {
			t.Errorf("%d: %v\n%s", response.StatusCode, err, answer)
		}
		if response.StatusCode == http.StatusUnprocessableEntity {
			var list struct{ Detail []any }
			if err := json.Unmarshal(answer.Bytes(), &list); err != nil || len(list.Detail) == 0 {
				t.Errorf("the detail of a 422 is no list: %s", answer)
			}
		}
	})
}
