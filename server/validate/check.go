package validate

import (
	"context"
	"encoding/json"
	"runtime"
)

// walk judges the parameters or the body of one request. It collects the errors, and keeps the
// place in the request of the value that it judges.
type walk struct {
	ctx    context.Context
	tape   *tape
	errors Errors
	place  []step
	space  [8]step // the first array of place, so that usual bodies need no allocation

	longLists bool // judge the items of a list even if it is too long
	unjudged  bool // the items of some list were not judged
	echoed    int  // bytes of all inputs in errors
}

// step is one part of a place: a name, or a position when the name is "".
type step struct {
	name  string
	index int
}

func newWalk(ctx context.Context, t *tape) *walk {
	w := &walk{ctx: ctx, tape: t}
	w.place = w.space[:0]
	return w
}

func (w *walk) full() bool { return len(w.errors) >= maxErrors }

// loc returns the place of the walk.
func (w *walk) loc() Loc {
	loc := make(Loc, len(w.place))
	for i, s := range w.place {
		if s.name == "" {
			loc[i] = s.index
		} else {
			loc[i] = s.name
		}
	}
	return loc
}

// refuse adds an error about the node i at the place of the walk.
func (w *walk) refuse(i uint32, err *ErrorDetail) {
	err.Loc, err.Input = w.loc(), w.input(i)
	w.add(*err)
}

// input returns the node i as JSON for an error, or nil if the errors already echo more than
// maxInputs bytes. maxErrors alone would not bound the answer, because each input can be large.
func (w *walk) input(i uint32) json.RawMessage {
	if w.echoed > maxInputs {
		return nil
	}
	input := w.tape.input(i)
	w.echoed += len(input)
	return input
}

// missing adds the error for a required value that was not sent. within is the JSON of the
// object that lacks it.
func (w *walk) missing(within []byte) {
	w.add(ErrorDetail{Type: "missing", Loc: w.loc(), Msg: "Field required", Input: within})
}

func (w *walk) add(err ErrorDetail) {
	if !w.full() {
		w.errors = append(w.errors, err)
	}
}

// property judges the node i as a property or parameter, first by its schema and then by its
// rule.
func (w *walk) property(p *property, i uint32) {
	if p.bounds != nil && w.tape.nodes[i].kind == kindArray && !w.bounded(p.bounds, i) {
		return
	}
	if !w.value(p.schema, i) || p.rule == nil || w.tape.nodes[i].kind == kindNull {
		return
	}
	if err := p.rule(w.ctx, Value{w.tape, i, p.schema}); err != nil {
		w.refuse(i, err)
	}
}

// bounded judges the length of the list i by a rule, and reports whether the walk should
// judge its items too. An error about too many items is provisional, because the maximum is a
// setting and may have been higher when the request was first sent.
func (w *walk) bounded(bounds *ListBounds, i uint32) bool {
	if w.length(i, bounds.Least, bounds.Most) {
		return true
	}
	if w.tape.length(i) > bounds.Most && !w.full() {
		w.errors[len(w.errors)-1].Provisional = true
		if w.longLists {
			return true
		}
	}
	w.unjudged = true
	return false
}

// value judges the node i and reports whether it has no error.
func (w *walk) value(s *schema, i uint32) bool {
	if s.nullable && w.tape.nodes[i].kind == kindNull {
		return true
	}
	// Objects and arrays add the errors of their content themselves, at its places.
	var err *ErrorDetail
	switch s.kind {
	case schemaObject:
		return w.object(s.object, i)
	case schemaArray:
		return w.array(s, i)
	case schemaText:
		err = s.checkText(w.tape, i)
	case schemaBoolean:
		err = s.checkBoolean(w.tape, i)
	case schemaInteger:
		err = s.checkInteger(w.tape, i)
	case schemaDecimal:
		err = s.checkDecimal(w.tape, i)
	case schemaObjectID:
		err = s.checkObjectID(w.tape, i)
	case schemaEmail:
		err = s.checkEmail(w.tape, i)
	case schemaPhone:
		err = s.checkPhone(w.tape, i)
	case schemaDateTime:
		err = s.checkDateTime(w.tape, i)
	case schemaEnum:
		err = s.checkEnum(w.tape, i)
	}
	if err != nil {
		w.refuse(i, err)
	}
	return err == nil
}

// object judges the properties of an object in the document's order.
func (w *walk) object(o *object, i uint32) bool {
	if w.tape.nodes[i].kind != kindObject {
		w.refuse(i, fault("model_attributes_type", "Input should be a valid dictionary or object to extract fields from"))
		return false
	}
	// One pass finds the values, because a key may come anywhere in the request. The second
	// pass judges them in the document's order, as Pydantic does.
	before := len(w.errors)
	var space [32]uint32
	found := space[:] // the node of each property's value, 0 for none
	if len(o.properties) > len(found) {
		found = make([]uint32, len(o.properties))
	}
	for key, end := i+1, w.tape.nodes[i].link; key < end; key = w.tape.next(key + 1) {
		if n, known := o.index[w.tape.string(key)]; known {
			found[n] = key + 1
		}
	}
	w.place = append(w.place, step{})
	for n := range o.properties {
		p := &o.properties[n]
		w.place[len(w.place)-1].name = p.name
		switch {
		case found[n] > 0:
			w.property(p, found[n])
		case p.required:
			w.missing(w.input(i))
		}
	}
	w.place = w.place[:len(w.place)-1]
	return len(w.errors) == before
}

// length judges the number of items of the array i. most is -1 for no bound.
func (w *walk) length(i uint32, least, most int) bool {
	switch length := w.tape.length(i); {
	case most >= 0 && length > most:
		w.refuse(i, listTooLong(most, length))
		return false
	case length < least:
		w.refuse(i, listTooShort(least, length))
		return false
	}
	return true
}

// pauseEvery is the number of list items after which the walk yields the processor and
// looks whether the request's context has ended. Some items take a millisecond, and Go
// would otherwise let the walk keep the processor for ten.
const pauseEvery = 20

// array judges the items of an array. It stops when the request's context ends.
func (w *walk) array(s *schema, i uint32) bool {
	if w.tape.nodes[i].kind != kindArray {
		w.refuse(i, fault("list_type", "Input should be a valid list"))
		return false
	}
	// Pydantic refuses too many items before it judges them, and too few items afterwards.
	if s.maxLength >= 0 && !w.length(i, 0, s.maxLength) {
		return false
	}
	before := len(w.errors)
	w.place = append(w.place, step{})
	for item, end := i+1, w.tape.nodes[i].link; item < end && !w.full(); item = w.tape.next(item) {
		if w.place[len(w.place)-1].index%pauseEvery == pauseEvery-1 {
			runtime.Gosched()
			if w.ctx.Err() != nil {
				break
			}
		}
		w.value(s.items, item)
		w.place[len(w.place)-1].index++
	}
	w.place = w.place[:len(w.place)-1]
	return len(w.errors) == before && w.length(i, s.minLength, -1)
}
