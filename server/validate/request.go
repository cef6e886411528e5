package validate

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unsafe"
)

// Request is a validated request.
type Request struct {
	operation *Operation
	params    []Value // one for each of the operation's
	body      Value
	form      url.Values

	longLists bool // judge the items of a list even if it is too long
	unjudged  bool // the items of some list were not judged
}

// Body returns a read-only view of the body. It is absent for an operation without a body, and
// for an optional body that was not sent or is null.
func (r *Request) Body() Value { return r.body }

// Param returns a read-only view of a parameter. in is "path", "query" or "header", and name
// the parameter's name in the document. The value is absent if the request did not send it.
func (r *Request) Param(in, name string) Value {
	for i := range r.operation.params {
		if p := &r.operation.params[i]; p.in == in && p.name == name {
			return r.params[i]
		}
	}
	return Value{}
}

// Form returns the body of a form operation as it was sent, with unknown fields. It is nil for
// other operations.
func (r *Request) Form() url.Values { return r.form }

// Validate judges a request. path returns a path parameter, percent-decoded. body is the
// request's body: the caller bounds its size, and must not change it while the Request is
// in use.
//
// If the body is not JSON, that is the only error. Otherwise the errors come in the order
// path, query, header, body. The rule on the whole body runs only if there are no other errors.
//
// If there are errors, the Request is nil, unless all of them are provisional. The caller may
// then look for an earlier answer, but must not carry the request out. If the context of r
// ends before everything is judged, Validate returns neither a Request nor errors.
func (o *Operation) Validate(r *http.Request, path func(name string) string, body []byte) (*Request, Errors) {
	return o.validate(r, path, body, false)
}

// ValidateRetry is Validate for the retry of a request that was accepted under its idempotency
// key, perhaps when a setting allowed longer lists. It also judges the items of a list that is
// too long. Validate does not, because a refusal must not cost the work on all items.
func (o *Operation) ValidateRetry(r *http.Request, path func(name string) string, body []byte) (*Request, Errors) {
	return o.validate(r, path, body, true)
}

func (o *Operation) validate(r *http.Request, path func(name string) string, body []byte, longLists bool) (*Request, Errors) {
	request := &Request{operation: o, longLists: longLists}
	b, syntax := o.readBody(r, body)
	if syntax != nil {
		return nil, Errors{{
			Type:  "json_invalid",
			Loc:   Loc{"body", syntax.position},
			Msg:   "JSON decode error",
			Input: []byte("{}"),
			Ctx:   map[string]any{"error": syntax.reason},
		}}
	}
	// Parameters and body are judged even if one of them has errors, because FastAPI lists all.
	errs := o.checkParams(request, r, path)
	if o.body != nil {
		request.form = b.form
		errs = append(errs, o.checkBody(r.Context(), request, b)...)
	}
	if r.Context().Err() != nil { // the walk may have stopped early
		return nil, nil //nolint:nilerr // the caller asks the context itself
	}
	if len(errs) == 0 && o.rule != nil {
		if err := o.rule(r.Context(), request.body); err != nil {
			errs = Errors{bodyError(request.body, err)}
		}
	}
	if !errs.Provisional() || request.unjudged {
		return nil, errs[:min(len(errs), maxErrors)]
	}
	return request, errs
}

// readBody scans a JSON body and parses a form. Like FastAPI, it takes any other body for a
// text.
func (o *Operation) readBody(r *http.Request, raw []byte) (body, *syntaxError) {
	switch {
	case o.body == nil:
		return body{}, nil
	case o.form:
		return formBody(r.Header.Get("Content-Type"), raw, o.body), nil
	case len(raw) == 0:
		return body{}, nil
	}
	// The text shares its bytes with raw, as in strings.Builder, because a copy of a large
	// body would be most of the cost of a request.
	text := unsafe.String(unsafe.SliceData(raw), len(raw)) //nolint:gosec // nobody changes raw any more
	if isJSON(r.Header.Get("Content-Type")) {
		t, err := scan(text)
		return body{tape: t}, err
	}
	if len(text) <= maxInput { // no error echoes a longer one
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	t := &tape{}
	t.addText(text)
	return body{tape: t}, nil
}

// body is a body after reading: a tape, which is nil for an empty body, and the fields of a
// form.
type body struct {
	tape *tape
	form url.Values
}

// isJSON reports whether a content type means JSON. A missing one does.
func isJSON(contentType string) bool {
	if contentType == "application/json" || contentType == "" {
		return true
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	subtype, isApplication := strings.CutPrefix(mediaType, "application/")
	return isApplication && !strings.Contains(subtype, "/") && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// isForm reports whether a content type means a form.
func isForm(contentType string) bool {
	mediaType, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(mediaType), "application/x-www-form-urlencoded")
}

func (o *Operation) checkParams(request *Request, r *http.Request, path func(name string) string) Errors {
	if len(o.params) == 0 {
		return nil
	}
	t := &tape{nodes: make([]node, 0, len(o.params)), texts: make([]string, 0, len(o.params))}
	w := newWalk(r.Context(), t)
	w.place = append(w.place, step{}, step{})
	request.params = make([]Value, len(o.params))
	var query []pair
	if r.URL.RawQuery != "" {
		query = parseQuery(latin1(r.URL.RawQuery)) // Starlette reads it as Latin-1
	}
	for i := range o.params {
		p := &o.params[i]
		text, sent := "", true
		switch p.in {
		case "path":
			text = decodeUTF8(path(p.name))
		case "query":
			text, sent = last(query, p.name)
		case "header":
			text, sent = header(r.Header, p.key)
		}
		w.place[0].name, w.place[1].name = p.in, p.name
		switch {
		case sent:
			n := t.addText(text)
			w.property(&p.property, n)
			request.params[i] = Value{t, n, p.schema}
		case p.required:
			w.missing([]byte("null"))
		default:
			request.params[i] = p.defaultValue()
		}
	}
	return w.errors
}

// header returns the first value of a header. It reads the bytes as Latin-1, as Python's
// servers do.
func header(h http.Header, key string) (string, bool) {
	values := h[key]
	if len(values) == 0 {
		return "", false
	}
	return latin1(values[0]), true
}

func latin1(s string) string {
	for i := range len(s) {
		if s[i] >= 0x80 {
			runes := make([]rune, len(s))
			for j := range len(s) {
				runes[j] = rune(s[j])
			}
			return string(runes)
		}
	}
	return s
}

func (o *Operation) checkBody(ctx context.Context, request *Request, b body) Errors {
	none := b.tape == nil || b.tape.nodes[0].kind == kindNull
	// The body of the request stays absent, as Request.Body promises.
	if none && o.optional {
		return nil
	}
	w := newWalk(ctx, b.tape)
	w.longLists = request.longLists
	w.place = append(w.place, step{name: "body"})
	switch {
	case o.form:
		w.form(o.body, 0)
	case none:
		w.missing([]byte("null"))
	default:
		w.object(o.body, 0)
	}
	// Also with errors: if all are provisional, the caller looks for the answer to an earlier request.
	request.body = Value{b.tape, 0, &schema{kind: schemaObject, object: o.body}}
	request.unjudged = w.unjudged
	return w.errors
}

// bodyError completes the error of a rule on the whole body with its place and input.
func bodyError(body Value, err *ErrorDetail) ErrorDetail {
	at := body
	for _, part := range err.Loc {
		if name, ok := part.(string); ok {
			at = at.Field(name)
		}
	}
	err.Input = []byte("null")
	if !at.Absent() {
		err.Input = at.tape.input(at.node)
	}
	err.Loc = append(Loc{"body"}, err.Loc...)
	return *err
}
