package server_test

import (
	"net/http"
	"strings"
)

// foreignThingsInOwnProgram names things of another merchant in the caller's own program. The answer
// must be the one about things that do not exist.
func (w *world) foreignThingsInOwnProgram(o operation, stranger string) {
	w.t.Helper()
	for _, other := range []struct {
		what, detail string
		named        func(path, body string) bool // whether the request names such a thing
		set          func(x *things, to things)
	}{
		{"task", "Task not found", inPath("{taskId}"), func(x *things, to things) { x.task = to.task }},
		{"card", "Gift card not found", inPath("{cardId}"), func(x *things, to things) { x.card = to.card }},
		{"entry", "Transaction not found", inPath("{transactionId}"), func(x *things, to things) { x.entry = to.entry }},
		{"number", "Gift card not found", inBody(w.foreign.number), func(x *things, to things) { x.number = to.number }},
		{"second number", "Gift card not found", inBody(w.foreign.second), func(x *things, to things) { x.second = to.second }},
	} {
		var body string
		if of := attempts[o.name].body; of != nil {
			body = of(w.foreign)
		}
		if !other.named(o.path, body) {
			continue
		}
		theirs := w.ready(o, w.stranger)
		nobodys := theirs
		other.set(&theirs, w.owned)
		other.set(&nobodys, w.void)
		w.refused(o.name+", another's "+other.what+" in one's own program", http.StatusNotFound, other.detail,
			w.try(o, theirs, stranger, nil), w.try(o, nobodys, stranger, nil))
	}
}

func inPath(parameter string) func(path, body string) bool {
	return func(path, _ string) bool { return strings.Contains(path, parameter) }
}

func inBody(value string) func(path, body string) bool {
	return func(_, body string) bool { return strings.Contains(body, value) }
}
