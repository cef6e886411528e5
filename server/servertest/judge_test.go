package servertest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestTheJudgeFindsAnswersThatAreNotDeclared(t *testing.T) {
	t.Parallel()
	const token, poll = "/v2/token", "/v2/giftcards/programs/5eb7cf5a86d9755df3a6c593/cards/bulk/x"
	for name, c := range map[string]struct {
		method, path, header, body string
		status                     int
		want                       string // "" if the answer is as declared
	}{
		"as declared":              {"GET", poll, "", `{"taskId":"x","status":"pending","cards":null}`, 200, ""},
		"null where anything goes": {"GET", poll, "", `{"detail":[{"loc":["body",1],"msg":"m","type":"t","input":null}]}`, 422, ""},
		"a missing key":            {"GET", poll, "", `{"taskId":"x"}`, 200, "status"},
		"a wrong type":             {"GET", poll, "", `{"taskId":"x","status":"pending","issuedCount":"5"}`, 200, "issuedCount"},
		"a bad date":               {"GET", poll, "", `{"taskId":"x","status":"failed","completedAt":"yesterday"}`, 200, "completedAt"},
		"an undeclared status":     {"GET", poll, "", `{}`, 418, "418"},
		"a string detail in a 422": {"GET", poll, "", `{"detail":"no"}`, 422, "detail"},
		"a missing header":         {"GET", token, "", `{"detail":"no"}`, 401, "WWW-Authenticate"},
		"a bad header":             {"GET", poll, "Retry-After: soon", `{"taskId":"x","status":"pending"}`, 200, "Retry-After"},
		"another media type":       {"GET", poll, "Content-Type: text/plain", `x`, 200, "text/plain"},
		"no JSON":                  {"GET", poll, "", `{`, 200, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {"application/json"}}
			if c.path == poll && c.status == http.StatusOK {
				header.Set("Cards-Wanted", "5")
				header.Set("Cards-Written", "0")
			}
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				header.Set(name, value)
			}
			request := &http.Request{Method: c.method, URL: &url.URL{Path: c.path}}
			err := Undeclared(request, &http.Response{StatusCode: c.status, Header: header}, []byte(c.body))
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("verdict %v, want one about %q", err, c.want)
			}
		})
	}
}
