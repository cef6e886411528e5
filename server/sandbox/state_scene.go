package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/server"
	"giftcards/store"
	"giftcards/store/id"
)

// scene makes one state for a client. It sends requests through the server as an issuer of the
// world. The journal does not keep these requests.
type scene struct {
	sandbox *Sandbox
	request *http.Request // the client's; the scene's requests have its address and its context
	world   store.World
	program id.ID
	token   string // of the user who sends the scene's requests
	params  map[string]string
	values  map[string]any // what the client gets
}

// newScene prepares a scene in the world of a name, which it makes if there is none.
func (s *Sandbox) newScene(r *http.Request, name string, params map[string]string) (*scene, error) {
	world, err := s.findOrMakeWorld(r.Context(), name)
	if err != nil {
		return nil, err
	}
	told, err := s.toWorld(world)
	if err != nil {
		return nil, err
	}
	c := &scene{sandbox: s, request: r, world: world, program: world.ProgramID, params: params, token: told.Token}
	if wanted := params["program"]; wanted != "" {
		if c.program, err = programOf(world, wanted); err != nil {
			return nil, err
		}
	}
	// A client may ask for a world that has only cashiers and readers.
	if c.token == "" {
		return nil, badRequest("The world must have an issuer, who makes its cards")
	}
	c.values = map[string]any{
		"world": world.Name, "merchantId": world.MerchantID, "programId": c.program, "token": told.Token,
		"cashierToken": told.Tokens[store.RoleCashier], "readerToken": told.Tokens[store.RoleReader],
	}
	return c, nil
}

func (s *Sandbox) findOrMakeWorld(ctx context.Context, name string) (store.World, error) {
	world, err := s.Store.FindWorld(ctx, name)
	if !errors.Is(err, store.ErrWorldNotFound) {
		return world, err
	}
	planned, _, err := worldRequest{Name: name}.plan()
	if err != nil {
		return store.World{}, err
	}
	world, err = s.addWorld(ctx, planned)
	if errors.Is(err, store.ErrWorldExists) { // another request has just made it
		return s.Store.FindWorld(ctx, name)
	}
	return world, err
}

// programOf returns the program of a world with a name or an id.
func programOf(world store.World, wanted string) (id.ID, error) {
	for _, program := range world.Programs {
		if program.Name == wanted || program.ID.String() == wanted {
			return program.ID, nil
		}
	}
	return id.ID{}, notFound(fmt.Sprintf("The world has no program %q", shortened(wanted)))
}

// step is a request that makes a part of a state.
type step struct {
	method, path string // the path behind that of the program
	body         map[string]any
	header       map[string]string
	at           time.Time // for Sandbox-Now; zero for none
}

// audit writes an entry that the scene made or ended its state. The entry's subject is the card,
// the task or the user that the client gets, or else the merchant.
func (c *scene) audit(ctx context.Context, operation string) error {
	entry := c.world.Audited(server.AuditEntry(ctx, operation))
	// Audited names the first program of the world, and the scene may be in another one.
	entry.ProgramID = c.program
	// A scene that ends a state has no values, so its subject stays the merchant.
	switch {
	case c.values["cardId"] != nil:
		card, err := id.Parse(c.values["cardId"].(string))
		if err != nil {
			return err
		}
		entry.Subject = card[:]
	case c.values["taskId"] != nil:
		task, err := uuid.Parse(c.values["taskId"].(string))
		if err != nil {
			return err
		}
		entry.Subject = task[:]
	case c.values["userId"] != nil:
		user := c.values["userId"].(id.ID)
		entry.Subject = user[:]
	}
	return store.Do(ctx, c.sandbox.Store, func(tx *store.Tx) error { return tx.Audit(ctx, entry) })
}

// do sends a request and decodes its answer into answer. It fails with a *stateRefusedError if the
// server refuses.
func (c *scene) do(st step, answer any) error {
	if st.body == nil {
		st.body = map[string]any{}
	}
	body, err := json.Marshal(st.body)
	if err != nil {
		return fmt.Errorf("encode request of a state: %w", err)
	}
	path := st.path
	if !strings.HasPrefix(path, "/v2/") {
		path = "/v2/giftcards/programs/" + c.program.String() + path
	}
	r, err := http.NewRequestWithContext(c.request.Context(), st.method, path, bytes.NewReader(body)) //nolint:gosec // it is handed to a function
	if err != nil {
		return fmt.Errorf("make request of a state: %w", err)
	}
	r.RequestURI, r.RemoteAddr, r.Host = path, c.request.RemoteAddr, c.request.Host
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	for name, value := range st.header {
		r.Header.Set(name, value)
	}
	if !st.at.IsZero() {
		r.Header.Set(nowHeader, st.at.UTC().Format(time.RFC3339Nano))
	}
	// control is behind the journal, in which a test looks for its own requests only.
	got := &kept{header: http.Header{}, status: http.StatusOK}
	c.sandbox.control(got, r, c.sandbox.operations.find(r))
	if got.status >= http.StatusMultipleChoices {
		return &stateRefusedError{status: got.status, body: got.body.Bytes()}
	}
	if answer == nil {
		return nil
	}
	if err := json.Unmarshal(got.body.Bytes(), answer); err != nil {
		return fmt.Errorf("decode answer of a state: %w", err)
	}
	return nil
}

// stateRefusedError says that the server has refused a request that makes a state, usually
// because a parameter breaks the contract.
type stateRefusedError struct {
	status int
	body   []byte
}

func (e *stateRefusedError) Error() string {
	return fmt.Sprintf("The server refuses to make the state: %d %s", e.status, bytes.TrimSpace(e.body))
}

// kept is an answer that is kept in memory.
type kept struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header returns the header.
func (k *kept) Header() http.Header { return k.header }

// WriteHeader keeps the status.
func (k *kept) WriteHeader(status int) { k.status = status }

// Write keeps a part of the body.
func (k *kept) Write(part []byte) (int, error) { return k.body.Write(part) }

// tell adds a card as it is now, with its security code, to the values for the client.
func (c *scene) tell(card string) error {
	cardID, err := id.Parse(card)
	if err != nil {
		return err
	}
	ctx := c.request.Context()
	// Only LockCard reads a card with its sealed code.
	found, err := store.Write(ctx, c.sandbox.Store, func(tx *store.Tx) (*store.Card, error) { return tx.LockCard(ctx, c.program, cardID) })
	if err != nil {
		return err
	}
	code, err := c.sandbox.Store.OpenCode(found.ID, found.SealedCode)
	if err != nil {
		return err
	}
	number := store.FormatNumber(found.CardNumber)
	maps.Copy(c.values, map[string]any{
		"cardId": card, "cardNumber": number, "lastFourDigits": number[len(number)-4:], "securityCode": code,
		"initialValue": found.InitialValue, "balance": found.Balance, "expiresAt": found.ExpiresAt.UTC(),
		"status": api.GiftCardStatus(store.StateOf(&found.GiftCard, c.sandbox.Store.Clock())),
	})
	return nil
}
