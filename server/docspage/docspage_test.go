package docspage_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"giftcards/openapi"
	"giftcards/server/docspage"
)

var handler = docspage.Handler("/openapi-complete.json")

func call(t *testing.T, method, path string, header http.Header) *http.Response {
	t.Helper()
	request := httptest.NewRequest(method, path, nil)
	request.Header = header
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder.Result()
}

func body(t *testing.T, response *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// scripts returns the paths of the page's scripts: Scalar, and the one that starts it.
func scripts(t *testing.T) (scalar, start string) {
	t.Helper()
	found := regexp.MustCompile(`<script src="([^"]+)" defer>`).FindAllStringSubmatch(body(t, call(t, "GET", "/docs", nil)), -1)
	if len(found) != 2 || !strings.Contains(found[0][1], "/scalar-") || !strings.Contains(found[1][1], "/start-") {
		t.Fatalf("scripts of the page: %v", found)
	}
	return "/" + found[0][1], "/" + found[1][1]
}

func TestPageIsServedAtBothAddressesAndReadsTheDocument(t *testing.T) {
	t.Parallel()
	for path, document := range map[string]string{"/docs": "openapi-complete.json", "/docs/": "../openapi-complete.json"} {
		response := call(t, "GET", path, nil)
		page := body(t, response)
		if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %s", path, response.StatusCode, response.Header.Get("Content-Type"))
		}
		if !strings.Contains(page, `data-document="`+document+`"`) || strings.Contains(page, "{{") {
			t.Errorf("%s: %s", path, page)
		}
	}
}

// TestEveryOperationOfThePageHasATitleInWords: none shows the published names, such as Getgiftcards.
// Each operation that the page renames exists, because an unknown one would stop the page.
func TestEveryOperationOfThePageHasATitleInWords(t *testing.T) {
	t.Parallel()
	var document struct {
		Paths map[string]map[string]struct{ Summary, OperationID string }
	}
	if err := json.Unmarshal(openapi.Complete, &document); err != nil {
		t.Fatal(err)
	}
	_, start := scripts(t)
	source := body(t, call(t, "GET", start, nil))
	titles := map[string]string{}
	for _, path := range regexp.MustCompile(`(?m)^    "(/v2/[^"]+)": \{ (.*) \},$`).FindAllStringSubmatch(source, -1) {
		for _, title := range regexp.MustCompile(`(\w+): "([^"]+)"`).FindAllStringSubmatch(path[2], -1) {
			if document.Paths[path[1]][title[1]].OperationID == "" {
				t.Errorf("there is no %s %s", title[1], path[1])
			}
			titles[title[1]+" "+path[1]] = title[2]
		}
	}
	shown := map[string]string{}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			name, _, _ := strings.Cut(operation.OperationID, "_v2")
			title := cmp.Or(titles[method+" "+path], operation.Summary)
			if title == "" || strings.EqualFold(title, name) {
				t.Errorf("%s %s has the title %q", method, path, title)
			}
			if other := shown[title]; other != "" {
				t.Errorf("%s %s has the title of %s: %q", method, path, other, title)
			}
			shown[title] = method + " " + path
		}
	}
}

func TestThePageHasItsOwnTitle(t *testing.T) {
	t.Parallel()
	if page := body(t, call(t, "GET", "/docs", nil)); !strings.Contains(page, "<title>giftcards</title>") {
		t.Errorf("the title is another: %s", page)
	}
}

func TestDocumentAddressCannotEndItsAttribute(t *testing.T) {
	t.Parallel()
	recorder := httptest.NewRecorder()
	docspage.Handler(`/a"><script>`).ServeHTTP(recorder, httptest.NewRequest("GET", "/docs", nil))
	if page := recorder.Body.String(); strings.Contains(page, `"><script>`) {
		t.Error(page)
	}
}

func TestPageAsksNoOtherServer(t *testing.T) {
	t.Parallel()
	response := call(t, "GET", "/docs", nil)
	scalar, start := scripts(t)
	ours := body(t, response) + body(t, call(t, "GET", start, nil))
	if found := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9-]+\.[^\s"']+`).FindAllString(ours, -1); found != nil {
		t.Errorf("outside addresses: %v", found)
	}
	for _, path := range []string{scalar, start} {
		if !strings.HasPrefix(path, "/docs/") {
			t.Errorf("script at %s", path)
		}
	}
	for _, option := range []string{"telemetry: false", "withDefaultFonts: false", "agent: { disabled: true }", "mcp: { disabled: true }", `proxyUrl: ""`, "new URL(\".\", source)"} {
		if !strings.Contains(ours, option) {
			t.Errorf("not set: %s", option)
		}
	}
	policy := response.Header.Get("Content-Security-Policy")
	for directive := range strings.SplitSeq(policy, "; ") {
		name, sources, _ := strings.Cut(directive, " ")
		for source := range strings.FieldsSeq(sources) {
			switch {
			case source == "'none'" || source == "'self'":
			case source == "data:" && name == "img-src":
			case source == "'unsafe-inline'" && name == "style-src":
			default:
				t.Errorf("%s allows %s", name, source)
			}
		}
	}
	if !strings.HasPrefix(policy, "default-src 'none'; ") {
		t.Errorf("policy %q", policy)
	}
}

func TestScalarIsTheSameWithAndWithoutGzip(t *testing.T) {
	t.Parallel()
	scalar, _ := scripts(t)
	compressed := call(t, "GET", scalar, http.Header{"Accept-Encoding": {"deflate, gzip;q=1.0, br"}})
	if compressed.Header.Get("Content-Encoding") != "gzip" {
		t.Fatalf("Content-Encoding %q", compressed.Header.Get("Content-Encoding"))
	}
	reader, err := gzip.NewReader(compressed.Body)
	if err != nil {
		t.Fatal(err)
	}
	unpacked, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, accept := range [][]string{nil, {""}, {"identity"}, {"br"}, {"gzip;q=0"}, {"br, gzip; q=0.000"}, {"x-gzipped"}} {
		plain := call(t, "GET", scalar, http.Header{"Accept-Encoding": accept})
		if plain.Header.Get("Content-Encoding") != "" || body(t, plain) != string(unpacked) {
			t.Errorf("Accept-Encoding %q: Content-Encoding %q, or other content", accept, plain.Header.Get("Content-Encoding"))
		}
	}
	if !bytes.Contains(unpacked, []byte("createApiReference")) {
		t.Error("this is not Scalar")
	}
}

func TestScriptsAreCachedForEverAndThePageIsAskedFor(t *testing.T) {
	t.Parallel()
	scalar, start := scripts(t)
	for path, want := range map[string]string{
		scalar: "public, max-age=31536000, immutable", start: "public, max-age=31536000, immutable", "/docs": "no-cache",
	} {
		response := call(t, "GET", path, nil)
		if got := response.Header.Get("Cache-Control"); got != want {
			t.Errorf("%s: Cache-Control %q", path, got)
		}
		if got := response.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", path, got)
		}
	}
	for _, path := range []string{scalar, start} {
		if got := call(t, "GET", path, nil).Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := call(t, "GET", scalar, nil).Header.Get("Vary"); got != "Accept-Encoding" {
		t.Errorf("Vary %q", got)
	}
}

func TestEachContentHasItsOwnETagWhichAnswers304(t *testing.T) {
	t.Parallel()
	scalar, start := scripts(t)
	tags := map[string]bool{}
	for _, c := range []struct{ path, accept string }{{"/docs", ""}, {start, ""}, {scalar, ""}, {scalar, "gzip"}} {
		header := http.Header{"Accept-Encoding": {c.accept}}
		tag := call(t, "GET", c.path, header).Header.Get("ETag")
		if tags[tag] || !regexp.MustCompile(`^"[^"]+"$`).MatchString(tag) {
			t.Errorf("%v: ETag %s", c, tag)
		}
		tags[tag] = true
		header.Set("If-None-Match", tag)
		if response := call(t, "GET", c.path, header); response.StatusCode != http.StatusNotModified || body(t, response) != "" {
			t.Errorf("%v: %d", c, response.StatusCode)
		}
		header.Set("If-None-Match", `"other"`)
		if response := call(t, "GET", c.path, header); response.StatusCode != http.StatusOK {
			t.Errorf("%v with another tag: %d", c, response.StatusCode)
		}
	}
}

func TestHeadHasNoBody(t *testing.T) {
	t.Parallel()
	scalar, start := scripts(t)
	for _, path := range []string{"/docs", scalar, start} {
		if response := call(t, "HEAD", path, nil); response.StatusCode != http.StatusOK || body(t, response) != "" {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
}

func TestEverythingElseIsRefusedInJSON(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		method, path string
		status       int
		detail       string
	}{
		{"GET", "/docs/x", 404, "Not Found"},
		{"GET", "/docs/scalar-0000000000000000.js", 404, "Not Found"},
		{"GET", "/docs/assets/page.html", 404, "Not Found"},
		{"GET", "/docsx", 404, "Not Found"},
		{"POST", "/docs", 405, "Method Not Allowed"},
		{"DELETE", "/docs/x", 405, "Method Not Allowed"},
	} {
		response := call(t, c.method, c.path, nil)
		if got := body(t, response); response.StatusCode != c.status || got != `{"detail":"`+c.detail+`"}` || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %d %s", c.method, c.path, response.StatusCode, got)
		}
		if got := response.Header.Get("Allow"); (got == "GET, HEAD") != (c.status == 405) {
			t.Errorf("%s %s: Allow %q", c.method, c.path, got)
		}
	}
}
