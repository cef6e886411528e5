package server

import (
	"context"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/server/validate"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

// principal is the caller of a request, what the database says about them, and what the
// middlewares have found out about the request. Each request has one from logRequests on.
type principal struct {
	claims       keyring.Claims
	programID    string   // in the path
	programNamed string   // in the path, or else in the query
	path         []string // values of all path parameters, decoded
	access       store.Access
	cached       bool       // access came from the cache: the database said it up to a minute ago
	head         bool       // the request is a HEAD, whose answer hands out nothing
	client       string     // network address
	request      requestIDs // as in the log
	validated    *validate.Request
	faults       validate.Errors // of a validated request; all of them are provisional, see replayOnly
	accept       string          // the Accept header
	answer       http.Header     // header of the answer
}

type principalKey struct{}

// authenticate refuses a request without a good token, unless the operation is public. It
// runs first, because a caller without a token must learn nothing from the other refusals.
func (s *Server) authenticate(operations map[route]operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[routeOf(c)]
			if !ok {
				return next(c)
			}
			ctx := c.Request().Context()
			who := caller(ctx)
			if !op.public { // a public operation has no user
				claims, err := s.claims(c.Request().Header.Get(echo.HeaderAuthorization))
				if err != nil {
					return err
				}
				// The limit comes before the look-up, so that a refused request costs no query.
				if err := s.limits.user.take(c.Response().Header(), claims.Subject, s.Store.Clock()); err != nil {
					return err
				}
				who.claims, who.programID, who.programNamed, who.path = claims, pathValue(c, "programId"), programNamed(c), pathValues(c)
				if err := s.authorize(ctx, who, op.startsFromCache); err != nil {
					return err
				}
			}
			// Handlers of public operations need these too: logins are limited and logged by address.
			who.client, who.head = c.RealIP(), c.Request().Method == http.MethodHead
			who.accept, who.answer = c.Request().Header.Get(echo.HeaderAccept), c.Response().Header()
			if err := next(c); err != nil {
				return s.recheckBeforeRefusing(ctx, who, err)
			}
			return nil
		}
	}
}

var (
	errNotAuthenticated = &refusal{status: http.StatusUnauthorized, detail: "Not authenticated"}
	errBadToken         = &refusal{status: http.StatusUnauthorized, detail: "Could not validate credentials"}
)

// claims returns the claims of the token in an Authorization header. It fails with
// errNotAuthenticated if there is no token, and with errBadToken if the server did not
// sign it or it has expired.
func (s *Server) claims(authorization string) (keyring.Claims, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return keyring.Claims{}, errNotAuthenticated
	}
	claims, err := s.Keys.VerifyToken(token, s.Store.Clock())
	if err != nil {
		return keyring.Claims{}, errBadToken
	}
	return claims, nil
}

// caller returns the principal of a request, without a user if the operation is public.
func caller(ctx context.Context) *principal {
	return ctx.Value(principalKey{}).(*principal)
}

// programNamed returns the id of the program in the path, or else the last one in the query,
// which is the one that the validator takes.
func programNamed(c echo.Context) string {
	inPath := pathValue(c, "programId")
	if inPath != "" {
		return inPath
	}
	named := c.QueryParams()["programId"]
	if len(named) == 0 {
		return ""
	}
	return named[len(named)-1]
}

// program returns the program that the path names, or else the query. It fails with
// store.ErrProgramNotFound, or with store.ErrProgramForbidden if the program belongs to
// another merchant.
func (p *principal) program() (store.Program, error) {
	switch {
	case p.access.Program == nil:
		return store.Program{}, store.ErrProgramNotFound
	case p.access.Program.MerchantID != p.access.User.MerchantID:
		return store.Program{}, store.ErrProgramForbidden
	}
	return *p.access.Program, nil
}

// auditEntry returns the audit log's entry for an operation of the caller. subject is the id
// of what it changed, or the ids one after the other; nil if there is none.
func (p *principal) auditEntry(operation string, program id.ID, subject []byte, cards int) store.AuditEntry {
	return store.AuditEntry{
		Operation: operation, UserID: p.access.User.ID, MerchantID: p.access.User.MerchantID, ProgramID: program,
		Subject: subject, Cards: int32(cards), Client: p.client,
		RequestID: &p.request.ours, ClientRequestID: p.request.client,
	}
}

// programToIssueIn returns the program that the path names. It fails as program does, and
// with store.ErrReadOnly if the caller may not issue cards.
func (p *principal) programToIssueIn() (store.Program, error) {
	program, err := p.program()
	if err == nil && !p.mayIssue() {
		return store.Program{}, store.ErrReadOnly
	}
	return program, err
}

// mayIssue reports whether the caller may issue cards, and so also see security codes.
func (p *principal) mayIssue() bool { return p.access.User.Role == store.RoleIssuer }
