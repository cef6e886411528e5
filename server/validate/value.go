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

// Text is a text, e-mail address (normalised), telephone number (E.164), id or
// exact decimal; "" when absent or null.
func (v Value) Text() string {
	if v.IsNull() {
		return ""
	}
	return v.tape.string(v.node)
}

// Time is a date-time in UTC; the zero time when absent or null.
func (v Value) Time() time.Time {
	if v.IsNull() || v.schema.kind != schemaDateTime {
		return time.Time{}
	}
	return v.tape.time(v.node)
}

// Int is an integer; one beyond 64 bits reads as the nearest that fits, an absent
// one or null as 0.
func (v Value) Int() int64 {
	if v.IsNull() || v.schema.kind != schemaInteger {
		return 0
	}
	n, _ := parseInt(v.tape.string(v.node))
	return n
}

// Bool is a boolean; false when absent or null.
func (v Value) Bool() bool {
	return !v.IsNull() && v.schema.kind == schemaBoolean && isTrue(v.tape, v.node)
}

// Len counts the items of an array; 0 when absent or null.
func (v Value) Len() int {
	if v.IsNull() || v.schema.kind != schemaArray {
		return 0
	}
	return v.tape.length(v.node)
}

// Field is a property of an object, by its name in the document.
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
