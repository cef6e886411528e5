package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

// principal is who makes a request, and what the database says of them.
type principal struct {
	claims keyring.Claims
	access store.Access
}

type principalKey struct{}

// authenticate lets through only those with a good token, but for public
// operations. It comes before everything that a caller could learn from.
func (s *Server) authenticate(operations map[string]operation) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			op, ok := operations[c.Request().Method+" "+c.Path()]
			if !ok || op.public {
				return next(c)
			}
			ctx := c.Request().Context()
			claims, err := s.claims(c.Request().Header.Get(echo.HeaderAuthorization))
			if err != nil {
				return err
			}
			// Before the database is asked: what is above the limit costs no query.
			if err := s.limits.token.take(c.Response().Header(), claims.ID, s.Store.Now()); err != nil {
				return err
			}
			who, err := s.principal(ctx, claims, pathValue(c, "programId"))
			if err != nil {
				return err
			}
			c.SetRequest(c.Request().WithContext(context.WithValue(ctx, principalKey{}, who)))
			return next(c)
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

// principal asks the database whether the token's bearer still may, and whose the
// program is that the path names.
func (s *Server) principal(ctx context.Context, claims keyring.Claims, programID string) (*principal, error) {
	user, err := id.Parse(claims.Subject)
	if err != nil {
		return nil, errBadToken
	}
	// What is no id names no program; validation will say so.
	program, _ := id.Parse(programID)
	access, err := s.Store.FindAccess(ctx, user, claims.ID, program)
	switch {
	case errors.Is(err, store.ErrUserNotFound):
		return nil, errBadToken
	case err != nil:
		return nil, err
	case access.Revoked, !access.User.Active, access.User.MerchantID.String() != claims.Merchant:
		return nil, errBadToken
	}
	return &principal{claims: claims, access: access}, nil
}

// caller is the principal of an authenticated request.
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
