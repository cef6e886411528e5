package validate

import (
	"regexp"
)

type schemaKind uint8

const (
	schemaText schemaKind = iota
	schemaBoolean
	schemaInteger
	schemaDecimal
	schemaObjectID
	schemaEmail
	schemaPhone
	schemaDateTime
	schemaEnum
	schemaArray
	schemaObject
)

// schema is a schema of the document, in the form that judges fastest. kind decides which of
// the other fields have a meaning.
type schema struct {
	kind     schemaKind
	nullable bool

	minLength, maxLength int // in code points or items; -1 is no bound
	pattern              *regexp.Regexp

	integers integerBounds
	decimals decimalBounds

	enum     []string
	enumType string // Pydantic's error type: enum or literal_error

	items  *schema
	object *object
}

// object is an object schema.
type object struct {
	name       string
	properties []property // in the document's order
	index      map[string]int
	plans      *planCache
}

// property is a property of an object, or a parameter.
type property struct {
	name     string
	schema   *schema
	required bool
	preset   *tape // the document's default
	bounds   *ListBounds
	rule     FieldRule
}

func (o *object) property(name string) *property {
	i, ok := o.index[name]
	if !ok {
		return nil
	}
	return &o.properties[i]
}

// defaultValue returns the document's default, or an absent Value if there is none.
func (p *property) defaultValue() Value {
	if p.preset == nil {
		return Value{}
	}
	return Value{tape: p.preset, schema: p.schema}
}
