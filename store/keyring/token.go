package keyring

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tink-crypto/tink-go/v2/jwt"
)

// ErrTokenRefused is the error for a token that is invalid or has expired.
var ErrTokenRefused = errors.New("token refused")

const (
	issuer        = "giftcards"
	merchantClaim = "merchant"
)

// Claims are the claims of a bearer token. All of them are required. Times are in UTC and
// whole seconds.
type Claims struct {
	Subject   string // sub: the user
	ID        string // jti: identifies the token for a revocation
	Merchant  string // merchant: the user's merchant
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// complete reports whether every claim is set.
func (c Claims) complete() bool {
	return c.Subject != "" && c.ID != "" && c.Merchant != "" && c.IssuedAt.Unix() > 0 && c.ExpiresAt.After(c.IssuedAt)
}

// SignToken returns claims as a JWT signed with HS256. Its header kid names the key.
func (r *Ring) SignToken(claims Claims) (string, error) {
	// A JWT has whole seconds.
	claims.IssuedAt = claims.IssuedAt.Truncate(time.Second).UTC()
	claims.ExpiresAt = claims.ExpiresAt.Truncate(time.Second).UTC()
	if !claims.complete() {
		return "", errors.New("sign token: a claim is missing, or it expires before it is issued")
	}
	raw, err := jwt.NewRawJWT(&jwt.RawJWTOptions{
		Issuer:       new(issuer),
		Subject:      &claims.Subject,
		JWTID:        &claims.ID,
		IssuedAt:     &claims.IssuedAt,
		ExpiresAt:    &claims.ExpiresAt,
		CustomClaims: map[string]any{merchantClaim: claims.Merchant},
	})
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	token, err := r.keys().tokens.ComputeMACAndEncode(raw)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// maxVerified bounds the cache of verified tokens.
const maxVerified = 10_000

// VerifyToken returns the claims of a token that SignToken signed and that has not expired at
// now. It refuses every other token with ErrTokenRefused, wrapped. It does not check
// revocations. It caches verified tokens until the keys change.
func (r *Ring) VerifyToken(token string, now time.Time) (Claims, error) {
	digest := sha256.Sum256([]byte(token)) // keeps secret tokens out of the cache
	if known, ok := r.keys().verified.Get(digest); ok && now.Before(known.ExpiresAt) {
		return known, nil
	}
	// iat is not compared with now, because the clock of the instance that signed the token
	// may be a little ahead.
	validator, err := jwt.NewValidator(&jwt.ValidatorOpts{ExpectedIssuer: new(issuer), FixedNow: now})
	if err != nil {
		return Claims{}, fmt.Errorf("verify token: %w", err)
	}
	claims, err := open(r, r.keys(), func(k *keys) (Claims, error) {
		verified, err := k.tokens.VerifyMACAndDecode(token, validator)
		if err != nil {
			return Claims{}, err
		}
		claims, err := claimsOf(verified)
		// Only a valid token is cached, so that refused ones cannot push out others.
		if err == nil {
			k.verified.Add(digest, claims)
		}
		return claims, err
	})
	if err != nil {
		return Claims{}, fmt.Errorf("%w: %w", ErrTokenRefused, err)
	}
	return claims, nil
}

func claimsOf(token *jwt.VerifiedJWT) (Claims, error) {
	subject, subjectErr := token.Subject()
	id, idErr := token.JWTID()
	merchant, merchantErr := token.StringClaim(merchantClaim)
	issuedAt, issuedErr := token.IssuedAt()
	expiresAt, expiresErr := token.ExpiresAt()
	if err := errors.Join(subjectErr, idErr, merchantErr, issuedErr, expiresErr); err != nil {
		return Claims{}, err
	}
	claims := Claims{Subject: subject, ID: id, Merchant: merchant, IssuedAt: issuedAt.UTC(), ExpiresAt: expiresAt.UTC()}
	if !claims.complete() {
		return Claims{}, errors.New("a claim is empty")
	}
	return claims, nil
}
