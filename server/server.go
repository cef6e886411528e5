// Package server speaks the contract over HTTP: it authenticates, validates
// against the document, runs one handler an operation, and answers in the
// contract's shapes. It is the only package that knows HTTP. What a card is, and
// how it is stored, it asks package store.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"giftcards/gen/api"
	"giftcards/jobs"
	"giftcards/openapi"
	"giftcards/server/docspage"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/keyring"
)

// Options are the settings of a Server. Zero values are not defaults, but for
// those that say so.
type Options struct {
	Store  *store.Store
	Jobs   *jobs.Jobs
	Keys   *keyring.Ring
	Logger *slog.Logger
	// Meter publishes how requests went; nil turns it off.
	Meter metric.Meter
	// Tracer follows requests; nil turns it off. A caller's traceparent goes into the
	// log all the same.
	Tracer trace.Tracer

	// BulkThreshold is how many cards a bulk request may ask for and still be
	// answered with them; above, a task issues them.
	BulkThreshold int
	// BulkMaximum is how many cards a bulk request may ask for.
	BulkMaximum int
	// MerchantBacklog is how many cards the unfinished tasks of a merchant may have
	// together; a request for more is answered 429. 0 is no limit.
	MerchantBacklog int
	// BulkBodyLimit is the largest body of a bulk request, in bytes.
	BulkBodyLimit int64
	// BodyBudget is the memory for request bodies, in bytes, LeastBodyBudget if zero.
	// A request that finds none waits for BodyWait, 20 s if zero, and is then
	// answered 503.
	BodyBudget int64
	BodyWait   time.Duration
	// TokenLifetime and LinkLifetime are how long bearer tokens and CSV links last.
	TokenLifetime, LinkLifetime time.Duration
	// BaseURL begins the links in answers, such as https://cards.example.com. With
	// https, browsers are told to use nothing else. If it has a path, such as
	// https://example.com/cards, the server answers below this path as well as without it.
	BaseURL string
	// AddressRate and UserRate are how many requests a second an address and all
	// tokens of a user may send for long, twice as many at once; 0 is no limit.
	AddressRate, UserRate int
	// LinkDownloads is how many downloads over one CSV link a minute grants, all of
	// them at once if need be; 0 is no limit.
	LinkDownloads int
	// FailedLogins is how many wrong passwords an address may send in 5 minutes; a
	// user may get five times as many from all addresses together, and six times as
	// many right ones. 0 is no limit; what may wait to be checked is bounded all the same.
	FailedLogins int
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []*net.IPNet
	// CORSOrigins are the origins whose pages may call the server, such as
	// https://shop.example.com.
	CORSOrigins []string
	// Ready returns an error that says what is missing; nil if all is well.
	Ready func(context.Context) error
}

// Limits that are no settings: a request beyond them is not slow but stuck. In
// order: headers < body < request < writing < streaming.
const (
	HeaderTimeout    = 10 * time.Second // they come in one piece, but from who wants to hold a connection
	BodyTimeout      = 60 * time.Second // 64 MiB at 9 Mbit/s
	requestTimeout   = BodyTimeout + 60*time.Second
	WriteTimeout     = requestTimeout + 30*time.Second // streams extend it
	streamingTimeout = 15 * time.Minute
	IdleTimeout      = 2 * time.Minute // beyond the minute that proxies keep theirs: ours is not closed under them
	MaxHeaderBytes   = 64 << 10        // a token, and whatever proxies add
	bodyLimit        = 64 << 10        // of all operations but bulk
	retryAfter       = 2               // seconds, of a 503 and of an unfinished task
	backlogRetry     = 30              // seconds, of a merchant with too many unfinished cards: workers issue some 100,000 meanwhile
)

// Server implements the generated strict interface, an operation a method.
type Server struct {
	Options
	validator       *validate.Validator
	limits          limits
	logins          logins
	accesses        *accessCache
	instrumentation *instrumentation
	echo            *echo.Echo
	handler         http.Handler // echo, below the path of BaseURL too
	basePath        string
	bodies          *bodies
	streams         *streams
}

var _ api.StrictServerInterface = (*Server)(nil)

// New makes the handler of all operations. It fails if the document and the
// generated routes disagree.
func New(o Options) (*Server, error) {
	document, err := openapi.Load()
	if err != nil {
		return nil, err
	}
	s := &Server{
		Options: o, limits: newLimits(o), logins: newLogins(o), accesses: newAccessCache(), echo: echo.New(), bodies: newBodies(o), streams: newStreams(),
	}
	s.validator, err = validate.Compile(document, openapi.Complete, rules.Rules{Now: o.Store.Now, BulkMaximum: o.BulkMaximum}.Options())
	if err != nil {
		return nil, fmt.Errorf("compile the validator: %w", err)
	}

	if s.basePath, err = basePath(o.BaseURL); err != nil {
		return nil, err
	}
	e := s.echo
	s.handler = below(s.basePath, e)
	e.Binder = binder{}
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = addressFrom(o.TrustedProxies)
	router := headToo{e, document}
	api.RegisterHandlers(router, api.NewStrictHandler(s, []api.StrictMiddlewareFunc{refuseEmptyAnswer, s.replayOnly, s.retryOnStaleAccess}))
	operations, err := s.operations(document, e.Routes())
	if err != nil {
		return nil, err
	}
	if s.instrumentation, err = newInstrumentation(o, operations); err != nil {
		return nil, fmt.Errorf("measure requests: %w", err)
	}
	if err := s.documents(router); err != nil {
		return nil, err
	}

	// THE list of what happens to every request, outermost first.
	e.Use(
		s.instrumentation.measure,  // measures every answer; what is inside belongs to its span
		s.logRequests,              // sees every answer, and the time all of it took
		s.securityHeaders(),        // are on every answer, refusals too
		s.recoverPanics,            // a fault of one request is a 500 for that request alone
		s.allowOrigins(),           // of pages; they must be able to read refusals, too
		declaredMethodsOnly,        // echo answers OPTIONS by itself; the document does not
		s.limitByAddress,           // before anything is done for a stranger
		limitTime,                  // nothing is waited for without end
		s.authenticate(operations), // limits by user, before the database is asked
		s.validate(operations),     // reads the body; the handler gets what was validated
	)
	return s, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// documents adds the documents and the page for people. The published document is
// served byte for byte; the others name this server if BaseURL has a path.
func (s *Server) documents(router headToo) error {
	for path, document := range map[string][]byte{
		"/openapi.json": openapi.Published, "/openapi-complete.json": openapi.Complete, "/openapi-sdk.json": openapi.SDK,
	} {
		if s.basePath != "" && path != "/openapi.json" {
			var err error
			if document, err = withServer(document, s.BaseURL); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		router.GET(path, documentHandler(document))
	}
	router.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, s.basePath+"/docs") })
	docs := echo.WrapHandler(docspage.Handler("/openapi-complete.json"))
	router.GET("/docs", docs)
	router.GET("/docs/*", docs)
	return nil
}

// operation is what the chain knows of one: its place in the document, and how
// it differs from the others.
type operation struct {
	*validate.Operation
	public          bool  // needs no token
	hasBody         bool  // the body of any other operation is not read
	startsFromCache bool  // see access.go
	bodyLimit       int64 // bytes
}

// operations returns the operation of each route, by method and echo path. Every
// operation of the document must have a route, and every generated route an
// operation: one without would run unvalidated.
func (s *Server) operations(document *openapi3.T, routes []*echo.Route) (map[string]operation, error) {
	operations := map[string]operation{}
	for _, route := range routes {
		found, ok := s.validator.Operation(declaredMethod(route.Method), documentPath(route.Path))
		if !ok {
			return nil, fmt.Errorf("route %s %s is not in the document", route.Method, route.Path)
		}
		declared := document.Paths.Find(found.Path).GetOperation(found.Method)
		op := operation{
			Operation:       found,
			public:          isPublic(declared),
			hasBody:         declared.RequestBody != nil,
			startsFromCache: startsFromCache[found.Method+" "+found.Path],
			bodyLimit:       bodyLimit,
		}
		if strings.HasSuffix(route.Path, "/bulk") {
			op.bodyLimit = s.BulkBodyLimit
		}
		operations[route.Method+" "+route.Path] = op
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

// refuseEmptyAnswer makes an error of a handler that returns neither an answer
// nor an error, which would leave as an empty 200.
func refuseEmptyAnswer(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		answer, err := next(c, request)
		if err == nil && answer == nil {
			return nil, errors.New(operation + " returned no answer")
		}
		return answer, err
	}
}
