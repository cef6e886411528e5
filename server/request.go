package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
)

var errEncoded = &refusal{status: http.StatusUnsupportedMediaType, detail: "Request body must be sent without Content-Encoding"}

// validate reads the body, judges the whole request by the document, and keeps the
// validated request for the binder.
func (s *Server) validate(operations map[route]operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[routeOf(c)]
			if !ok {
				return next(c)
			}
			r := c.Request()
			var body []byte
			if op.hasBody {
				if isEncoded(r.Header) {
					return errEncoded
				}
				read, release, err := s.readBody(c, op)
				defer release() // also after a panic
				if err != nil {
					return err
				}
				body = read
			}
			request, invalid, err := s.judge(c, op, body)
			if err != nil {
				return err
			}
			if len(invalid) > 0 && (request == nil || !hasKey(request)) {
				return invalid
			}
			if request == nil { // the client hung up, or the time is over
				return r.Context().Err()
			}
			who := caller(r.Context())
			who.validated, who.faults = request, invalid // replayOnly decides about the faults
			// The generated code reads forms from the request, not from the binder.
			r.Form, r.PostForm = request.Form(), request.Form()
			keepFirstValues(r.Header)
			return next(c)
		}
	}
}

// judge validates a request. If all of its faults are provisional, the request may have
// been accepted before. Only a request that was accepted is worth judging in full.
func (s *Server) judge(c echo.Context, op operation, body []byte) (*validate.Request, validate.Errors, error) {
	r := c.Request()
	inPath := func(name string) string { return pathValue(c, name) }
	request, invalid := op.Validate(r, inPath, body)
	if request != nil || len(invalid) == 0 || !invalid.Provisional() {
		return request, invalid, nil
	}
	accepted, err := s.keyHasAnswer(r)
	if err != nil || !accepted {
		return nil, invalid, err
	}
	request, invalid = op.ValidateRetry(r, inPath, body)
	return request, invalid, nil
}

// keepFirstValues drops all values of a header but the first, which is the one that FastAPI
// takes. The generated code would refuse a header that comes twice.
func keepFirstValues(header http.Header) {
	for name, values := range header {
		header[name] = values[:1]
	}
}

// isEncoded reports whether a body has a Content-Encoding such as gzip. The encoding
// "identity" means none.
func isEncoded(header http.Header) bool {
	for encoding := range strings.SplitSeq(strings.Join(header.Values(echo.HeaderContentEncoding), ","), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && !strings.EqualFold(encoding, "identity") {
			return true
		}
	}
	return false
}

// pathValue returns a path parameter, decoded. Echo leaves it encoded if the path has
// escapes that matter to routing.
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

// pathValues returns all path parameters in the route's order, decoded.
func pathValues(c echo.Context) []string {
	values := make([]string, 0, len(c.ParamNames()))
	for _, name := range c.ParamNames() {
		values = append(values, pathValue(c, name))
	}
	return values
}

// binder gives handlers the validated request, so that handlers and validator cannot
// disagree.
type binder struct{}

// Bind fills target, a request body, from the validated request.
func (binder) Bind(target any, c echo.Context) error {
	request := caller(c.Request().Context()).validated
	if request == nil {
		return errors.New("request was not validated: " + c.Path())
	}
	err := request.Decode(target)
	*request = validate.Request{} // frees a large body before the handler runs
	return err
}
