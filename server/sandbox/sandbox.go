// Package sandbox lets a client choose the answers, the time and the faults of the server
// behind it, so that a team can test how its code meets every case. Only a server that was
// started with --sandbox has this handler in front of it.
//
// A request to an operation of the document goes through journal.go, which keeps it for the
// assertions of a test, through controls.go, which reads the headers for the sandbox, and through
// the files named after each control. The sandbox's own operations are below /sandbox.
package sandbox

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"giftcards/jobs"
	"giftcards/jobs/message/texts"
	"giftcards/server"
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/keyring"
)

// Options are the parts that a Sandbox needs. All of them are required.
type Options struct {
	// Next is the server. It answers everything that is not below /sandbox.
	Next   http.Handler
	Store  *store.Store
	Jobs   *jobs.Jobs
	Keys   *keyring.Ring
	Logger *slog.Logger
	// BaseURL is the address at which clients reach the server, as in server.Options.
	BaseURL string
	// Validator and Languages are the server's. Examples of refusals and of pages need them.
	Validator *validate.Validator
	Languages *texts.Languages
}

// Sandbox is a server whose answers a client may choose.
type Sandbox struct {
	Options
	operations *operations
	ownMux     *http.ServeMux // the sandbox's own operations
	validator  *validate.Validator
	english    texts.Style // of the examples of pages
	journal    *journal
	exhausted  exhausted
}

// ownPaths matches requests to the sandbox itself that none of its operations matches.
const ownPaths = "/sandbox/"

// New makes the handler of a sandbox.
func New(o Options) (*Sandbox, error) {
	if o.Next == nil || o.Store == nil || o.Jobs == nil || o.Keys == nil || o.Logger == nil || o.BaseURL == "" || o.Validator == nil || o.Languages == nil {
		return nil, errors.New("a sandbox needs a server, a store, jobs, keys, a logger, a base URL, a validator and languages")
	}
	operations, err := newOperations(o.BaseURL)
	if err != nil {
		return nil, err
	}
	s := &Sandbox{
		Options: o, operations: operations, ownMux: http.NewServeMux(), exhausted: newExhausted(),
		validator: o.Validator, english: o.Languages.Style(texts.Settings{Zone: time.UTC}),
	}
	// ServeMux prefers a more specific pattern, so this one gets what no operation matches.
	s.ownMux.HandleFunc(ownPaths, s.refuseUnknown)
	if err := s.registerDocument(); err != nil {
		return nil, err
	}
	s.registerWorlds()
	s.registerStates()
	s.registerTasks()
	s.registerJournal()
	s.registerPage()
	return s, nil
}

// ServeHTTP answers a request.
func (s *Sandbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	below := s.operations.below(r)
	if _, pattern := s.ownMux.Handler(below); pattern != "" {
		s.serveOwn(w, below, pattern)
		return
	}
	op := s.operations.find(r)
	s.record(w, r, op, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.control(w, r, op) }))
}

// routes writes a pattern of http.ServeMux as the server writes its routes.
var routes = strings.NewReplacer("{$}", "", "{", ":", "}", "")

// serveOwn answers a request to the sandbox itself. It goes through the server, so that the
// answer has the headers of all answers, and the log has a line.
func (s *Sandbox) serveOwn(w http.ResponseWriter, r *http.Request, pattern string) {
	var answer http.Handler = s.ownMux                                    // the handler of the pattern alone would get no path values
	if err := uncontrolled(r.Header); err != nil && pattern != ownPaths { // an unknown operation is a 404 in any case
		answer = s.refusal(err)
	}
	_, path, hasMethod := strings.Cut(pattern, " ")
	if !hasMethod {
		path = pattern
	}
	s.Next.ServeHTTP(w, r.WithContext(server.Beside(r.Context(), routes.Replace(path), answer)))
}

// refusal answers with a 400 and the sentence of an error.
func (s *Sandbox) refusal(err error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { s.refuse(w, http.StatusBadRequest, err.Error()) })
}

// control answers a request to the server, and follows the sandbox's headers in it.
func (s *Sandbox) control(w http.ResponseWriter, r *http.Request, op operation) {
	if !op.known() { // the server refuses an unknown operation itself
		s.Next.ServeHTTP(w, r)
		return
	}
	c, err := controlsOf(r, op)
	if err != nil {
		s.Next.ServeHTTP(w, r.WithContext(server.Instead(r.Context(), s.refusal(err))))
		return
	}
	next := s.Next
	switch {
	case c.answer == 0 && op.declares(http.StatusTooManyRequests) && s.refuses(r):
		next = s.chosen(op, http.StatusTooManyRequests)
	case c.answer == 0:
	case op.acts(c.answer):
		next = s.carryOut(c.answer)
	default:
		next = s.chosen(op, c.answer)
	}
	ctx := r.Context()
	if !c.now.IsZero() {
		ctx = store.At(ctx, c.now)
	}
	s.serveFault(w, r.WithContext(withTask(ctx, c.task)), c.fault, next)
}

// refuseUnknown answers a request below /sandbox that matches no operation: 405 if another method
// matches one, and 404 otherwise.
func (s *Sandbox) refuseUnknown(w http.ResponseWriter, r *http.Request) {
	var allowed []string
	for _, method := range []string{http.MethodDelete, http.MethodGet, http.MethodHead, http.MethodPatch, http.MethodPost, http.MethodPut} {
		asked := r.Clone(r.Context())
		asked.Method = method
		if _, pattern := s.ownMux.Handler(asked); pattern != ownPaths {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) > 0 {
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		s.refuse(w, http.StatusMethodNotAllowed, http.StatusText(http.StatusMethodNotAllowed))
		return
	}
	s.refuse(w, http.StatusNotFound, http.StatusText(http.StatusNotFound))
}
