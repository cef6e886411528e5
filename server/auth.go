package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

// principal is who makes a request, and what the database says of them.
type principal struct {
	claims    keyring.Claims
	programID string   // in the path
	path      []string // the values of all parameters in the path, decoded
	access    store.Access
	// remembered: access is what the database said up to a minute ago.
	remembered bool
	head       bool        // the answer has no body, and so hands out nothing
	client     string      // network address
	request    requestIDs  // as in the log
	accept     string      // the Accept header
	answer     http.Header // of the answer to the request
}

type principalKey struct{}

// authenticate lets through only those with a good token, but for public
// operations. It comes before everything that a caller could learn from.
func (s *Server) authenticate(operations map[string]operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[c.Request().Method+" "+c.Path()]
			if !ok {
				return next(c)
			}
			ctx := c.Request().Context()
			who := &principal{} // nobody, of a public operation
			if !op.public {
				claims, err := s.claims(c.Request().Header.Get(echo.HeaderAuthorization))
				if err != nil {
					return err
				}
				// Before the database is asked: what is above the limit costs no query.
				if err := s.limits.user.take(c.Response().Header(), claims.Subject, s.Store.Now()); err != nil {
					return err
				}
				who = &principal{claims: claims, programID: pathValue(c, "programId"), path: pathValues(c)}
				if err := s.authorize(ctx, who, op.rechecksAccess); err != nil {
					return err
				}
			}
			who.client, who.request, who.head = c.RealIP(), requestIDsOf(c), c.Request().Method == http.MethodHead
			who.accept, who.answer = c.Request().Header.Get(echo.HeaderAccept), c.Response().Header()
			c.SetRequest(c.Request().WithContext(context.WithValue(ctx, principalKey{}, who)))
			err := next(c)
			if err != nil && who.remembered { // nobody has asked the database yet
				// Also for a caller who hung up in the middle of a body: they may read the answer.
				if refused := s.authorize(context.WithoutCancel(ctx), who, false); refused != nil {
					return refused
				}
			}
			return err
		}
	}
}

var (
	errNotAuthenticated = &refusal{status: http.StatusUnauthorized, detail: "Not authenticated"}
	errBadToken         = &refusal{status: http.StatusUnauthorized, detail: "Could not validate credentials"}
)

// claims is what the token in an Authorization header says, if it is one of ours.
func (s *Server) claims(authorization string) (keyring.Claims, error) {
	scheme, token, _ := strings.Cut(authorization, " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return keyring.Claims{}, errNotAuthenticated
	}
	claims, err := s.Keys.VerifyToken(token, s.Store.Now())
	if err != nil {
		return keyring.Claims{}, errBadToken
	}
	return claims, nil
}

// authorize finds out what the bearer of a token may: from what is remembered of an
// issuer of the program, if that will do, else from the database.
func (s *Server) authorize(ctx context.Context, who *principal, rememberedWillDo bool) error {
	user, err := id.Parse(who.claims.Subject)
	if err != nil {
		return errBadToken
	}
	// What is no id names no program; validation will say so.
	program, _ := id.Parse(who.programID)
	key := granted{who.claims.ID, program}
	if rememberedWillDo {
		if who.access, who.remembered = s.granted.Get(key); who.remembered {
			return nil
		}
	}
	s.granted.Remove(key)
	access, err := s.Store.FindAccess(ctx, user, who.claims.ID, program)
	switch {
	case errors.Is(err, store.ErrUserNotFound):
		return errBadToken
	case err != nil:
		return err
	case access.Revoked, !access.User.Active, access.User.MerchantID.String() != who.claims.Merchant,
		store.TokenEnded(access.User, who.claims.IssuedAt):
		return errBadToken
	}
	who.access, who.remembered = access, false
	if _, err := who.issuing(); err == nil {
		s.granted.Add(key, access)
	}
	return nil
}

// granted names what is remembered: that a token's bearer may issue in a program.
type granted struct {
	tokenID string
	program id.ID
}

// What is remembered spares a query, and decides nothing: the statement of the
// operation asks whether token and user are as they were. Programs never change.
const (
	grantedLifetime = time.Minute
	maxGranted      = 10_000
)

// asCaller runs do for the caller, and anew if nothing was done since their access
// has changed.
func asCaller[T any](ctx context.Context, s *Server, do func(*principal) (T, error)) (T, error) {
	who := caller(ctx)
	done, err := do(who)
	if !errors.Is(err, store.ErrAccessChanged) {
		return done, err
	}
	if err := s.authorize(ctx, who, false); err != nil {
		return done, err
	}
	return do(who)
}

// caller is the principal of a request, nobody if the operation is public.
func caller(ctx context.Context) *principal {
	return ctx.Value(principalKey{}).(*principal)
}

// program is the program that the path names, if it exists and is the caller's.
func (p *principal) program() (store.Program, error) {
	switch {
	case p.access.Program == nil:
		return store.Program{}, store.ErrProgramNotFound
	case p.access.Program.MerchantID != p.access.User.MerchantID:
		return store.Program{}, store.ErrProgramForbidden
	}
	return *p.access.Program, nil
}

// audits is what the audit log is to know of an operation of the caller.
func (p *principal) audits(operation string, program id.ID, subject []byte, cards int) store.AuditEntry {
	return store.AuditEntry{
		Operation: operation, UserID: p.access.User.ID, MerchantID: p.access.User.MerchantID, ProgramID: program,
		Subject: subject, Cards: int32(cards), Client: p.client,
		RequestID: &p.request.ours, ClientRequestID: p.request.client,
	}
}

// issuing is the program, if the caller may issue cards in it.
func (p *principal) issuing() (store.Program, error) {
	program, err := p.program()
	if err == nil && !p.mayIssue() {
		return store.Program{}, store.ErrReadOnly
	}
	return program, err
}

// mayIssue reports whether the caller may issue cards, and so open codes.
func (p *principal) mayIssue() bool { return p.access.User.Role == store.RoleIssuer }
