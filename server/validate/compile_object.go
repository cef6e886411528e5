package validate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

func (c *compiler) compileObject(s *schema, name string, from *openapi3.Schema) error {
	order, err := c.order(name)
	if err != nil {
		return err
	}
	// kin-openapi keeps properties in a map, so their order comes from the raw document.
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
	// On anything but a list the bounds stay unused, and then Compile fails.
	if bounds, ok := c.options.Lists[rule]; ok && s.kind == schemaArray {
		p.bounds = &bounds
		c.used["list "+rule] = true
	}
	return p, nil
}

// preset returns the document's default as a tape of its own, or nil if there is none.
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
	w := newWalk(context.Background(), t) //nolint:forbidigo // a default belongs to no request
	if !w.value(s, 0) {
		return nil, fmt.Errorf("default: %w", w.errors)
	}
	return t, nil
}

// order lists the properties of a component in the order of the raw document.
func (c *compiler) order(name string) ([]string, error) {
	// The raw document is searched by names, and only a component has one.
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
