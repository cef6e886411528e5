package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// This file keeps tokens and passwords out of the journal.

const leftOut = "(left out)"

var (
	// tokenPattern finds a JWT, also one whose end was cut off.
	tokenPattern = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*(\.[A-Za-z0-9_-]*)?`)
	// secretNames are the names of parameters whose values are secrets.
	secretNames = map[string]bool{"password": true, "token": true, "accesstoken": true, "access_token": true}
)

func withoutTokens(text string) string { return tokenPattern.ReplaceAllLiteralString(text, leftOut) }

// withoutSecretInHeader returns a header's value without secrets. It keeps the scheme of
// credentials, as in "Bearer (left out)".
func withoutSecretInHeader(name, value string) string {
	switch http.CanonicalHeaderKey(name) {
	case "Authorization", "Proxy-Authorization":
		if scheme, _, ok := strings.Cut(value, " "); ok {
			return scheme + " " + leftOut
		}
		return leftOut
	case "Cookie", "Set-Cookie":
		return leftOut
	}
	return withoutTokens(value)
}

// withoutSecretsInQuery returns the path of a request with its query.
func withoutSecretsInQuery(u *url.URL) string {
	path := withoutTokens(u.EscapedPath())
	if u.RawQuery != "" {
		path += "?" + withoutSecretsInForm(u.RawQuery)
	}
	return path
}

// withoutSecretsInForm returns a query or a form with the values of secrets left out.
func withoutSecretsInForm(form string) string {
	pairs := strings.Split(form, "&")
	for i, pair := range pairs {
		name, _, _ := strings.Cut(pair, "=")
		// The server does not read a parameter whose name cannot be decoded.
		if decoded, err := url.QueryUnescape(name); err == nil && secretNames[strings.ToLower(decoded)] {
			pairs[i] = name + "=" + leftOut
		}
	}
	return withoutTokens(strings.Join(pairs, "&"))
}

// withoutPassword returns the body of a login without its password. It leaves out a body that is
// not a form or not UTF-8, because the password may stand anywhere in it.
func withoutPassword(headers [][2]string, body string) string {
	for _, h := range headers {
		if h[0] == "Content-Type" && strings.HasPrefix(strings.ToLower(h[1]), "application/x-www-form-urlencoded") && utf8.ValidString(body) {
			return withoutSecretsInForm(body)
		}
	}
	if body == "" {
		return ""
	}
	return leftOut
}

// expiryOf returns the time at which a token says that it expires. It does not verify the token.
func expiryOf(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Expires int64 `json:"exp"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return time.Time{}, false
	}
	return time.Unix(claims.Expires, 0), true
}
