// Package validate judges requests by the OpenAPI document. Compile makes a validator
// from the document once. The validator refuses requests as FastAPI with Pydantic would,
// in the same words and in the same order. Handlers get the values that it accepted
// (Request.Decode), so that handlers and validator cannot disagree.
//
// The package owns the reading of JSON and form bodies, the rules of every schema
// construct in the document, and the shape of a 422. It knows no operation by name, no
// database and no other answer. Options hand in the rules beyond the schema.
//
// Read validate.go and request.go first. The files compile*.go turn the
// document into schemas (schema.go). scan.go reads a body into a tape (tape.go), and
// check.go walks over it. Each kind of value has a file of its own.
package validate

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// FieldRule judges one value that its own schema has accepted. It does not see null or
// absent values. The context is the request's. It returns nil, or an ErrorDetail with Type,
// Msg and Ctx; the validator fills in Loc and Input.
type FieldRule func(context.Context, Value) *ErrorDetail

// BodyRule judges a whole request body, and runs only if the request has no other error. The
// context is the request's. It returns nil, or an ErrorDetail with Type, Msg, Ctx and Loc. Loc
// is the path from the body to the value at fault, and empty for the body itself. The validator
// completes Loc and fills in Input.
type BodyRule func(context.Context, Value) *ErrorDetail

// ListBounds are the least and the largest number of items of a list. They are judged before
// the items, so that a list with too many costs only the counting.
type ListBounds struct{ Least, Most int }

// Options are the rules that the document cannot state. Compile fails if the key of a rule
// matches nothing in the document.
type Options struct {
	Fields map[string]FieldRule  // by "SchemaName.property"
	Lists  map[string]ListBounds // by "SchemaName.property", a list
	Bodies map[string]BodyRule   // by "SchemaName", the schema of a request body
	Params map[string]FieldRule  // by "<in>.<lower-case name>", for example "header.idempotency-key"
}

// Validator judges the requests of every operation in a document. It is safe
// for concurrent use.
type Validator struct {
	operations map[operationKey]*Operation
}

type operationKey struct{ method, path string }

// Operation judges the requests of one operation.
type Operation struct {
	Method string // upper case
	Path   string // the template, as in the document
	ID     string // the document's operationId

	params   []parameter
	body     *object // nil without a request body
	optional bool    // no body and null are accepted, and are the same
	form     bool    // the body is a form, not JSON
	rule     BodyRule
}

// parameter is one path, query or header parameter.
type parameter struct {
	property
	in  string // path, query or header
	key string // in a header: the canonical form of the name
}

// Compile makes a validator for every operation of doc. raw is the JSON text that doc was
// loaded from. Only raw has the order of properties, which is the order of errors. Compile
// fails, and names the place, if the document has a construct that this package cannot
// judge, or if a rule belongs to nothing in the document.
func Compile(doc *openapi3.T, raw []byte, o Options) (*Validator, error) {
	c, err := newCompiler(doc, raw, o)
	if err != nil {
		return nil, err
	}
	v := &Validator{operations: map[operationKey]*Operation{}}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			compiled, err := c.operation(path, method, item, op)
			if err != nil {
				return nil, fmt.Errorf("compile %s %s: %w", method, path, err)
			}
			v.operations[operationKey{method, path}] = compiled
		}
	}
	// This comes last, because a rule is unused only if no operation has used it.
	if err := c.unused(); err != nil {
		return nil, err
	}
	return v, nil
}

// Operation finds an operation by its method (upper case) and its path template
// as the document writes it.
func (v *Validator) Operation(method, pathTemplate string) (*Operation, bool) {
	o, ok := v.operations[operationKey{method, pathTemplate}]
	return o, ok
}

// Operations lists every operation of the document, ordered by path and method.
func (v *Validator) Operations() []*Operation {
	all := make([]*Operation, 0, len(v.operations))
	for _, o := range v.operations {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *Operation) int {
		if byPath := strings.Compare(a.Path, b.Path); byPath != 0 {
			return byPath
		}
		return strings.Compare(a.Method, b.Method)
	})
	return all
}
