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

	longLists bool // judge the items of lists that have too many
	unjudged  bool // some items were not judged
}

// Body is a read-only view of the body, absent for an operation without one.
func (r *Request) Body() Value { return r.body }

// Param is a read-only view of a parameter by where it is ("path", "query" or
// "header") and its name in the document; absent if it was not sent.
func (r *Request) Param(in, name string) Value {
	for i := range r.operation.params {
		if p := &r.operation.params[i]; p.in == in && p.name == name {
			return r.params[i]
		}
	}
	return Value{}
}

// Form is the body of a form operation as it was sent, unknown fields included;
// nil for other operations.
func (r *Request) Form() url.Values { return r.form }

// Validate judges a request: body is what it carried (the caller has bounded its
// size and may not change it before the Request is done with), path gives a path
// parameter, percent-decoded. A body that is not JSON is the only error then;
// otherwise all errors come in the order path, query, header, body, and the
// rules on the whole body come last, if there are no others. The Request is nil
// beside errors, unless all of them are provisional: what it asks for may have been
// done before, and must not be done now. It returns neither a Request nor errors if
// the context of r ended before all was judged.
func (o *Operation) Validate(r *http.Request, path func(name string) string, body []byte) (*Request, Errors) {
	return o.validate(r, path, body, false)
}

// ValidateRetry is Validate for a request that may have been accepted when lists could
// be longer. It also judges the items of a list that has too many, which Validate does
// not, because they may cost far more than the request is worth.
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
	errs := o.checkParams(request, r, path)
	if o.body != nil {
		request.form = b.form
		errs = append(errs, o.checkBody(r.Context(), request, b)...)
	}
	if r.Context().Err() != nil { // the walk may have stopped
		return nil, nil //nolint:nilerr // no answer is wanted any more
	}
	if len(errs) == 0 && o.rule != nil {
		if err := o.rule(request.body); err != nil {
			errs = Errors{bodyError(request.body, err)}
		}
	}
	if !errs.Provisional() || request.unjudged {
		return nil, errs[:min(len(errs), maxErrors)]
	}
	return request, errs
}

// readBody scans a body that is JSON, parses one that is a form and, as FastAPI
// does, takes any other for a text.
func (o *Operation) readBody(r *http.Request, raw []byte) (body, *syntaxError) {
	switch {
	case o.body == nil:
		return body{}, nil
	case o.form:
		return formBody(r.Header.Get("Content-Type"), raw, o.body), nil
	case len(raw) == 0:
		return body{}, nil
	case !isJSON(r.Header.Get("Content-Type")):
		t := &tape{}
		t.addText(strings.ToValidUTF8(string(raw), "\uFFFD"))
		return body{tape: t}, nil
	}
	// The text shares its bytes with raw, as strings.Builder does: a second copy of
	// a large body would be most of what a request costs.
	t, err := scan(unsafe.String(unsafe.SliceData(raw), len(raw))) //nolint:gosec // nobody writes to raw any more
	return body{tape: t}, err
}

// body is a body that was read: a tape (nil for an empty one), and the fields if
// it is a form.
type body struct {
	tape *tape
	form url.Values
}

// isJSON reports whether a content type announces JSON; none at all does.
func isJSON(contentType string) bool {
	if contentType == "application/json" || contentType == "" {
		return true
	}
	mediaType, _, _ := strings.Cut(contentType, ";")
	mediaType = strings.ToLower(strings.TrimSpace(mediaType))
	subtype, isApplication := strings.CutPrefix(mediaType, "application/")
	return isApplication && !strings.Contains(subtype, "/") && (subtype == "json" || strings.HasSuffix(subtype, "+json"))
}

// isForm reports whether a content type announces a form.
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
		query = parseQuery(latin1(r.URL.RawQuery)) // as Starlette reads it
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

// header is the first value of a header, read as Latin-1 as Python's servers do.
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
	w := newWalk(ctx, b.tape)
	w.longLists = request.longLists
	w.place = append(w.place, step{name: "body"})
	switch {
	case o.form:
		w.form(o.body, 0)
	case b.tape == nil || b.tape.nodes[0].kind == kindNull:
		w.missing([]byte("null"))
	default:
		w.object(o.body, 0)
	}
	request.body = Value{b.tape, 0, &schema{kind: schemaObject, object: o.body}}
	request.unjudged = w.unjudged
	return w.errors
}

// bodyError completes what a rule on the whole body says.
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
