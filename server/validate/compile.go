package validate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

const componentPrefix = "#/components/schemas/"

// compiler turns the schemas of one document into the form that judges values.
type compiler struct {
	document *tape // of the raw document, for the order of its properties
	options  Options
	used     map[string]bool    // rules that belong to something in the document
	schemas  map[string]*schema // by component name, not nullable
}

func newCompiler(doc *openapi3.T, raw []byte, o Options) (*compiler, error) {
	if doc == nil || doc.Paths == nil {
		return nil, errors.New("compile: the document has no paths")
	}
	document, err := scan(string(raw))
	if err != nil {
		return nil, fmt.Errorf("compile: the document is not JSON at %d: %s", err.position, err.reason)
	}
	return &compiler{document: document, options: o, used: map[string]bool{}, schemas: map[string]*schema{}}, nil
}

// unused returns an error if a rule belongs to nothing in the document. The error names the
// first such rule.
func (c *compiler) unused() error {
	// A rule with a misspelt name would refuse nothing, and nobody would notice.
	var names []string
	for name := range c.options.Fields {
		names = append(names, "field "+name)
	}
	for name := range c.options.Lists {
		names = append(names, "list "+name)
	}
	for name := range c.options.Bodies {
		names = append(names, "body "+name)
	}
	for name := range c.options.Params {
		names = append(names, "parameter "+name)
	}
	// In the order of a map, the first one would differ from run to run.
	slices.Sort(names)
	for _, name := range names {
		if !c.used[name] {
			return fmt.Errorf("compile: the rule for %s belongs to nothing in the document", name)
		}
	}
	return nil
}

func (c *compiler) operation(path, method string, item *openapi3.PathItem, op *openapi3.Operation) (*Operation, error) {
	o := &Operation{Method: method, Path: path, ID: op.OperationID}
	// FastAPI judges all path parameters first, then those in the query, then headers.
	parameters := slices.Concat(item.Parameters, op.Parameters)
	for _, in := range []string{openapi3.ParameterInPath, openapi3.ParameterInQuery, openapi3.ParameterInHeader} {
		for _, ref := range parameters {
			if ref.Value.In != in {
				continue
			}
			p, err := c.parameter(ref.Value)
			if err != nil {
				return nil, fmt.Errorf("%s parameter %s: %w", in, ref.Value.Name, err)
			}
			o.params = append(o.params, p)
		}
	}
	for _, ref := range parameters {
		if ref.Value.In == openapi3.ParameterInCookie {
			return nil, fmt.Errorf("cookie parameter %s: cookies are not supported", ref.Value.Name)
		}
	}
	if op.RequestBody == nil {
		return o, nil
	}
	if err := c.body(o, op.RequestBody.Value); err != nil {
		return nil, fmt.Errorf("request body: %w", err)
	}
	return o, nil
}

func (c *compiler) parameter(from *openapi3.Parameter) (parameter, error) {
	if from.Schema == nil {
		return parameter{}, errors.New("only a parameter with a schema is supported")
	}
	s, err := c.schema(from.Schema)
	if err != nil {
		return parameter{}, err
	}
	// A parameter is judged as one text.
	if s.kind == schemaArray || s.kind == schemaObject {
		return parameter{}, errors.New("only one plain value is supported")
	}
	// net/http keeps the names of headers in this form, and checkParams looks them up by it.
	p := parameter{in: from.In, key: http.CanonicalHeaderKey(from.Name)}
	p.name, p.schema, p.required = from.Name, s, from.Required
	if p.preset, err = c.preset(from.Schema); err != nil {
		return parameter{}, err
	}
	name := from.In + "." + strings.ToLower(from.Name)
	if p.rule = c.options.Params[name]; p.rule != nil {
		c.used["parameter "+name] = true
	}
	return p, nil
}

func (c *compiler) body(o *Operation, from *openapi3.RequestBody) error {
	if len(from.Content) != 1 {
		return errors.New("only a body of one media type is supported")
	}
	for mediaType, content := range from.Content {
		o.form = mediaType == "application/x-www-form-urlencoded"
		if !o.form && mediaType != "application/json" {
			return fmt.Errorf("media type %s is not supported", mediaType)
		}
		s, err := c.schema(content.Schema)
		if err != nil {
			return err
		}
		if s.kind != schemaObject {
			return errors.New("only an object is supported")
		}
		// In Pydantic's documents a body is either required or nullable, because null is the
		// default of an optional body.
		if s.nullable == from.Required || o.form && s.nullable {
			return errors.New("a body must be either required, or optional and nullable")
		}
		o.body, o.optional = s.object, s.nullable
	}
	if o.rule = c.options.Bodies[o.body.name]; o.rule != nil {
		c.used["body "+o.body.name] = true
	}
	return nil
}

// schema returns the compiled form of a schema, and compiles a component once.
func (c *compiler) schema(ref *openapi3.SchemaRef) (*schema, error) {
	if ref == nil || ref.Value == nil {
		return nil, errors.New("a schema is missing")
	}
	name, isComponent := strings.CutPrefix(ref.Ref, componentPrefix)
	if !isComponent {
		if ref.Ref != "" {
			return nil, fmt.Errorf("reference %s is not to a component", ref.Ref)
		}
		return c.compile("", ref.Value)
	}
	if s, ok := c.schemas[name]; ok {
		return s, nil
	}
	s := &schema{}
	c.schemas[name] = s // stored before it is compiled, because it may refer to itself
	compiled, err := c.compile(name, ref.Value)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	*s = *compiled
	return s, nil
}
