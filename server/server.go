// Package server speaks the contract over HTTP: it authenticates, validates
// against the document, runs one handler per operation, and answers in the
// contract's shapes. It is the only package that knows HTTP. Package store knows
// what a card is and how it is stored.
//
// Read server.go first: New lists the middlewares in order. A handler is in the file of its
// subject, such as giftcards.go, bulk.go, lifecycle.go or token.go. change.go carries out the
// changes of cards. auth.go, access.go and roles.go say what a caller may do, idempotency.go
// and retry.go how an answer is given again, and errors.go how an error becomes an answer.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"giftcards/gen/api"
	"giftcards/jobs"
	"giftcards/jobs/message/texts"
	"giftcards/openapi"
	"giftcards/server/docspage"
	"giftcards/server/rules"
	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/keyring"
)

// Options are the settings of a Server. A zero value is a default only where its
// comment says so.
type Options struct {
	Store  *store.Store
	Jobs   *jobs.Jobs
	Keys   *keyring.Ring
	Logger *slog.Logger
	// Successes gets the lines of successful requests, which may be dropped; nil means
	// Logger.
	Successes *slog.Logger
	// LogSample is n if one of n successful requests is logged, chosen at random. 0 and 1
	// log all.
	LogSample int
	// Meter publishes how requests went; nil turns it off.
	Meter metric.Meter
	// Tracer makes a span of each request; nil turns that off. The log has a caller's
	// traceparent in both cases.
	Tracer trace.Tracer

	// BulkThreshold is the largest number of cards that a bulk request issues at once. A
	// task issues more.
	BulkThreshold int
	// BulkMaximum is the largest number of cards that a bulk request may ask for.
	BulkMaximum int
	// MerchantBacklog is the largest number of cards in all unfinished tasks of a
	// merchant; the answer to a request for more is 429. 0 is no limit.
	MerchantBacklog int
	// BulkBodyLimit is the largest body of a bulk request, in bytes.
	BulkBodyLimit int64
	// BodyBudget is the memory for request bodies, in bytes; zero means LeastBodyBudget.
	// A request that finds none free waits for BodyWait, or for 20 s if that is zero, and
	// then gets 503.
	BodyBudget int64
	BodyWait   time.Duration
	// ReadingGrace is how long a client may read nothing of a list of cards before it must
	// have read at a least rate. Zero is 10 s.
	ReadingGrace time.Duration
	// TokenLifetime and LinkLifetime are how long bearer tokens and CSV links last.
	TokenLifetime, LinkLifetime time.Duration
	// BaseURL begins the links in answers, such as https://cards.example.com. If it is
	// https, answers tell browsers to use nothing else. If it has a path, such as
	// https://example.com/cards, the server answers below this path as well as without it.
	BaseURL string
	// AddressRate and UserRate are the requests per second that an address, and a user
	// with all of their tokens, may send in the long run. A burst may be twice as large. 0
	// is no limit.
	AddressRate, UserRate int
	// LinkDownloads is the number of downloads per minute over one CSV link, which may
	// also come all at once. 0 is no limit.
	LinkDownloads int
	// FailedLogins is the number of wrong passwords that an address may send in 5 minutes.
	// All addresses together may send five times as many for one user, and six times as
	// many right ones. 0 is no limit, but the queue of passwords to check stays bounded.
	FailedLogins int
	// BalanceChecks is the number of balance checks per minute of one address, which may also
	// come all at once. An address that asks in vain for four times as many different numbers
	// in 10 minutes is refused for an hour. 0 is no limit, but five wrong security codes lock
	// a number in any case.
	BalanceChecks int
	// Languages are the texts of pages and spreadsheets; nil means the built-in ones.
	Languages *texts.Languages
	// TrustedProxies are the networks whose X-Forwarded-For the server believes.
	TrustedProxies []*net.IPNet
	// CORSOrigins are the origins whose pages may call the server, such as
	// https://shop.example.com.
	CORSOrigins []string
	// Sandbox says that a sandbox is in front of the server: it may answer in place of an
	// operation (see Instead), and pages of CORSOrigins may send its headers.
	Sandbox bool
	// Ready returns nil if the server can do its work, else an error that says what is
	// missing.
	Ready func(context.Context) error
}

// Limits that are not settings, because a request beyond them is stuck and not slow. Each
// time-out is longer than the one before it, so that the most exact one ends a request.
const (
	HeaderTimeout    = 10 * time.Second // slowloris protection: honest headers come in one piece
	BodyTimeout      = 60 * time.Second // 64 MiB at 9 Mbit/s
	requestTimeout   = BodyTimeout + 60*time.Second
	WriteTimeout     = requestTimeout + 30*time.Second // streams extend it
	streamingTimeout = 15 * time.Minute
	IdleTimeout      = 2 * time.Minute // longer than the minute of proxies, so that we never close a connection they are about to reuse
	MaxHeaderBytes   = 64 << 10        // a token and the headers of proxies
	bodyLimit        = 64 << 10        // bytes, for every operation except bulk
	retryAfter       = 2               // seconds, after a 503 and for an unfinished task
	backlogRetry     = 30              // seconds, for a merchant with too many unfinished cards: workers issue about 100,000 cards meanwhile
)

// Server implements the generated strict interface: each operation is a method.
type Server struct {
	Options
	validator       *validate.Validator
	limits          limits
	checks          *balanceChecks
	logins          logins
	accesses        *accessCache
	instrumentation *instrumentation
	echo            *echo.Echo
	handler         http.Handler // echo, and what happens outside of it
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
	if o.Successes == nil {
		o.Successes = o.Logger
	}
	s := &Server{
		Options: o, limits: newLimits(o), logins: newLogins(o), accesses: newAccessCache(), echo: echo.New(), bodies: newBodies(o), streams: newStreams(),
	}
	if s.Languages == nil {
		if s.Languages, err = texts.Load(""); err != nil {
			return nil, fmt.Errorf("read texts: %w", err)
		}
	}
	if s.checks, err = newBalanceChecks(o); err != nil {
		return nil, fmt.Errorf("limit balance checks: %w", err)
	}
	s.validator, err = validate.Compile(document, openapi.Complete, rules.Rules{Now: o.Store.Now, BulkMaximum: o.BulkMaximum}.Options())
	if err != nil {
		return nil, fmt.Errorf("compile the validator: %w", err)
	}

	if s.basePath, err = basePath(o.BaseURL); err != nil {
		return nil, err
	}
	e := s.echo
	s.handler = s.discardUnwanted(below(s.basePath, e))
	e.Binder = binder{}
	e.HTTPErrorHandler = s.handleError
	e.IPExtractor = addressFrom(o.TrustedProxies)
	router := headToo{e, document}
	// The strict middlewares run after echo's, the last of the list first.
	api.RegisterHandlers(router, api.NewStrictHandler(s, []api.StrictMiddlewareFunc{refuseEmptyAnswer, s.checkRole, s.replayOnly, s.retryOnStaleAccess}))
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
	e.Use(s.middleware(operations)...)
	return s, nil
}

// middleware returns the steps that every request goes through, in their order. The first one sees
// the answer last.
func (s *Server) middleware(operations map[route]operation) []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{
		s.instrumentation.measure,  // measures every answer; all that follows belongs to its span
		s.logRequests,              // logs every answer with the time that all of it took
		s.securityHeaders(),        // sets headers on every answer, refusals too
		s.recoverPanics,            // makes a panic a 500 of this request alone
		s.allowOrigins(),           // comes before the refusals, so that pages can read them
		declaredMethodsOnly,        // refuses OPTIONS, which echo answers by itself
		s.answersInstead(),         // gives the answers that a client of a sandbox has chosen
		s.limitByAddress,           // comes before any work for a stranger
		limitTime,                  // bounds every wait that follows
		s.authenticate(operations), // limits by user first, and then asks the database
		s.validate(operations),     // reads the body; the handler gets the validated request
	}
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// Validator returns the judge of all requests, for a sandbox's examples of refusals.
func (s *Server) Validator() *validate.Validator { return s.validator }

// OpenMemory returns the memory in bytes that open streams and the bodies being read may
// take. It is an estimate for the garbage collector's limit.
func (s *Server) OpenMemory() int64 {
	return int64(s.streams.count())*streamMemory + s.bodies.reserved.Load()
}

// documents adds the routes of the documents and of the page for people. The published
// document stays as it is, byte for byte; the others name this server if BaseURL has a
// path.
func (s *Server) documents(router headToo) error {
	for path, document := range map[string][]byte{
		"/openapi.json": openapi.Published, "/openapi-complete.json": openapi.Complete, "/openapi-sdk.json": openapi.SDK,
	} {
		if s.basePath != "" && path != "/openapi.json" {
			var err error
			if document, err = WithServer(document, s.BaseURL); err != nil {
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

// refuseEmptyAnswer returns an error if a handler returns neither an answer nor an error.
// The generated code would send an empty 200.
func refuseEmptyAnswer(next api.StrictHandlerFunc, operation string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		answer, err := next(c, request)
		if err == nil && answer == nil {
			return nil, errors.New(operation + " returned no answer")
		}
		return answer, err
	}
}
