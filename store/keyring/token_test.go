package keyring_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/jwt"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"giftcards/store/keyring"
)

var noon = time.Date(2031, 5, 6, 12, 0, 0, 0, time.UTC)

func someClaims() keyring.Claims {
	return keyring.Claims{
		Subject: "ann@example.com", ID: "0b6f", Merchant: "5eb7cf5a86d9755df3a6c593",
		IssuedAt: noon.Add(-time.Hour), ExpiresAt: noon.Add(time.Hour),
	}
}

func sign(t testing.TB, ring *keyring.Ring, claims keyring.Claims) string {
	t.Helper()
	token, err := ring.SignToken(claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// part returns the decoded header (0) or payload (1) of a token.
func part(t testing.TB, token string, i int) map[string]any {
	t.Helper()
	data, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestTokenSaysItsClaimsAndItsKey(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	token := sign(t, ring, someClaims())
	header, payload := part(t, token, 0), part(t, token, 1)
	if header["alg"] != "HS256" || len(header["kid"].(string)) != 6 {
		t.Errorf("header %v", header)
	}
	for claim, want := range map[string]any{
		"iss": "giftcards", "sub": "ann@example.com", "jti": "0b6f", "merchant": "5eb7cf5a86d9755df3a6c593",
		"iat": float64(noon.Add(-time.Hour).Unix()), "exp": float64(noon.Add(time.Hour).Unix()),
	} {
		if payload[claim] != want {
			t.Errorf("claim %s is %v, want %v", claim, payload[claim], want)
		}
	}
	if got, err := ring.VerifyToken(token, noon); err != nil || got != someClaims() {
		t.Errorf("VerifyToken = %+v, %v", got, err)
	}
}

func TestTokenTimesAreWholeSecondsInUTC(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	claims := someClaims()
	zone := time.FixedZone("odd", 5*3600+45*60)
	claims.IssuedAt = claims.IssuedAt.Add(999 * time.Millisecond).In(zone)
	claims.ExpiresAt = claims.ExpiresAt.Add(999 * time.Millisecond).In(zone)
	if got, err := ring.VerifyToken(sign(t, ring, claims), noon); err != nil || got != someClaims() {
		t.Errorf("VerifyToken = %+v, %v", got, err)
	}
}

func TestTokenIsValidUntilItExpires(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	token := sign(t, ring, someClaims())
	for now, valid := range map[time.Time]bool{
		noon.Add(-2 * time.Hour):             true, // signed by a clock ahead of ours
		noon.Add(time.Hour - 1):              true,
		noon.Add(time.Hour):                  false,
		noon.Add(time.Hour + time.Second):    false,
		noon.Add(100 * 365 * 24 * time.Hour): false,
	} {
		if _, err := ring.VerifyToken(token, now); valid != (err == nil) || !valid && !errors.Is(err, keyring.ErrTokenRefused) {
			t.Errorf("at %v: %v", now, err)
		}
	}
}

func TestIncompleteClaimsAreNotSigned(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	for name, change := range map[string]func(*keyring.Claims){
		"no subject":                  func(c *keyring.Claims) { c.Subject = "" },
		"no id":                       func(c *keyring.Claims) { c.ID = "" },
		"no merchant":                 func(c *keyring.Claims) { c.Merchant = "" },
		"no time of issue":            func(c *keyring.Claims) { c.IssuedAt = time.Time{} },
		"no expiry":                   func(c *keyring.Claims) { c.ExpiresAt = time.Time{} },
		"expiry at issue":             func(c *keyring.Claims) { c.ExpiresAt = c.IssuedAt.Add(time.Millisecond) },
		"expiry after year 9999":      func(c *keyring.Claims) { c.ExpiresAt = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"a subject that is not UTF-8": func(c *keyring.Claims) { c.Subject = "\xff" },
	} {
		claims := someClaims()
		change(&claims)
		if token, err := ring.SignToken(claims); err == nil {
			t.Errorf("%s: signed as %s", name, token)
		}
	}
}

func TestTokenIsRefusedUnlessExactlyAsSigned(t *testing.T) {
	t.Parallel()
	ring, _ := create(t)
	other, _ := create(t)
	token := sign(t, ring, someClaims())
	pieces := strings.Split(token, ".")
	encode := base64.RawURLEncoding.EncodeToString
	none := encode([]byte(`{"alg":"none"}`))
	withKid := encode([]byte(`{"alg":"none","kid":"` + part(t, token, 0)["kid"].(string) + `"}`))
	refused := map[string]string{
		"empty":               "",
		"dots":                "..",
		"garbage":             "Bearer x",
		"no signature":        pieces[0] + "." + pieces[1] + ".",
		"two parts":           pieces[0] + "." + pieces[1],
		"four parts":          token + "." + pieces[2],
		"alg none":            none + "." + pieces[1] + ".",
		"alg none, signature": none + "." + pieces[1] + "." + pieces[2],
		"alg none with kid":   withKid + "." + pieces[1] + "." + pieces[2],
		"another ring's":      sign(t, other, someClaims()),
		"another's signature": pieces[0] + "." + pieces[1] + "." + strings.Split(sign(t, other, someClaims()), ".")[2],
		"a line break":        token + "\n",
		"padding":             token + "=",
		"a link":              ring.SignLink([]byte("x")),
		"a link as signature": pieces[0] + "." + pieces[1] + "." + ring.SignLink([]byte(pieces[0]+"."+pieces[1])),
		"very long":           strings.Repeat("A.", 50_000),
	}
	// Every byte of the token must matter.
	for i := range token {
		changed := []byte(token)
		changed[i] ^= 1
		refused["changed at "+token[:i]] = string(changed)
	}
	for name, refusedToken := range refused {
		if claims, err := ring.VerifyToken(refusedToken, noon); !errors.Is(err, keyring.ErrTokenRefused) || claims != (keyring.Claims{}) {
			t.Errorf("%s: %+v, %v, want ErrTokenRefused", name, claims, err)
		}
	}
}

// signRaw signs any claims with the tokens' key in the file at path.
func signRaw(t *testing.T, path string, options jwt.RawJWTOptions) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var keysets struct{ Tokens json.RawMessage }
	if err := json.Unmarshal(data, &keysets); err != nil {
		t.Fatal(err)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(keysets.Tokens)))
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jwt.NewMAC(handle)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := jwt.NewRawJWT(&options)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.ComputeMACAndEncode(raw)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenOfOurKeyWithoutAClaimIsRefused(t *testing.T) {
	t.Parallel()
	ring, path := create(t)
	whole := func() jwt.RawJWTOptions {
		issued, expires := noon.Add(-time.Hour), noon.Add(time.Hour)
		return jwt.RawJWTOptions{
			Issuer: new("giftcards"), Subject: new("ann"), JWTID: new("1"), IssuedAt: &issued, ExpiresAt: &expires,
			CustomClaims: map[string]any{"merchant": "m"},
		}
	}
	if _, err := ring.VerifyToken(signRaw(t, path, whole()), noon); err != nil {
		t.Fatalf("the whole one: %v", err)
	}
	for name, change := range map[string]func(*jwt.RawJWTOptions){
		"no issuer":         func(o *jwt.RawJWTOptions) { o.Issuer = nil },
		"another issuer":    func(o *jwt.RawJWTOptions) { o.Issuer = new("giftcard") },
		"no subject":        func(o *jwt.RawJWTOptions) { o.Subject = nil },
		"empty subject":     func(o *jwt.RawJWTOptions) { o.Subject = new("") },
		"no id":             func(o *jwt.RawJWTOptions) { o.JWTID = nil },
		"no time of issue":  func(o *jwt.RawJWTOptions) { o.IssuedAt = nil },
		"no expiry":         func(o *jwt.RawJWTOptions) { o.ExpiresAt, o.WithoutExpiration = nil, true },
		"no merchant":       func(o *jwt.RawJWTOptions) { o.CustomClaims = nil },
		"merchant a number": func(o *jwt.RawJWTOptions) { o.CustomClaims = map[string]any{"merchant": 5} },
		"an audience":       func(o *jwt.RawJWTOptions) { o.Audience = new("others") },
		"not valid before":  func(o *jwt.RawJWTOptions) { o.NotBefore = new(noon.Add(time.Minute)) },
	} {
		options := whole()
		change(&options)
		if claims, err := ring.VerifyToken(signRaw(t, path, options), noon); !errors.Is(err, keyring.ErrTokenRefused) {
			t.Errorf("%s: %+v, %v, want ErrTokenRefused", name, claims, err)
		}
	}
}

func TestATokenThatWasGoodOnceStillExpires(t *testing.T) {
	t.Parallel()
	ring, err := keyring.Create(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	issued := time.Unix(1_800_000_000, 0)
	token, err := ring.SignToken(keyring.Claims{Subject: "u", ID: "t", Merchant: "m", IssuedAt: issued, ExpiresAt: issued.Add(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // read, then remembered
		if _, err := ring.VerifyToken(token, issued.Add(59*time.Second)); err != nil {
			t.Error(err)
		}
	}
	if _, err := ring.VerifyToken(token, issued.Add(time.Minute)); !errors.Is(err, keyring.ErrTokenRefused) {
		t.Errorf("an expired token: %v", err)
	}
}
