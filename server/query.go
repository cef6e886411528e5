package server

import (
	"context"

	"giftcards/server/validate"
	"giftcards/store/id"
)

// query returns the validated query of a request without a body. It does not work for a
// request with a body, because the binder has freed the validated request.
func query(ctx context.Context) queryValues {
	return queryValues{caller(ctx).validated}
}

// queryValues are the parameters of a query, by their names in the document.
type queryValues struct{ request *validate.Request }

func (q queryValues) value(name string) validate.Value { return q.request.Param("query", name) }

// text returns a text or a word of an enum, "" if there is none.
func (q queryValues) text(name string) string { return q.value(name).Text() }

// id returns an id, the zero ID if there is none. The validator has checked its form.
func (q queryValues) id(name string) (id.ID, error) {
	if q.value(name).IsNull() {
		return id.ID{}, nil
	}
	return id.Parse(q.text(name))
}
