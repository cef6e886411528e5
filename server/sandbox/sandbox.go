// Package sandbox lets a client choose the answers, the time and the faults of the server
// behind it, so that a team can test how its code meets every case. Only a server that was
// started with --sandbox has this handler in front of it.
//
// A request to an operation of the document goes through controls.go (what the client asks
// for in headers), journal.go (what was asked, for assertions), and the files named after
// each control. The sandbox's own operations are below /sandbox.
package sandbox

import (
	"errors"
	"log/slog"
	"net/http"

	"giftcards/store"
	"giftcards/store/keyring"
)

// Options are what a Sandbox needs. All of them are required.
type Options struct {
	// Next is the server. It answers everything that is not below /sandbox.
	Next   http.Handler
	Store  *store.Store
	Keys   *keyring.Ring
	Logger *slog.Logger
}

// Sandbox is a server whose answers a client may choose.
type Sandbox struct {
	Options
	own *http.ServeMux // the sandbox's own operations
}

// New makes the handler of a sandbox.
func New(o Options) (*Sandbox, error) {
	if o.Next == nil || o.Store == nil || o.Keys == nil || o.Logger == nil {
		return nil, errors.New("a sandbox needs a server, a store, keys and a logger")
	}
	s := &Sandbox{Options: o, own: http.NewServeMux()}
	return s, nil
}

// ServeHTTP answers a request.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if handler, pattern := s.own.Handler(r); pattern != "" {
		handler.ServeHTTP(w, r)
		return
	}
	s.Next.ServeHTTP(w, r)
}
