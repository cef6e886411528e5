// Package docspage serves the page that shows the API's document to people. All files of the
// page are embedded, so it needs no other server. It must not know the content of the
// document, only its address.
package docspage

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"html"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// prefix is the path of the page. The paths of its scripts begin with it.
const prefix = "/docs"

// contentPolicy lets the browser load from this server only, whatever the scripts ask for.
// 'unsafe-inline' is there because Scalar adds style elements.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'unsafe-inline'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

var (
	//go:embed assets/page.html
	pageText string
	//go:embed assets/start.js
	startScript []byte
	//go:embed assets/scalar.js.gz
	scalarGzip []byte

	// scalarScript decompresses the script for the few clients that do not take gzip.
	scalarScript = sync.OnceValues(func() ([]byte, error) {
		reader, err := gzip.NewReader(bytes.NewReader(scalarGzip))
		if err != nil {
			return nil, err
		}
		return io.ReadAll(reader)
	})
)

// Handler answers GET and HEAD with the page at /docs and /docs/, and with its scripts below.
// The caller mounts it at both paths. documentURL is the path of the OpenAPI document on
// this server. Addresses in the page are relative, so that it works below any path of a
// proxy.
func Handler(documentURL string) http.Handler {
	startPath, scalarPath := versionedPath("start", startScript), versionedPath("scalar", scalarGzip)
	pages := map[string][]byte{}
	// A browser resolves a relative address against the last slash of the page's own.
	for path, root := range map[string]string{prefix: "", prefix + "/": "../"} {
		relative := func(path string) string { return html.EscapeString(root + strings.TrimPrefix(path, "/")) }
		pages[path] = []byte(strings.NewReplacer(
			"{{start}}", relative(startPath), "{{scalar}}", relative(scalarPath), "{{document}}", relative(documentURL),
		).Replace(pageText))
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			refuse(w, http.StatusMethodNotAllowed)
			return
		}
		switch r.URL.Path {
		case prefix, prefix + "/":
			w.Header().Set("Content-Security-Policy", contentPolicy)
			w.Header().Set("Referrer-Policy", "no-referrer")
			w.Header().Set("Cache-Control", "no-cache")
			page := pages[r.URL.Path]
			serve(w, r, "text/html; charset=utf-8", entityTag(page), page)
		case startPath:
			serveScript(w, r, startPath, startScript)
		case scalarPath:
			serveScalar(w, r, scalarPath)
		default:
			refuse(w, http.StatusNotFound)
		}
	})
}

// serveScalar sends Scalar's script as it is embedded, or decompressed for a
// client that does not take gzip.
func serveScalar(w http.ResponseWriter, r *http.Request, path string) {
	w.Header().Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Values("Accept-Encoding")) {
		w.Header().Set("Content-Encoding", "gzip")
		serveScript(w, r, path+".gz", scalarGzip)
		return
	}
	script, err := scalarScript()
	if err != nil {
		refuse(w, http.StatusInternalServerError)
		return
	}
	serveScript(w, r, path, script)
}

// serveScript sends a script that never changes at its address.
func serveScript(w http.ResponseWriter, r *http.Request, tag string, script []byte) {
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	serve(w, r, "text/javascript; charset=utf-8", `"`+tag+`"`, script)
}

func serve(w http.ResponseWriter, r *http.Request, contentType, tag string, content []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// refuse answers with the same shape as the rest of the server.
func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	io.WriteString(w, `{"detail":"`+http.StatusText(status)+`"}`) //nolint:errcheck // fails only if the client has gone
}

// versionedPath returns an address that changes with the content, so that clients may cache
// it for ever.
func versionedPath(name string, content []byte) string {
	return prefix + "/" + name + "-" + digest(content) + ".js"
}

func entityTag(content []byte) string { return `"` + digest(content) + `"` }

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:8])
}

// acceptsGzip reports whether the values of an Accept-Encoding header name gzip with a
// weight above 0.
func acceptsGzip(values []string) bool {
	for value := range strings.SplitSeq(strings.Join(values, ","), ",") {
		name, weight, _ := strings.Cut(value, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			weight = strings.TrimRight(strings.ReplaceAll(weight, " ", ""), "0")
			return weight != "q=" && weight != "q=0."
		}
	}
	return false
}
