package validate

import "time"

// Value is a read-only view of one validated value. The zero Value is absent.
type Value struct {
	tape   *tape
	node   uint32
	schema *schema
}

// Absent reports whether the request did not send the value and the document
// gives no default.
func (v Value) Absent() bool { return v.tape == nil }

// IsNull reports whether the value is absent or null.
func (v Value) IsNull() bool { return v.tape == nil || v.tape.nodes[v.node].kind == kindNull }

// Text returns a text, an e-mail address (normalised), a telephone number (E.164), an id or
// an exact decimal. It is "" if the value is absent or null.
func (v Value) Text() string {
	if v.IsNull() {
		return ""
	}
	return v.tape.string(v.node)
}

// Time returns a date-time in UTC, or the zero time if the value is absent or null.
func (v Value) Time() time.Time {
	if v.IsNull() || v.schema.kind != schemaDateTime {
		return time.Time{}
	}
	return v.tape.time(v.node)
}

// Int returns an integer. One beyond 64 bits becomes the nearest that fits. It is 0 if the
// value is absent or null.
func (v Value) Int() int64 {
	if v.IsNull() || v.schema.kind != schemaInteger {
		return 0
	}
	n, _ := parseInt(v.tape.string(v.node))
	return n
}

// Bool returns a boolean, or false if the value is absent or null.
func (v Value) Bool() bool {
	return !v.IsNull() && v.schema.kind == schemaBoolean && isTrue(v.tape, v.node)
}

// Len returns the number of items of an array, or 0 if the value is absent or null.
func (v Value) Len() int {
	if v.IsNull() || v.schema.kind != schemaArray {
		return 0
	}
	return v.tape.length(v.node)
}

// Field returns a property of an object, by its name in the document.
func (v Value) Field(name string) Value {
	if v.IsNull() || v.schema.kind != schemaObject {
		return Value{}
	}
	p := v.schema.object.property(name)
	if p == nil {
		return Value{}
	}
	if i, ok := v.tape.member(v.node, name); ok {
		return Value{v.tape, i, p.schema}
	}
	return p.defaultValue()
}
