package server

import (
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
)

// operation is an operation of the document, and how the middlewares treat it.
type operation struct {
	*validate.Operation
	public          bool  // needs no token
	hasBody         bool  // the body of any other operation is not read
	startsFromCache bool  // see access.go
	bodyLimit       int64 // bytes
}

// route is a route of echo.
type route struct{ method, path string }

// routeOf returns the route of a request.
func routeOf(c echo.Context) route { return route{c.Request().Method, c.Path()} }

// operations returns the operation of each route. It fails if an
// operation of the document has no route, or a route has no operation and so would run
// unvalidated.
func (s *Server) operations(document *openapi3.T, routes []*echo.Route) (map[route]operation, error) {
	operations := map[route]operation{}
	// A HEAD route has the operation of its GET, so the routes outnumber the operations.
	for _, r := range routes {
		found, ok := s.validator.Operation(declaredMethod(r.Method), documentPath(r.Path))
		if !ok {
			return nil, fmt.Errorf("route %s %s is not in the document", r.Method, r.Path)
		}
		declared := document.Paths.Find(found.Path).GetOperation(found.Method)
		op := operation{
			Operation:       found,
			public:          isPublic(declared),
			hasBody:         declared.RequestBody != nil,
			startsFromCache: startsFromCache[found.Method+" "+found.Path],
			bodyLimit:       bodyLimit,
		}
		if strings.HasSuffix(r.Path, "/bulk") {
			op.bodyLimit = s.BulkBodyLimit
		}
		operations[route{r.Method, r.Path}] = op
	}
	routed := map[*validate.Operation]bool{}
	for _, op := range operations {
		routed[op.Operation] = true
	}
	if all := len(s.validator.Operations()); all != len(routed) {
		return nil, fmt.Errorf("the document has %d operations, %d have a route", all, len(routed))
	}
	return operations, checkStartsFromCache(operations)
}

// documentPath turns echo's :name into the document's {name}.
func documentPath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}
