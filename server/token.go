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

// CreateToken logs a user in. Neither the answer nor its time shows whether the user or
// the password is wrong.
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

// login returns a token for the user. It fails with a refusal if the password is wrong or
// a limit is reached.
func (s *Server) login(ctx context.Context, a *attempt, secret string) (string, error) {
	// Read the clock before the user. Otherwise a change of the password in between would not end
	// the token, because the token would seem younger than the change.
	now := s.Store.Clock()
	if len(secret) > password.MaxLength {
		// It cannot be anybody's password and costs no hash, so it counts for the network only.
		if _, err := take(s.logins.ofNetworks(a), now); err != nil {
			return "", err
		}
		return "", errBadLogin
	}
	// Look the user up before the limits, because the limits depend on whether the user has
	// logged in from here before. A refused login sends no other statement.
	login, err := s.Store.FindLogin(ctx, a.name, a.address)
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return "", err
	}
	a.known = login.Known
	if err := s.checkPassword(ctx, a, secret, login.User); err != nil {
		return "", err
	}
	err = store.Do(ctx, s.Store, func(tx *store.Tx) error {
		if err := tx.RememberLogin(ctx, login); err != nil {
			return err
		}
		who := *caller(ctx)
		who.access.User = login.User
		return tx.Audit(ctx, who.auditEntry(loginOperation, id.ID{}, nil, 0))
	})
	if err != nil {
		return "", err
	}
	return s.Keys.SignToken(keyring.Claims{
		Subject: login.User.ID.String(), ID: uuid.NewString(), Merchant: login.User.MerchantID.String(),
		IssuedAt: store.TokenTime(login.User, now), ExpiresAt: now.Add(s.TokenLifetime),
	})
}

// checkPassword fails with a refusal unless the password is the user's. user is the zero
// User if there is none of that name.
func (s *Server) checkPassword(ctx context.Context, a *attempt, secret string, user store.User) error {
	// Right passwords have a quota too. It is only looked at here, and counted at the end,
	// because nobody knows yet whether the password is right.
	now, right := s.Store.Clock(), s.logins.ofRight(a)
	if err := look(right, now); err != nil {
		return err
	}
	// Count the password as wrong before it is checked, so that many at the same time cannot
	// exceed the quota.
	giveBack, err := take(s.logins.wrong(a), now)
	if err != nil {
		return err
	}
	matches, err := s.matches(ctx, a, secret, user.PasswordHash)
	if err == nil && (!matches || !user.Active) {
		return errBadLogin
	}
	giveBack() // the password was right, or could not be checked
	if err != nil {
		return err
	}
	_, err = take(right, now)
	return err
}

// matches waits for the attempt's turn in the queue, and then checks the password.
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

// GetTokenInfo answers with the user that the token stands for.
func (s *Server) GetTokenInfo(ctx context.Context, _ api.GetTokenInfoRequestObject) (api.GetTokenInfoResponseObject, error) {
	user := caller(ctx).access.User
	return api.GetTokenInfo200JSONResponse{
		Id: user.ID.String(), Email: openapi_types.Email(user.Email), Name: user.Name, Active: user.Active,
	}, nil
}

// Logout revokes the token on every instance at once.
func (s *Server) Logout(ctx context.Context, _ api.LogoutRequestObject) (api.LogoutResponseObject, error) {
	who := caller(ctx)
	err := store.Do(ctx, s.Store, func(tx *store.Tx) error {
		if err := tx.RevokeToken(ctx, who.claims.ID, who.claims.ExpiresAt); err != nil {
			return err
		}
		return tx.Audit(ctx, who.auditEntry(logoutOperation, id.ID{}, nil, 0))
	})
	return api.Logout200JSONResponse{"detail": "Logged out"}, err
}
