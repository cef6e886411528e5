package servertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"giftcards/openapi"
)

// judge is a transport that fails the test if the complete document does not declare an
// answer's status, headers, media type or body. A foreign library judges by JSON Schema, so
// that a mistake of our own validator cannot hide itself.
type judge struct{ t testing.TB }

// RoundTrip sends a request and judges the answer.
func (j judge) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	// Errorf and not Fatalf, because a request may come from another goroutine than the test.
	if response.Header.Get("X-Request-Id") == "" {
		j.t.Errorf("%s %s: answer %d without X-Request-Id", r.Method, r.URL, response.StatusCode)
	}
	if err := Undeclared(r, response, body); err != nil {
		j.t.Errorf("%s %s: answer %d is not as the document says: %v\n%.2000s", r.Method, r.URL.Path, response.StatusCode, err, body)
	}
	return response, nil
}

// operationDocument is the part of an operation of the document that the judge reads.
type operationDocument struct {
	Responses map[string]struct {
		Headers map[string]struct {
			Required bool
			Schema   json.RawMessage
		}
		Content map[string]json.RawMessage
	}
}

type documentIndex struct {
	paths     map[string]map[string]operationDocument // path, lower-case method
	templates map[string][]string                     // the parts of each path

	mutex    sync.Mutex // protects what follows
	compiler *jsonschema.Compiler
	compiled map[string]*jsonschema.Schema // by the pointer to it in the document
}

const documentName = "document.json"

var (
	complete = sync.OnceValues(func() (*documentIndex, error) { return newIndex(openapi.Complete) })
	sandbox  = sync.OnceValues(func() (*documentIndex, error) { return newIndex(openapi.Sandbox) })
)

func newIndex(document []byte) (*documentIndex, error) {
	var parsed struct {
		Paths map[string]map[string]operationDocument
	}
	if err := json.Unmarshal(document, &parsed); err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	// Without this, JSON Schema 2020-12 takes a format for a remark that refuses nothing.
	compiler.AssertFormat()
	templates := map[string][]string{}
	for path := range parsed.Paths {
		templates[path] = strings.Split(path, "/")
	}
	d := &documentIndex{paths: parsed.Paths, templates: templates, compiler: compiler, compiled: map[string]*jsonschema.Schema{}}
	return d, compiler.AddResource(documentName, whole)
}

// Undeclared returns an error that names the part of an answer that the complete document does
// not declare, or nil.
func Undeclared(r *http.Request, response *http.Response, body []byte) error {
	doc, err := complete()
	if err != nil {
		return err
	}
	return doc.undeclared(r, response, body)
}

// UndeclaredInSandbox is Undeclared by the document of a sandbox.
func UndeclaredInSandbox(r *http.Request, response *http.Response, body []byte) error {
	doc, err := sandbox()
	if err != nil {
		return err
	}
	return doc.undeclared(r, response, body)
}

func (d *documentIndex) undeclared(r *http.Request, response *http.Response, body []byte) error {
	path, ok := d.find(r)
	if !ok || r.Method == http.MethodHead && response.StatusCode == http.StatusMethodNotAllowed {
		return nil // the contract says nothing about documents, pages, unknown paths and methods
	}
	method, status := declaredMethod(r), strconv.Itoa(response.StatusCode)
	declared, ok := d.paths[path][method].Responses[status]
	if !ok {
		return fmt.Errorf("status %s is not declared", status)
	}
	at := pointer("paths", path, method, "responses", status)
	for name, header := range declared.Headers {
		value := response.Header.Get(name)
		switch {
		case value == "" && header.Required:
			return fmt.Errorf("header %s is missing", name)
		case value == "":
			continue
		}
		if err := d.check(at+pointer("headers", name, "schema"), headerValue(value)); err != nil {
			return fmt.Errorf("header %s: %w", name, err)
		}
	}
	if len(declared.Content) == 0 && len(body) == 0 && response.StatusCode == http.StatusNoContent {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil {
		return fmt.Errorf("media type: %w", err)
	}
	if _, ok := declared.Content[mediaType]; !ok {
		return fmt.Errorf("media type %s is not declared", mediaType)
	}
	if mediaType != "application/json" || r.Method == http.MethodHead {
		return nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.check(at+pointer("content", mediaType, "schema"), value)
}

// declaredMethod returns the method under which the document has an operation: get for HEAD,
// which the server answers like GET without the body.
func declaredMethod(r *http.Request) string {
	if r.Method == http.MethodHead {
		return "get"
	}
	return strings.ToLower(r.Method)
}

func (d *documentIndex) check(at string, value any) error {
	schema, err := d.schema(at)
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

// schema compiles a schema of the document once, because even the compiler's own cache costs
// more than most answers.
func (d *documentIndex) schema(at string) (schema *jsonschema.Schema, err error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	schema, ok := d.compiled[at]
	if !ok {
		if schema, err = d.compiler.Compile(documentName + "#" + at); err == nil {
			d.compiled[at] = schema
		}
	}
	return schema, err
}

// headerValue returns a header's value as a number if it looks like one, else as a text.
func headerValue(text string) any {
	if _, err := strconv.Atoi(text); err == nil {
		return json.Number(text)
	}
	return text
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")

func pointer(parts ...string) string {
	var p strings.Builder
	for _, part := range parts {
		p.WriteString("/" + pointerEscapes.Replace(part))
	}
	return p.String()
}

// find returns the path of the operation that a request is for.
func (d *documentIndex) find(r *http.Request) (path string, ok bool) {
	sent := strings.Split(r.URL.EscapedPath(), "/")
	for path, item := range d.paths {
		if _, ok := item[declaredMethod(r)]; ok && matches(d.templates[path], sent) {
			return path, true
		}
	}
	return "", false
}

func matches(template, sent []string) bool {
	if len(template) != len(sent) {
		return false
	}
	for i, part := range template {
		if part != sent[i] && (!strings.HasPrefix(part, "{") || sent[i] == "") {
			return false
		}
	}
	return true
}
