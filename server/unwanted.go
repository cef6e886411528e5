package server

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
)

// This file answers requests whose large body nobody wants.

// isLarge reports whether a request has, or may have, a body that is answered before it has
// arrived if the caller may not send it.
func isLarge(r *http.Request) bool { return r.ContentLength < 0 || r.ContentLength > bodyLimit }

// answerFirst lets the answer to a request go out before its large body has arrived.
// Otherwise net/http would wait for the body first.
func answerFirst(c echo.Context) {
	c.Response().Header().Set("Connection", "close")
	controller := http.NewResponseController(c.Response())
	_ = controller.EnableFullDuplex() // HTTP/2 does so anyway
	_ = controller.SetReadDeadline(time.Now().Add(bodyGrace))
}

type unwantedKey struct{}

// discardUnwanted reads the rest of a large body after its refusal, because most clients
// read no answer before they have sent the whole body. That happens outside of all
// middlewares: thousands of such bodies may be on their way, and each holds the stack of
// the functions around it.
func (s *Server) discardUnwanted(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLarge(r) {
			next.ServeHTTP(w, r)
			return
		}
		unwanted := false
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), unwantedKey{}, &unwanted)))
		if unwanted {
			s.discardBody(w, r)
		}
	})
}

// doNotWant makes discardUnwanted read the rest of a large body.
func doNotWant(r *http.Request) {
	if unwanted, ok := r.Context().Value(unwantedKey{}).(*bool); ok {
		*unwanted = true
	}
}

// discardBody uses a buffer of its own, because that of io.Discard is twice as large, and a
// pool keeps it.
func (s *Server) discardBody(w http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(w).Flush()
	rest := io.LimitReader(newArriving(w, r), s.BulkBodyLimit)
	_, _ = io.CopyBuffer(struct{ io.Writer }{io.Discard}, rest, make([]byte, 4<<10))
}
