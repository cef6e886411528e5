package sandbox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"giftcards/server"
	"giftcards/server/password"
	"giftcards/server/validate/email"
	"giftcards/store"
	"giftcards/store/id"
	"giftcards/store/keyring"
	"giftcards/store/text"
)

// Bounds of what a client may ask for in a world.
const (
	mostPrograms  = 20
	mostUsers     = 20
	tokenLifetime = 24 * time.Hour
)

// worldName matches the names that a world may have. A name needs no escaping in a path.
var worldName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

var errWorldName = badRequest("name must have 1 to 100 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit")

// worldRequest is the body of POST /sandbox/worlds. Each property may be left out.
type worldRequest struct {
	Name     string         `json:"name"`     // default: one at random
	Replace  bool           `json:"replace"`  // whether an existing world of the name is deleted first
	Merchant string         `json:"merchant"` // default: the name
	Programs []string       `json:"programs"` // default: one
	Users    []*userRequest `json:"users"`    // default: one of each role; nil for null
}

type userRequest struct {
	Role     string `json:"role"`     // default: issuer
	Email    string `json:"email"`    // default: one of its own
	Name     string `json:"name"`     // default: the role
	Password string `json:"password"` // default: one at random
}

// worldAnswer is a world in an answer.
type worldAnswer struct {
	Name       string            `json:"name"`
	CreatedAt  time.Time         `json:"createdAt"`
	MerchantID id.ID             `json:"merchantId"`
	ProgramID  id.ID             `json:"programId"`
	Programs   []programAnswer   `json:"programs"`
	Users      []userAnswer      `json:"users"`
	Token      string            `json:"token,omitempty"` // of the first issuer
	Tokens     map[string]string `json:"tokens"`          // of the first user of each role
	Neighbour  neighbourAnswer   `json:"neighbour"`
}

type programAnswer struct {
	ID   id.ID  `json:"id"`
	Name string `json:"name"`
}

type userAnswer struct {
	ID       id.ID  `json:"id"`
	Role     string `json:"role"`
	Email    string `json:"email"`
	Name     string `json:"name"`
	Active   bool   `json:"active"`
	Token    string `json:"token"`
	Password string `json:"password,omitempty"` // only when the world was just made
}

// neighbourAnswer is a merchant that the world must not reach.
type neighbourAnswer struct {
	MerchantID id.ID  `json:"merchantId"`
	ProgramID  id.ID  `json:"programId"`
	Token      string `json:"token"`
}

// registerWorlds registers the operations on worlds.
func (s *Sandbox) registerWorlds() {
	s.ownMux.HandleFunc("POST /sandbox/worlds", s.answering(s.createWorld))
	s.ownMux.HandleFunc("GET /sandbox/worlds", s.answering(s.listWorlds))
	s.ownMux.HandleFunc("GET /sandbox/worlds/{name}", s.answering(s.getWorld))
	s.ownMux.HandleFunc("DELETE /sandbox/worlds/{name}", s.answering(s.deleteWorld))
}

func (s *Sandbox) createWorld(w http.ResponseWriter, r *http.Request) (int, any, error) {
	ctx := r.Context()
	var asked worldRequest
	if err := decode(w, r, &asked); err != nil {
		return 0, nil, err
	}
	if asked.Name == "" {
		asked.Name = "world-" + strings.ToLower(rand.Text())[:12]
	}
	n, passwords, err := asked.plan()
	if err != nil {
		return 0, nil, err
	}
	// plan comes first, so that a body that it refuses does not delete the old world.
	if asked.Replace {
		if err := s.forget(ctx, asked.Name); err != nil && !errors.Is(err, store.ErrWorldNotFound) {
			return 0, nil, err
		}
	}
	world, err := s.addWorld(ctx, n)
	if err != nil {
		return 0, nil, err
	}
	answer, err := s.toWorld(world)
	// The passwords come from plan, because the database has only their hashes.
	for i := range answer.Users {
		answer.Users[i].Password = passwords[answer.Users[i].Email]
	}
	w.Header().Set("Location", s.operations.base+"/sandbox/worlds/"+world.Name)
	return http.StatusCreated, answer, err
}

// addWorld makes a world, and writes an entry of the audit log.
func (s *Sandbox) addWorld(ctx context.Context, n store.WorldSpec) (store.World, error) {
	return store.Write(ctx, s.Store, func(tx *store.Tx) (store.World, error) {
		world, err := tx.AddWorld(ctx, n)
		if err != nil {
			return store.World{}, err
		}
		return world, tx.Audit(ctx, world.Audited(server.AuditEntry(ctx, "createWorld")))
	})
}

// findWorld returns the world of a name, and fails with store.ErrWorldNotFound. It does not ask the
// database for a name that no world can have, because PostgreSQL may refuse its characters.
func (s *Sandbox) findWorld(ctx context.Context, name string) (store.World, error) {
	if !worldName.MatchString(name) {
		return store.World{}, store.ErrWorldNotFound
	}
	return s.Store.FindWorld(ctx, name)
}

func (s *Sandbox) getWorld(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	world, err := s.findWorld(r.Context(), r.PathValue("name"))
	if err != nil {
		return 0, nil, err
	}
	answer, err := s.toWorld(world)
	return http.StatusOK, answer, err
}

func (s *Sandbox) listWorlds(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	// Without names, single refuses every parameter, because none would have an effect.
	if _, err := single(r.URL.RawQuery); err != nil {
		return 0, nil, err
	}
	worlds, err := s.Store.Worlds(r.Context())
	if err != nil {
		return 0, nil, err
	}
	type listed struct {
		Name       string    `json:"name"`
		CreatedAt  time.Time `json:"createdAt"`
		MerchantID id.ID     `json:"merchantId"`
		ProgramID  id.ID     `json:"programId"`
	}
	list := make([]listed, len(worlds))
	for i, world := range worlds {
		list[i] = listed{world.Name, world.CreatedAt.UTC(), world.MerchantID, world.ProgramID}
	}
	return http.StatusOK, map[string]any{"worlds": list}, nil
}

// plan judges the request and fills in what it leaves open. It returns the passwords of the
// users by their addresses.
func (q worldRequest) plan() (n store.WorldSpec, passwords map[string]string, err error) {
	switch {
	case !worldName.MatchString(q.Name):
		return n, nil, errWorldName
	case len(q.Programs) > mostPrograms:
		return n, nil, badRequest(fmt.Sprintf("programs must have %d names at most", mostPrograms))
	case len(q.Users) > mostUsers:
		return n, nil, badRequest(fmt.Sprintf("users must have %d entries at most", mostUsers))
	}
	n = store.WorldSpec{Name: q.Name, Merchant: q.Merchant, Programs: q.Programs}
	if n.Merchant == "" {
		n.Merchant = q.Name
	}
	if len(n.Programs) == 0 {
		n.Programs = []string{"Gift cards"}
	}
	for _, name := range append(n.Programs, n.Merchant) {
		if _, err := store.CheckName(name); err != nil {
			return n, nil, err
		}
	}
	if len(q.Users) == 0 {
		q.Users = []*userRequest{{Role: store.RoleIssuer}, {Role: store.RoleCashier}, {Role: store.RoleReader}}
	}
	passwords = map[string]string{}
	for _, asked := range q.Users {
		if asked == nil {
			return n, nil, badRequest("users must not have a JSON null")
		}
		user, secret, err := asked.plan()
		if err != nil {
			return n, nil, err
		}
		passwords[user.Email] = secret
		n.Users = append(n.Users, user)
	}
	// Nobody gets the password of the neighbour, because the answer has a token for it.
	n.Neighbour, _, err = userRequest{Name: "Neighbour"}.plan()
	return n, passwords, err
}

// plan judges the request and fills in what it leaves open.
func (q userRequest) plan() (user store.User, secret string, err error) {
	switch q.Role {
	case "":
		q.Role = store.RoleIssuer
	case store.RoleIssuer, store.RoleCashier, store.RoleReader:
	default:
		return store.User{}, "", badRequest(fmt.Sprintf("role must be issuer, cashier or reader, not %q", shortened(q.Role)))
	}
	if q.Email == "" {
		// The addresses of all worlds differ, because a user logs in by the address alone.
		q.Email = q.Role + "-" + strings.ToLower(rand.Text())[:16] + "@example.com"
	}
	address, reason := email.Normalize(q.Email)
	if reason != "" {
		return store.User{}, "", badRequest(fmt.Sprintf("%q is not an e-mail address: %s", shortened(q.Email), reason))
	}
	// text.Line replaces the characters that the database cannot store.
	if q.Name = strings.TrimSpace(text.Line(q.Name)); q.Name == "" {
		q.Name = strings.ToUpper(q.Role[:1]) + q.Role[1:]
	}
	if utf8.RuneCountInString(q.Name) > mostTextLength {
		return store.User{}, "", store.ErrBadName
	}
	if secret = q.Password; secret == "" {
		secret = rand.Text()
	}
	hash, err := password.HashCheaply(secret)
	if errors.Is(err, password.ErrLength) {
		err = badRequest(err.Error())
	}
	return store.User{Email: store.CleanEmail(address), Name: &q.Name, Role: q.Role, PasswordHash: hash}, secret, err
}

// toWorld converts a world, and signs a fresh token for each of its users.
func (s *Sandbox) toWorld(world store.World) (answer worldAnswer, err error) {
	answer = worldAnswer{
		Name: world.Name, CreatedAt: world.CreatedAt.UTC(), MerchantID: world.MerchantID, ProgramID: world.ProgramID,
		Programs: []programAnswer{}, Users: []userAnswer{}, Tokens: map[string]string{},
	}
	for _, program := range world.Programs {
		answer.Programs = append(answer.Programs, programAnswer{program.ID, program.Name})
	}
	for _, user := range world.Users {
		told := userAnswer{ID: user.ID, Role: user.Role, Email: user.Email, Active: user.Active}
		if user.Name != nil {
			told.Name = *user.Name
		}
		if told.Token, err = s.sign(user, tokenLifetime); err != nil {
			return worldAnswer{}, err
		}
		answer.Users = append(answer.Users, told)
		// The server refuses the token of a deactivated user, so the role gets that of another one.
		if _, ok := answer.Tokens[user.Role]; !ok && user.Active {
			answer.Tokens[user.Role] = told.Token
		}
	}
	answer.Token = answer.Tokens[store.RoleIssuer]
	answer.Neighbour = neighbourAnswer{MerchantID: world.NeighbourID, ProgramID: world.Neighbour.Program.ID}
	answer.Neighbour.Token, err = s.sign(world.Neighbour.User, tokenLifetime)
	return answer, err
}

// sign returns a token of a user, as a login would return it, but without a password. The token
// is valid for lifetime from now on. It has expired if lifetime is negative.
func (s *Sandbox) sign(user store.User, lifetime time.Duration) (string, error) {
	issued := store.TokenTime(user, s.Store.Clock())
	expires := issued.Add(lifetime)
	if lifetime < 0 {
		issued = expires.Add(lifetime)
	}
	return s.Keys.SignToken(keyring.Claims{
		Subject: user.ID.String(), ID: uuid.NewString(), Merchant: user.MerchantID.String(), IssuedAt: issued, ExpiresAt: expires,
	})
}
