package server

import (
	"context"
	"errors"
	"net/url"

	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
)

type requestKey struct{}

// validate reads the body, judges the whole request by the document, and keeps
// what it accepted for the binder.
func (s *Server) validate(operations map[string]operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[c.Request().Method+" "+c.Path()]
			if !ok {
				return next(c)
			}
			r := c.Request()
			var body []byte
			if op.hasBody {
				read, release, err := s.readBody(c, op)
				defer release() // also after a panic
				if err != nil {
					return err
				}
				body = read
			}
			request, invalid := op.Validate(r, func(name string) string { return pathValue(c, name) }, body)
			if len(invalid) > 0 {
				return invalid
			}
			if request == nil { // the client has gone, or it took too long
				return r.Context().Err()
			}
			r = r.WithContext(context.WithValue(r.Context(), requestKey{}, request))
			// Generated code asks for forms by way of the request.
			r.Form, r.PostForm = request.Form(), request.Form()
			for name, values := range r.Header { // and refuses a header that comes twice
				r.Header[name] = values[:1]
			}
			c.SetRequest(r)
			return next(c)
		}
	}
}

// pathValue is a path parameter, decoded. Echo leaves it as it was sent if the
// path has escapes that matter to routing.
func pathValue(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// binder gives handlers what was validated, so that the two cannot disagree.
type binder struct{}

// Bind fills target, a request body, from the validated request.
func (binder) Bind(target any, c echo.Context) error {
	request, ok := c.Request().Context().Value(requestKey{}).(*validate.Request)
	if !ok {
		return errors.New("request was not validated: " + c.Path())
	}
	err := request.Decode(target)
	*request = validate.Request{} // a large body is not needed any more
	return err
}
