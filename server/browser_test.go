package server_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/server/servertest"
)

func TestEveryAnswerHasTheSecurityHeadersForBrowsers(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, panicWhenAskedIfReady)
	m := s.Merchant()
	one := 1
	link := *bulk(t, m, nil, api.BulkIssueGiftCardRequest{InitialValue: amount(t, "5"), Count: &one}).JSON201.CsvDownloadUrl
	for name, c := range map[string]struct {
		answer servertest.Answer
		status int
		cache  string
		policy string
	}{
		"a token":        {loginFrom(t, s, "", m.Email, m.Password), 200, "no-store", "default-src 'none'"},
		"a refusal":      {loginFrom(t, s, "", m.Email, "wrong"), 401, "no-store", "default-src 'none'"},
		"a list":         {m.Do(http.MethodPost, m.Cards(), jsonHeader, []byte(`{}`)), 422, "no-store", "default-src 'none'"},
		"a card":         {m.Do(http.MethodPost, m.Cards()+"/bulk", jsonHeader, []byte(`{"initialValue":5,"count":1}`)), 201, "no-store", "default-src 'none'"},
		"a CSV":          {get(t, s, link), 200, "no-store", "default-src 'none'"},
		"a panic":        {get(t, s, s.URL+"/readyz"), 500, "no-store", "default-src 'none'"},
		"nothing":        {get(t, s, s.URL+"/nowhere"), 404, "no-store", "default-src 'none'"},
		"another method": {m.Do(http.MethodDelete, "/v2/token", nil, nil), 405, "no-store", "default-src 'none'"},
		"a document":     {get(t, s, s.URL+"/openapi.json"), 200, "no-cache", "default-src 'none'"},
		"the page":       {get(t, s, s.URL+"/docs"), 200, "no-cache", "script-src 'self'"},
	} {
		h := c.answer.Header
		if c.answer.Status != c.status || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			!strings.Contains(h.Get("Content-Security-Policy"), c.policy) || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			h.Get("Cache-Control") != c.cache || len(h.Values("Cache-Control")) != 1 {
			t.Errorf("%s: %d %v", name, c.answer.Status, h)
		}
		for _, absent := range []string{"Strict-Transport-Security", "Access-Control-Allow-Origin", "Server"} {
			if h.Get(absent) != "" {
				t.Errorf("%s has %s: %s", name, absent, h.Get(absent))
			}
		}
	}
	secure := servertest.New(t, func(o *server.Options) { o.BaseURL = "https://cards.example.com" })
	if got := get(t, secure, secure.URL+"/healthz").Header.Get("Strict-Transport-Security"); got != "max-age=31536000" {
		t.Errorf("reached over https: Strict-Transport-Security %q", got)
	}
}

// TestOnlyTheNamedOriginsMayCall reads the headers as a browser would.
func TestOnlyTheNamedOriginsMayCall(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(o *server.Options) {
		o.CORSOrigins = []string{"https://shop.example.com", "http://localhost:3000"}
		o.UserRate = 1
	})
	m := s.Merchant()
	s.Clock.Stop()
	send := func(method, path, origin, asksFor string) servertest.Answer {
		header := http.Header{"Origin": {origin}}
		if asksFor != "" {
			header.Set("Access-Control-Request-Method", asksFor)
			header.Set("Access-Control-Request-Headers", "authorization,content-type,idempotency-key")
			header.Set("Authorization", "none") // a browser sends no token with a preflight request
		}
		return m.Do(method, path, header, nil)
	}
	for origin, allowed := range map[string]bool{
		"https://shop.example.com": true, "http://localhost:3000": true,
		"https://example.com": false, "https://evil-shop.example.com": false, "https://shop.example.com.evil.net": false,
		"http://shop.example.com": false, "https://shop.example.com:444": false, "https://SHOP.example.com": false,
		"https://shop-example.com": false, "null": false, "*": false,
	} {
		preflight := send(http.MethodOptions, m.Cards(), origin, http.MethodPost)
		if got := preflight.Header.Get("Access-Control-Allow-Origin"); preflight.Status != http.StatusNoContent || (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("preflight from %s: %d %q", origin, preflight.Status, got)
		}
		headers := strings.Split(preflight.Header.Get("Access-Control-Allow-Headers"), ",")
		if allowed && (!slices.Contains(headers, "Authorization") || !slices.Contains(headers, "Content-Type") || !slices.Contains(headers, "Idempotency-Key")) {
			t.Errorf("preflight from %s allows %q", origin, headers)
		}
		methods := strings.Split(preflight.Header.Get("Access-Control-Allow-Methods"), ",")
		for _, method := range []string{"GET", "HEAD", "PATCH", "POST"} { // all that the document has
			if allowed && !slices.Contains(methods, method) {
				t.Errorf("preflight from %s allows %q, not %s", origin, methods, method)
			}
		}
		answer := send(http.MethodGet, "/healthz", origin, "")
		if got := answer.Header.Get("Access-Control-Allow-Origin"); answer.Status != http.StatusOK || (got == origin) != allowed || !allowed && got != "" {
			t.Errorf("a request from %s: %d %q", origin, answer.Status, got)
		}
		if answer.Header.Get("Vary") != "Origin" || answer.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("a request from %s: %v", origin, answer.Header)
		}
	}
	for range 2 {
		send(http.MethodGet, "/v2/token", "https://shop.example.com", "")
	}
	refused := send(http.MethodGet, "/v2/token", "https://shop.example.com", "")
	exposed := strings.Split(refused.Header.Get("Access-Control-Expose-Headers"), ",")
	for _, name := range []string{"WWW-Authenticate", "Location", "Link", "Retry-After", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "X-Request-Id"} {
		if !slices.Contains(exposed, name) {
			t.Errorf("pages may not read %s", name)
		}
	}
	if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a page cannot read why it is refused: %d %v", refused.Status, refused.Header)
	}
	if plain := m.Do(http.MethodOptions, "/v2/token", nil, nil); plain.Status != http.StatusMethodNotAllowed {
		t.Errorf("OPTIONS of no page: %d", plain.Status)
	}
}

func TestWithoutOriginsThereAreNoCORSHeaders(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	m := s.Merchant()
	answer := m.Do(http.MethodOptions, m.Cards(), http.Header{"Origin": {"https://shop.example.com"}, "Access-Control-Request-Method": {"POST"}}, nil)
	if answer.Status != http.StatusMethodNotAllowed {
		t.Errorf("preflight: %d", answer.Status)
	}
	for name := range answer.Header {
		if strings.HasPrefix(name, "Access-Control") {
			t.Errorf("%s is sent", name)
		}
	}
}
