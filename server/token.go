package server

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/uuid"
	openapi_types "github.com/oapi-codegen/runtime/types"

	"giftcards/gen/api"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/password"
)

var errBadLogin = &refusal{status: http.StatusUnauthorized, detail: "Incorrect username or password"}

// CreateToken logs a user in. Whether the user or the password is wrong shows
// neither in the answer nor in its time.
func (s *Server) CreateToken(ctx context.Context, request api.CreateTokenRequestObject) (api.CreateTokenResponseObject, error) {
	// Before the user is read: a token must not seem younger than the password it is given for.
	now := s.Store.Now()
	user, err := store.Read(ctx, s.Store, func(tx *store.Tx) (store.User, error) {
		return tx.FindUserByEmail(ctx, request.Body.Username)
	})
	if err != nil && !errors.Is(err, store.ErrUserNotFound) {
		return nil, err
	}
	matches, err := password.Matches(ctx, request.Body.Password, user.PasswordHash)
	if errors.Is(err, password.ErrBusy) {
		return nil, errTooMany
	}
	if err != nil {
		return nil, err
	}
	if !matches || !user.Active {
		return nil, errBadLogin
	}
	_, err = store.Write(ctx, s.Store, func(tx *store.Tx) (struct{}, error) {
		who := *caller(ctx)
		who.access.User = user
		return struct{}{}, tx.Audit(ctx, who.audits("createToken", id.ID{}, nil, 0))
	})
	if err != nil {
		return nil, err
	}
	token, err := s.Keys.SignToken(keyring.Claims{
		Subject: user.ID.String(), ID: uuid.NewString(), Merchant: user.MerchantID.String(),
		IssuedAt: store.TokenTime(user, now), ExpiresAt: now.Add(s.TokenLifetime),
	})
	if err != nil {
		return nil, err
	}
	return api.CreateToken200JSONResponse{AccessToken: &token, TokenType: "bearer"}, nil
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
		return struct{}{}, tx.Audit(ctx, who.audits("logout", id.ID{}, nil, 0))
	})
	return api.Logout200JSONResponse{"detail": "Logged out"}, err
}
