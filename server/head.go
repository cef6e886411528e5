package server

import (
	"net/http"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
)

// headToo is a router that also answers HEAD, as GET without the body, for operations that
// need no token. Monitors, load balancers and link previews send HEAD. The other operations
// have only the methods of the document.
type headToo struct {
	*echo.Echo
	document *openapi3.T
}

// GET adds a route for GET, and one for HEAD.
func (r headToo) GET(path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route {
	item := r.document.Paths.Find(documentPath(path))
	if item == nil || isPublic(item.Get) {
		r.HEAD(path, h, m...)
	}
	return r.Echo.GET(path, h, m...)
}

// isPublic reports whether an operation needs no token.
func isPublic(o *openapi3.Operation) bool { return o.Security != nil && len(*o.Security) == 0 }

// declaredMethod returns the method under which the document has an operation: GET for
// HEAD.
func declaredMethod(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}
