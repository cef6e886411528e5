package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// basePath returns the path of a base URL, such as /cards of https://example.com/cards, or
// "" if it has none.
func basePath(baseURL string) (string, error) {
	u, err := url.Parse(baseURL)
	if err != nil {
		return "", fmt.Errorf("base URL: %w", err)
	}
	return strings.TrimSuffix(u.Path, "/"), nil
}

// below makes next answer below a base path as well as without it, because some proxies
// strip the path that clients reach them under, and others pass it on.
func below(base string, next http.Handler) http.Handler {
	if base == "" {
		return next
	}
	stripped := http.StripPrefix(base, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == base:
			http.Redirect(w, r, base+"/docs", http.StatusFound)
		case strings.HasPrefix(r.URL.Path, base+"/"):
			stripped.ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// WithServer puts the server's own address first in a document's list of servers, so that
// clients made from the document use it. Everything else stays byte for byte.
func WithServer(document []byte, baseURL string) ([]byte, error) {
	entry, err := json.Marshal(map[string]string{"url": baseURL, "description": "This server"})
	if err != nil {
		return nil, err
	}
	begin := []byte(`"servers": [`) // only the top level of the document has one
	if bytes.Count(document, begin) != 1 {
		return nil, fmt.Errorf("the document has %d lists of servers, want 1", bytes.Count(document, begin))
	}
	return bytes.Replace(document, begin, append(append(begin, entry...), ','), 1), nil
}
