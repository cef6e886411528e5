package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"giftcards/gen/api"
	"giftcards/server/password"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
)

var errBadLogin = &refusal{status: http.StatusUnauthorized, detail: "Incorrect username or password"}

// CreateToken logs a user in. Whether the user or the password is wrong shows
// neither in the answer nor in its time.
func (s *Server) CreateToken(ctx context.Context, request api.CreateTokenRequestObject) (api.CreateTokenResponseObject, error) {
	a := newAttempt(request.Body.Username, caller(ctx).client)
	token, err := s.login(ctx, a, request.Body.Password)
	if refused, ok := errors.AsType[*refusal](err); ok {
		s.noteRefusedLogin(ctx, a, refused)
	}
	if err != nil {
		return nil, err
	}
	return api.CreateToken200JSONResponse{AccessToken: &token, TokenType: "bearer"}, nil
}

// login returns a token for the user, or fails with a refusal.
func (s *Server) login(ctx context.Context, a *attempt, secret string) (string, error) {
	// Before the user is read: a token must not seem younger than the password it is given for.
	now := s.Store.Now()
	if len(secret) > password.MaxLength {
		// It is nobody's password and costs no hash, so it must not use up what the user has.
		if _, err := take(s.logins.ofNetworks(a), now); err != nil {
			return "", err
		}
		return "", errBadLogin
	}
	// The first thing, because the quotas differ by it. It is the only statement of a refusal.
	login, err := s.Store.FindLogin(ctx, a.name, a.address)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return "", err
	}
	a.known = login.Known
	if err := s.checkPassword(ctx, a, secret, login.User); err != nil {
		return "", err
	}
	_, err = store.Write(ctx, s.Store, func(tx *store.Tx) (struct{}, error) {
		if err := tx.RememberLogin(ctx, login); err != nil {
			return struct{}{}, err
		}
		who := *caller(ctx)
		who.access.User = login.User
		return struct{}{}, tx.Audit(ctx, who.auditEntry(loginOperation, id.ID{}, nil, 0))
	})
	if err != nil {
		return "", err
	}
	return s.Keys.SignToken(keyring.Claims{
		Subject: login.User.ID.String(), ID: uuid.NewString(), Merchant: login.User.MerchantID.String(),
		IssuedAt: store.TokenTime(login.User, now), ExpiresAt: now.Add(s.TokenLifetime),
	})
}

// checkPassword fails with a refusal unless the password is the user's, who is the
// zero User if there is none.
func (s *Server) checkPassword(ctx context.Context, a *attempt, secret string, user store.User) error {
	now, right := s.Store.Now(), s.logins.ofRight(a)
	if err := look(right, now); err != nil {
		return err
	}
	// A wrong password counts in advance, so that many at the same time are no more than
	// one after the other.
	giveBack, err := take(s.logins.wrong(a), now)
	if err != nil {
		return err
	}
	matches, err := s.matches(ctx, a, secret, user.PasswordHash)
	if err == nil && (!matches || !user.Active) {
		return errBadLogin
	}
	giveBack() // no password was wrong
	if err != nil {
		return err
	}
	_, err = take(right, now)
	return err
}

// matches waits for the attempt's turn to check a password.
func (s *Server) matches(ctx context.Context, a *attempt, secret, hash string) (bool, error) {
	leave, err := s.logins.queue.Enter(ctx, a.known, a.shares()...)
	if errors.Is(err, password.ErrBusy) {
		return false, errTooMany
	}
	if err != nil {
		return false, err
	}
	defer leave()
	return password.Matches(secret, hash)
}

// GetTokenInfo says who the token stands for.
func (s *Server) GetTokenInfo(ctx context.Context, _ api.GetTokenInfoRequestObject) (api.GetTokenInfoResponseObject, error) {
	user := caller(ctx).access.User
	return api.GetTokenInfo200JSONResponse{
		Id: user.ID.String(), Email: openapi_types.Email(user.Email), Name: user.Name, Active: user.Active,
	}, nil
}

// Logout revokes the token, at once and on every instance.
func (s *Server) Logout(ctx context.Context, _ api.LogoutRequestObject) (api.LogoutResponseObject, error) {
	who := caller(ctx)
	_, err := store.Write(ctx, s.Store, func(tx *store.Tx) (struct{}, error) {
		if err := tx.RevokeToken(ctx, who.claims.ID, who.claims.ExpiresAt); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, tx.Audit(ctx, who.auditEntry(logoutOperation, id.ID{}, nil, 0))
	})
	return api.Logout200JSONResponse{"detail": "Logged out"}, err
}
