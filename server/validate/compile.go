package validate

import (
	"context"
	"encoding/json"
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

// unused fails if a rule belongs to nothing in the document, and names it.
func (c *compiler) unused() error {
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
	if s.kind == schemaArray || s.kind == schemaObject {
		return parameter{}, errors.New("only one plain value is supported")
	}
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
		// Pydantic gives an optional body the default null, so the document has both or none.
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
	if known, ok := c.schemas[name]; ok {
		return known, nil
	}
	s := &schema{}
	c.schemas[name] = s // before compiling it, because it may refer to itself
	compiled, err := c.compile(name, ref.Value)
	if err != nil {
		return nil, fmt.Errorf("schema %s: %w", name, err)
	}
	*s = *compiled
	return s, nil
}

func (c *compiler) compileObject(s *schema, name string, from *openapi3.Schema) error {
	order, err := c.order(name)
	if err != nil {
		return err
	}
	// kin-openapi has properties in a map, so their order comes from the raw document.
	s.kind = schemaObject
	s.object = &object{name: name, index: map[string]int{}, plans: &planCache{}}
	for _, property := range order {
		ref, ok := from.Properties[property]
		if !ok {
			return fmt.Errorf("property %s is only in the raw document", property)
		}
		p, err := c.property(name, property, ref)
		if err != nil {
			return fmt.Errorf("property %s: %w", property, err)
		}
		p.required = slices.Contains(from.Required, property)
		s.object.index[property] = len(s.object.properties)
		s.object.properties = append(s.object.properties, p)
	}
	if len(order) != len(from.Properties) {
		return errors.New("the raw document has fewer properties")
	}
	return nil
}

func (c *compiler) property(object, name string, ref *openapi3.SchemaRef) (property, error) {
	s, err := c.schema(ref)
	if err != nil {
		return property{}, err
	}
	p := property{name: name, schema: s}
	if p.preset, err = c.preset(ref); err != nil {
		return property{}, err
	}
	rule := object + "." + name
	if p.rule = c.options.Fields[rule]; p.rule != nil {
		c.used["field "+rule] = true
	}
	if bounds, ok := c.options.Lists[rule]; ok && s.kind == schemaArray {
		p.bounds = &bounds
		c.used["list "+rule] = true
	}
	return p, nil
}

// preset returns the document's default as a tape of its own, nil if there is none.
func (c *compiler) preset(ref *openapi3.SchemaRef) (*tape, error) {
	if ref.Ref != "" || ref.Value.Default == nil {
		return nil, nil
	}
	raw, err := json.Marshal(ref.Value.Default)
	if err != nil {
		return nil, fmt.Errorf("default: %w", err)
	}
	s, err := c.schema(ref)
	if err != nil {
		return nil, err
	}
	t, syntax := scan(string(raw))
	if syntax != nil {
		return nil, fmt.Errorf("default: %s", syntax.reason)
	}
	w := newWalk(context.Background(), t) //nolint:forbidigo // a default is no request's
	if !w.value(s, 0) {
		return nil, fmt.Errorf("default: %w", w.errors)
	}
	return t, nil
}

// order lists the properties of a component in the order of the raw document.
func (c *compiler) order(name string) ([]string, error) {
	if name == "" {
		return nil, errors.New("an object is supported as a named component only")
	}
	i := uint32(0)
	for _, key := range []string{"components", "schemas", name, "properties"} {
		member, ok := uint32(0), c.document.nodes[i].kind == kindObject
		if ok {
			member, ok = c.document.member(i, key)
		}
		if !ok {
			return nil, fmt.Errorf("the raw document has no %s", key)
		}
		i = member
	}
	var order []string
	for key, end := i+1, c.document.nodes[i].link; key < end; key = c.document.next(key + 1) {
		order = append(order, c.document.string(key))
	}
	return order, nil
}
