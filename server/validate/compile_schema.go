package validate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// compile compiles the schema of a component or, without a name, a schema inside another one.
func (c *compiler) compile(name string, from *openapi3.Schema) (*schema, error) {
	if err := unsupported(from); err != nil {
		return nil, err
	}
	// Pydantic writes a Decimal and an optional value as anyOf, so these come before the
	// plain types.
	s := &schema{minLength: 0, maxLength: -1}
	switch {
	case isDecimal(from.AnyOf):
		number := from.AnyOf[0].Value
		s.kind = schemaDecimal
		s.decimals = decimalBounds{
			ge: newDecimalBound(number.Min), gt: newDecimalBound(number.ExclusiveMin.Value),
			le: newDecimalBound(number.Max), lt: newDecimalBound(number.ExclusiveMax.Value),
		}
		s.nullable = len(from.AnyOf) == 3
		return s, nil
	case len(from.AnyOf) == 2 && isNull(from.AnyOf[1]):
		branch, err := c.schema(from.AnyOf[0])
		if err != nil {
			return nil, err
		}
		*s = *branch
		s.nullable = true
		return s, nil
	case len(from.AnyOf) > 0:
		return nil, errors.New("anyOf is supported for a Decimal and for null only")
	case name == "PydanticObjectId" && from.Pattern == objectIDPattern.String():
		s.kind = schemaObjectID
		return s, nil
	case len(from.Enum) > 0:
		return s, s.compileEnum(name, from)
	case from.Type.Is(openapi3.TypeString):
		return s, s.compileText(from)
	case from.Type.Is(openapi3.TypeBoolean):
		s.kind = schemaBoolean
		return s, nil
	case from.Type.Is(openapi3.TypeInteger):
		return s, s.compileInteger(from)
	case from.Type.Is(openapi3.TypeArray):
		return s, c.compileArray(s, from)
	case from.Type.Is(openapi3.TypeObject):
		return s, c.compileObject(s, name, from)
	}
	return nil, fmt.Errorf("type %v is not supported", from.Type.Slice())
}

// unsupported returns an error if a schema has a keyword that this package does not judge. The
// error names the keyword.
func unsupported(s *openapi3.Schema) error {
	keywords := map[string]bool{
		"oneOf": len(s.OneOf) > 0, "allOf": len(s.AllOf) > 0, "not": s.Not != nil, "const": s.Const != nil,
		"multipleOf": s.MultipleOf != nil, "uniqueItems": s.UniqueItems, "prefixItems": len(s.PrefixItems) > 0,
		"contains": s.Contains != nil, "minProperties": s.MinProps > 0, "maxProperties": s.MaxProps != nil,
		"additionalProperties": s.AdditionalProperties.Schema != nil || s.AdditionalProperties.Has != nil,
		"patternProperties":    len(s.PatternProperties) > 0, "propertyNames": s.PropertyNames != nil,
		"dependentSchemas": len(s.DependentSchemas) > 0, "dependentRequired": len(s.DependentRequired) > 0,
		"if": s.If != nil, "a boolean exclusiveMinimum": s.ExclusiveMin.Bool != nil,
		"a boolean exclusiveMaximum": s.ExclusiveMax.Bool != nil, "nullable": s.Nullable, "a boolean schema": s.Always != nil,
		"unevaluatedProperties": s.UnevaluatedProperties.Has != nil || s.UnevaluatedProperties.Schema != nil,
	}
	// In order, so that the same schema gets the same error each time.
	for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
		if keywords[keyword] {
			return fmt.Errorf("%s is not supported", keyword)
		}
	}
	return nil
}

func isNull(ref *openapi3.SchemaRef) bool { return ref.Value.Type.Is(openapi3.TypeNull) }

// isDecimal reports whether anyOf is the form that Pydantic writes for a Decimal: a number or
// a text of digits, and perhaps null.
func isDecimal(branches openapi3.SchemaRefs) bool {
	return (len(branches) == 2 || len(branches) == 3 && isNull(branches[2])) &&
		branches[0].Value.Type.Is(openapi3.TypeNumber) &&
		branches[1].Value.Type.Is(openapi3.TypeString) && branches[1].Value.Pattern == decimalPattern
}

func (s *schema) compileEnum(name string, from *openapi3.Schema) error {
	s.kind, s.enumType = schemaEnum, "enum"
	if name == "" { // a literal has no name of its own
		s.enumType = "literal_error"
	}
	for _, value := range from.Enum {
		text, ok := value.(string)
		if !ok {
			return errors.New("an enum is supported for texts only")
		}
		s.enum = append(s.enum, text)
	}
	return nil
}

func (s *schema) compileText(from *openapi3.Schema) error {
	switch from.Format {
	// The format password only asks a page to hide what is typed.
	case "", "password":
		s.kind = schemaText
	case "email":
		s.kind = schemaEmail
	case "phone":
		s.kind = schemaPhone
	case "date-time":
		s.kind = schemaDateTime
	default:
		return fmt.Errorf("format %s is not supported", from.Format)
	}
	// Only checkText reads these bounds. Elsewhere they would have no effect.
	bounded := from.MinLength > 0 || from.MaxLength != nil || from.Pattern != ""
	if bounded && s.kind != schemaText {
		return fmt.Errorf("a length or pattern beside format %s is not supported", from.Format)
	}
	s.minLength = int(from.MinLength)
	if from.MaxLength != nil {
		s.maxLength = int(*from.MaxLength)
	}
	if from.Pattern == "" {
		return nil
	}
	pattern, err := regexp.Compile(from.Pattern)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	s.pattern = pattern
	return nil
}

func (s *schema) compileInteger(from *openapi3.Schema) error {
	s.kind = schemaInteger
	for target, bound := range map[**int64]*float64{
		&s.integers.ge: from.Min, &s.integers.gt: from.ExclusiveMin.Value,
		&s.integers.le: from.Max, &s.integers.lt: from.ExclusiveMax.Value,
	} {
		if bound == nil {
			continue
		}
		n := int64(*bound)
		if float64(n) != *bound || !fitsInt64(*bound) {
			return fmt.Errorf("integer bound %v is not supported", *bound)
		}
		*target = &n
	}
	return nil
}

func (c *compiler) compileArray(s *schema, from *openapi3.Schema) error {
	items, err := c.schema(from.Items)
	if err != nil {
		return fmt.Errorf("items: %w", err)
	}
	s.kind, s.items, s.minLength = schemaArray, items, int(from.MinItems)
	if from.MaxItems != nil {
		s.maxLength = int(*from.MaxItems)
	}
	return nil
}
