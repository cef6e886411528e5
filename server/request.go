package server

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
)

type requestKey struct{}

var (
	errTooLarge       = &refusal{status: http.StatusRequestEntityTooLarge, detail: "Request body is too large"}
	errBodyIncomplete = &refusal{status: http.StatusRequestTimeout, detail: "Request body did not arrive"}
	errBusy           = &refusal{status: http.StatusServiceUnavailable, detail: "Too many large requests at once"}
)

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
				read, release, err := s.bodies.read(c.Response(), r, op.bodyLimit)
				defer release() // also after a panic
				if err != nil {
					return err
				}
				body = read
			}
			request, invalid := op.Validate(r, func(name string) string { return pathValue(c, name) }, body)
			ctx := context.WithValue(r.Context(), requestKey{}, request)
			if len(invalid) > 0 {
				if request == nil || !hasKey(request) {
					return invalid
				}
				ctx = context.WithValue(ctx, provisionalKey{}, invalid) // replayOnly decides
			}
			r = r.WithContext(ctx)
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

// largeBody is the size in bytes from which a body needs a slot. A body costs up
// to four times its size while it is served: some dozens of this size are no
// matter, two of the largest are.
const largeBody = 1 << 20

// largeBodyWait is how long a request waits for a slot, if Options don't say. It
// leaves most of BodyTimeout, which goes on, for the body.
const largeBodyWait = 20 * time.Second

// bodies bounds how many requests with large bodies are served at once.
type bodies struct {
	slots chan struct{}
	wait  time.Duration
}

// take takes a slot when one is free.
func (b *bodies) take(ctx context.Context) error {
	timeout := time.NewTimer(b.wait)
	defer timeout.Stop()
	select {
	case b.slots <- struct{}{}:
		return nil
	case <-timeout.C:
		return errBusy
	case <-ctx.Done():
		return ctx.Err()
	}
}

// read reads a body of at most limit bytes. A large one takes a slot before it is
// read, as it is in memory from then on: a slow sender, who has a token, keeps it
// for BodyTimeout at most. The caller calls release when it is done with the body,
// also after an error.
func (b *bodies) read(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, release func(), err error) {
	release = func() {}
	if r.ContentLength > limit {
		return nil, release, errTooLarge
	}
	rest := http.MaxBytesReader(w, r.Body, limit)
	take := func() error {
		if err := b.take(r.Context()); err != nil {
			_, _ = io.Copy(io.Discard, rest) // most clients read no answer before they have sent all
			return err
		}
		release = func() { <-b.slots }
		return nil
	}
	if r.ContentLength >= largeBody {
		if err := take(); err != nil {
			return nil, release, err
		}
	}
	if r.ContentLength > 0 { // one allocation of the right size
		body = make([]byte, r.ContentLength)
		_, err = io.ReadFull(rest, body)
		return body, release, refuseUnread(err)
	}
	if body, err = io.ReadAll(io.LimitReader(rest, largeBody)); err != nil || len(body) < largeBody {
		return body, release, refuseUnread(err)
	}
	if err := take(); err != nil {
		return nil, release, err
	}
	all := bytes.NewBuffer(body)
	_, err = all.ReadFrom(rest)
	return all.Bytes(), release, refuseUnread(err)
}

// refuseUnread says why a body could not be read.
func refuseUnread(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return errTooLarge
	}
	return errBodyIncomplete
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

// pathValues are all path parameters in the route's order, decoded.
func pathValues(c echo.Context) []string {
	values := make([]string, 0, len(c.ParamNames()))
	for _, name := range c.ParamNames() {
		values = append(values, pathValue(c, name))
	}
	return values
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
