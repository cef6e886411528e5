package sandbox

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

var (
	//go:embed page/page.html
	pageText string
	//go:embed page/page.css
	pageStyle []byte
	//go:embed page/page.js
	pageScript []byte
)

// pagePolicy lets the browser load from this server only.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// registerPage registers the page for people. Its addresses are relative, so that it works below
// any path of a proxy.
func (s *Sandbox) registerPage() {
	// A browser resolves a relative address against the last slash of the page's own.
	for pattern, root := range map[string]string{"GET /sandbox": "sandbox/", "GET /sandbox/{$}": "./"} {
		s.ownMux.HandleFunc(pattern, pageFile("text/html; charset=utf-8", []byte(strings.ReplaceAll(pageText, "{{root}}", root))))
	}
	s.ownMux.HandleFunc("GET /sandbox/page.css", pageFile("text/css; charset=utf-8", pageStyle))
	s.ownMux.HandleFunc("GET /sandbox/page.js", pageFile("text/javascript; charset=utf-8", pageScript))
}

// pageFile serves a file that a browser may keep if it asks each time whether it has changed.
func pageFile(contentType string, content []byte) http.HandlerFunc {
	sum := sha256.Sum256(content)
	tag := `"` + hex.EncodeToString(sum[:8]) + `"`
	return func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Type", contentType)
		header.Set("ETag", tag)
		header.Set("Cache-Control", "no-cache")
		header.Set("Content-Security-Policy", pagePolicy)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}
