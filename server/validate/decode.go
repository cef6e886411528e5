package validate

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
)

// Decode fills dst from the validated body. dst is a pointer to the struct that was
// generated for the body's schema; json tags name its fields. Texts are normalised. A
// property that was not sent gets the document's default, or stays as it is if there is
// none. null leaves the zero value.
//
// A field may be a string, a boolean, an integer, a time.Time, a struct, an
// encoding.TextUnmarshaler (which gets a text or an exact decimal), a slice of any of
// these, or a pointer to one. Decode fails if dst does not fit the document, or if an
// integer does not fit its field.
func (r *Request) Decode(dst any) error {
	v := reflect.ValueOf(dst)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("decode the body into %T: not a pointer to a struct", dst)
	}
	if r.body.Absent() {
		if r.operation.optional {
			return nil // dst keeps its zero value
		}
		return errors.New("decode the body: the operation has none")
	}
	o := r.body.schema.object
	plan, err := o.plan(v.Elem().Type())
	if err != nil {
		return fmt.Errorf("decode the body: %w", err)
	}
	if err := plan.decode(r.body.tape, r.body.node, v.Elem()); err != nil {
		return fmt.Errorf("decode the body: %w", err)
	}
	return nil
}

// planCache keeps the plans of an object, one for each struct type.
type planCache struct{ plans sync.Map } // reflect.Type → *plan

// plan says how an object of the document becomes a struct.
type plan struct {
	object *object
	fields []planField // one for each property, in its order
}

// planField says how a property becomes a field. set is nil if the struct has no such field.
type planField struct {
	index []int
	set   setter
}

// setter stores a validated value that is not null.
type setter func(t *tape, i uint32, field reflect.Value) error

func (o *object) plan(typ reflect.Type) (*plan, error) {
	if cached, ok := o.plans.plans.Load(typ); ok {
		return cached.(*plan), nil
	}
	p := &plan{object: o, fields: make([]planField, len(o.properties))}
	for _, field := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		n, known := o.index[name]
		if !known || !field.IsExported() {
			continue
		}
		set, err := newSetter(o.properties[n].schema, field.Type)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", typ, field.Name, err)
		}
		p.fields[n] = planField{field.Index, set}
	}
	// Two requests may make the same plan at once, and both use the first one.
	cached, _ := o.plans.plans.LoadOrStore(typ, p)
	return cached.(*plan), nil
}

func (p *plan) decode(t *tape, i uint32, dst reflect.Value) error {
	// An array of fixed size serves usual objects, so that the list needs no allocation.
	var space [64]bool
	sent := space[:]
	if len(p.fields) > len(sent) {
		sent = make([]bool, len(p.fields))
	}
	for key, end := i+1, t.nodes[i].link; key < end; key = t.next(key + 1) {
		n, known := p.object.index[t.string(key)]
		if !known {
			continue
		}
		sent[n] = true
		if err := p.set(n, t, key+1, dst); err != nil {
			return err
		}
	}
	for n := range p.fields {
		if preset := p.object.properties[n].preset; preset != nil && !sent[n] {
			if err := p.set(n, preset, 0, dst); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *plan) set(n int, t *tape, i uint32, dst reflect.Value) error {
	f := &p.fields[n]
	if f.set == nil || t.nodes[i].kind == kindNull {
		return nil
	}
	if err := f.set(t, i, dst.FieldByIndex(f.index)); err != nil {
		return fmt.Errorf("%s: %w", p.object.properties[n].name, err)
	}
	return nil
}

var (
	timeType            = reflect.TypeFor[time.Time]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// newSetter returns the setter that stores a value of a schema in a field of a type. It fails
// if the two do not fit. So a mistake in a struct shows at the first request, and not only when
// a rare value arrives.
func newSetter(s *schema, typ reflect.Type) (setter, error) {
	if typ.Kind() == reflect.Pointer {
		set, err := newSetter(s, typ.Elem())
		if err != nil {
			return nil, err
		}
		return func(t *tape, i uint32, field reflect.Value) error {
			target := reflect.New(typ.Elem())
			if err := set(t, i, target.Elem()); err != nil {
				return err
			}
			field.Set(target)
			return nil
		}, nil
	}
	// The schema decides, and the type must fit it. A text schema falls through to default.
	switch s.kind {
	case schemaObject:
		return newObjectSetter(s, typ)
	case schemaArray:
		return newArraySetter(s, typ)
	case schemaDateTime:
		if typ == timeType {
			return func(t *tape, i uint32, field reflect.Value) error {
				*field.Addr().Interface().(*time.Time) = t.time(i)
				return nil
			}, nil
		}
	case schemaBoolean:
		if typ.Kind() == reflect.Bool {
			return func(t *tape, i uint32, field reflect.Value) error {
				field.SetBool(isTrue(t, i))
				return nil
			}, nil
		}
	case schemaInteger:
		if reflect.Int <= typ.Kind() && typ.Kind() <= reflect.Int64 {
			return setInt, nil
		}
	default:
		if reflect.PointerTo(typ).Implements(textUnmarshalerType) {
			return setByText, nil
		}
		if typ.Kind() == reflect.String {
			return func(t *tape, i uint32, field reflect.Value) error {
				field.SetString(t.string(i))
				return nil
			}, nil
		}
	}
	return nil, fmt.Errorf("no way from the document's schema to a %s", typ)
}

func setInt(t *tape, i uint32, field reflect.Value) error {
	n, fits := parseInt(t.string(i))
	if !fits || field.OverflowInt(n) {
		return errors.New("the integer is too large")
	}
	field.SetInt(n)
	return nil
}

func setByText(t *tape, i uint32, field reflect.Value) error {
	return field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(t.string(i)))
}

func newObjectSetter(s *schema, typ reflect.Type) (setter, error) {
	if typ.Kind() != reflect.Struct {
		return nil, fmt.Errorf("no way from an object to a %s", typ)
	}
	return func(t *tape, i uint32, field reflect.Value) error {
		// Make the plan at the first value, because a schema that refers to itself would make
		// plans without end.
		plan, err := s.object.plan(typ)
		if err != nil {
			return err
		}
		return plan.decode(t, i, field)
	}, nil
}

func newArraySetter(s *schema, typ reflect.Type) (setter, error) {
	if typ.Kind() != reflect.Slice {
		return nil, fmt.Errorf("no way from an array to a %s", typ)
	}
	set, err := newSetter(s.items, typ.Elem())
	if err != nil {
		return nil, err
	}
	return func(t *tape, i uint32, field reflect.Value) error {
		items := reflect.MakeSlice(typ, t.length(i), t.length(i))
		n := 0
		for item, end := i+1, t.nodes[i].link; item < end; item = t.next(item) {
			// A null item stays the zero value, as Decode promises.
			if t.nodes[item].kind != kindNull {
				if err := set(t, item, items.Index(n)); err != nil {
					return fmt.Errorf("item %d: %w", n, err)
				}
			}
			n++
		}
		field.Set(items)
		return nil
	}, nil
}
