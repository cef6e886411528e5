package server_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	hmacpb "github.com/tink-crypto/tink-go/v2/proto/jwt_hmac_go_proto"
	"google.golang.org/protobuf/proto"

	"giftcards/openapi"
	"giftcards/server/servertest"
	"giftcards/store/keyring"
)

// badTokens returns tokens that the server must refuse. A server that accepted one of them would
// take its bearer for a user of m.
func badTokens(t *testing.T, s *servertest.Server, m, other *servertest.Merchant) map[string]string {
	t.Helper()
	owner, err := pgx.Connect(t.Context(), s.DatabaseURL)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close(t.Context())
	change := func(query string, args ...any) {
		t.Helper()
		if _, err := owner.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
	gone, inactive, moved, active := user(t, s, m.ID), user(t, s, m.ID), user(t, s, m.ID), user(t, s, m.ID)
	change(`delete from users where encode(id, 'hex') = $1`, gone)
	change(`update users set active = false where encode(id, 'hex') = $1`, inactive)
	change(`update users set merchant_id = (select id from merchants where encode(id, 'hex') = $2) where encode(id, 'hex') = $1`, moved, other.ID)
	change(`insert into revoked_tokens (id, expires_at) values ('logged-out', now() + interval '1 day')`)

	bad := map[string]string{
		"of a user who is gone":               mint(t, s, gone, m.ID),
		"of an inactive user":                 mint(t, s, inactive, m.ID),
		"of a user who moved to another":      mint(t, s, moved, m.ID),
		"of another merchant's user":          mint(t, s, user(t, s, other.ID), m.ID),
		"of a subject that is no id":          mint(t, s, "nobody", m.ID),
		"of the merchant in place of a user":  mint(t, s, m.ID, m.ID),
		"for a merchant in capitals":          mint(t, s, active, strings.ToUpper(m.ID)),
		"expired":                             mint(t, s, active, m.ID, func(c *keyring.Claims) { c.IssuedAt, c.ExpiresAt = c.IssuedAt.Add(-2*time.Hour), s.Store.Clock() }),
		"revoked":                             mint(t, s, active, m.ID, func(c *keyring.Claims) { c.ID = "logged-out" }),
		"of another server":                   mint(t, servertest.New(t), active, m.ID),
		"a link in place of a token":          s.Keys.SignLink([]byte(active)),
		"nothing but dots":                    "..",
		"very long":                           strings.Repeat("A.", 20_000),
		"of a good user with a link's tag":    "",
		"of a good user, two tokens in a row": mint(t, s, active, m.ID) + "," + mint(t, s, active, m.ID),
	}
	maps.Copy(bad, forged(t, s, mint(t, s, active, m.ID)))
	signed := strings.Join(strings.Split(mint(t, s, active, m.ID), ".")[:2], ".")
	bad["of a good user with a link's tag"] = signed + "." + s.Keys.SignLink([]byte(signed))
	return bad
}

// forged returns tokens made from a good one. Some are signed with the server's own key, so that
// only the forged part can be the reason to refuse them.
func forged(t *testing.T, s *servertest.Server, good string) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	header, claims := decodePart(t, parts[0]), decodePart(t, parts[1])
	key := tokenKey(t, s.KeyFile)
	if resigned := signHS256(t, header, claims, key); !tokenWorks(t, s, resigned) {
		t.Fatal("the test does not sign as the server does: nothing it forges proves anything")
	}
	with := func(part map[string]any, name string, value any) map[string]any {
		changed := maps.Clone(part)
		changed[name] = value
		if value == nil {
			delete(changed, name)
		}
		return changed
	}
	none := with(header, "alg", "none")
	bad := map[string]string{
		"alg none":                      encodePart(t, none) + "." + parts[1] + ".",
		"alg none, signature kept":      encodePart(t, none) + "." + parts[1] + "." + parts[2],
		"alg none, our key":             signHS256(t, none, claims, key),
		"alg None":                      encodePart(t, with(header, "alg", "None")) + "." + parts[1] + ".",
		"alg HS512, our key":            signHS256(t, with(header, "alg", "HS512"), claims, key),
		"alg RS256, our key":            signHS256(t, with(header, "alg", "RS256"), claims, key),
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"two parts":                     parts[0] + "." + parts[1],
		"four parts":                    good + "." + parts[2],
		"other key":                     signHS256(t, header, claims, []byte("another key of the same length..")),
		"other kid":                     signHS256(t, with(header, "kid", "AAAAAA"), claims, []byte("another key of the same length..")),
		"other kid, our key":            signHS256(t, with(header, "kid", "AAAAAA"), claims, key),
		"no kid, our key":               signHS256(t, with(header, "kid", nil), claims, key),
		"kid a path, our key":           signHS256(t, with(header, "kid", "../../dev/null"), claims, key),
		"a key in the header":           signHS256(t, with(header, "jwk", map[string]any{"kty": "oct", "k": "AAAA"}), claims, []byte{0, 0, 0}),
		"crit, our key":                 signHS256(t, with(header, "crit", []string{"b64"}), claims, key),
		"HS256 with no secret":          signHS256(t, header, claims, nil),
		"HS256 with the kid":            signHS256(t, header, claims, []byte(header["kid"].(string))),
		"HS256 with the issuer":         signHS256(t, header, claims, []byte("giftcards")),
		"HS256 with a public document":  signHS256(t, header, claims, openapi.Published),
		"another issuer, our key":       signHS256(t, header, with(claims, "iss", "https://idp.example.com"), key),
		"no issuer, our key":            signHS256(t, header, with(claims, "iss", nil), key),
		"an audience, our key":          signHS256(t, header, with(claims, "aud", "others"), key),
		"no expiry, our key":            signHS256(t, header, with(claims, "exp", nil), key),
		"no id, our key":                signHS256(t, header, with(claims, "jti", nil), key),
		"no merchant, our key":          signHS256(t, header, with(claims, "merchant", nil), key),
		"not valid before, our key":     signHS256(t, header, with(claims, "nbf", claims["exp"]), key),
		"payload of another expiry":     parts[0] + "." + encodePart(t, with(claims, "exp", claims["exp"].(float64)+1)) + "." + parts[2],
		"payload of another merchant":   parts[0] + "." + encodePart(t, with(claims, "merchant", strings.Repeat("0", 24))) + "." + parts[2],
		"payload of the same, reworded": parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(" "+mustJSON(t, claims))) + "." + parts[2],
		"padding":                       good + "=",
	}
	return bad
}

// tokenKey reads the secret that signs tokens from the server's file of keys.
func tokenKey(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
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
	key := &hmacpb.JwtHmacKey{}
	if err := proto.Unmarshal(insecurecleartextkeyset.KeysetMaterial(handle).GetKey()[0].GetKeyData().GetValue(), key); err != nil {
		t.Fatal(err)
	}
	return key.GetKeyValue()
}

func signHS256(t *testing.T, header, claims map[string]any, key []byte) string {
	t.Helper()
	signed := encodePart(t, header) + "." + encodePart(t, claims)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func decodePart(t *testing.T, part string) (decoded map[string]any) {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func encodePart(t *testing.T, part map[string]any) string {
	t.Helper()
	return base64.RawURLEncoding.EncodeToString([]byte(mustJSON(t, part)))
}
