package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"giftcards/store"
	"giftcards/store/text"
)

// This file speaks the protocol of Pact's provider states: a verifier names a state before it
// sends a request, and gets the values that it writes into the request. The states are in
// state_table.go, and how they are made in the files state_….go.

// state is a situation that a test begins with.
type state struct {
	name   string             // such as "an active card with {amount}"; {…} is a parameter
	about  string             // a sentence
	params []parameter        // all parameters, also those in the name
	values []string           // names of the values that the client gets, beside worldValues
	make   func(*scene) error // makes the state in the scene's world
	undo   func(*scene) error // ends what would outlive the test; nil if nothing would

	pattern *regexp.Regexp // of name, with a group for each parameter
}

// stateRequest is the body of POST /sandbox/states. Other properties are ignored, because
// verifiers may send more.
type stateRequest struct {
	State    string         `json:"state"`
	Params   map[string]any `json:"params"`
	Action   string         `json:"action"`   // setup, the default, or teardown
	Consumer string         `json:"consumer"` // as the pact has it
}

const (
	setup    = "setup"
	teardown = "teardown"
)

// registerStates registers the operations on states.
func (s *Sandbox) registerStates() {
	s.ownMux.HandleFunc("POST /sandbox/states", s.answering(s.makeState))
	s.ownMux.HandleFunc("GET /sandbox/states", s.answering(s.listStates))
}

func (s *Sandbox) makeState(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var asked stateRequest
	if err := decodeKnown(w, r, &asked); err != nil {
		return 0, nil, err
	}
	asked.Action = cmp.Or(asked.Action, setup)
	if asked.Action != setup && asked.Action != teardown {
		return 0, nil, badRequest(fmt.Sprintf("action must be setup or teardown, not %q", shortened(asked.Action)))
	}
	wanted, named, err := findState(asked.State)
	if err != nil {
		return 0, nil, err
	}
	params, err := wanted.read(asked.Params, named)
	if err != nil {
		return 0, nil, err
	}
	query, err := single(r.URL.RawQuery, "world")
	if err != nil {
		return 0, nil, err
	}
	if inQuery, ok := query["world"]; ok && !worldName.MatchString(inQuery) { // also if params names another one
		return 0, nil, errWorldName
	}
	name, err := worldOf(cmp.Or(params["world"], query["world"]), asked.Consumer)
	if err != nil {
		return 0, nil, err
	}
	if asked.Action == teardown {
		return http.StatusOK, struct{}{}, s.undoState(r, wanted, name, params)
	}
	// newScene may make the world, so it comes after all checks: a refused request has no effect.
	scene, err := s.newScene(r, name, params)
	if err != nil {
		return 0, nil, err
	}
	if err := wanted.make(scene); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, scene.values, scene.audit(r.Context(), "makeState")
}

// undoState ends what would outlive a test. Cards and users stay until the world is deleted.
func (s *Sandbox) undoState(r *http.Request, made *state, name string, params map[string]string) error {
	if made.undo == nil {
		return nil
	}
	world, err := s.Store.FindWorld(r.Context(), name)
	if errors.Is(err, store.ErrWorldNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	ended := &scene{sandbox: s, request: r, world: world, program: world.ProgramID, params: params}
	if err := made.undo(ended); err != nil {
		return err
	}
	return ended.audit(r.Context(), "endState")
}

// findState returns the state of a name, and the parameters that the name holds. An empty name
// means the first state: a verifier sends it for an interaction that needs no state.
func findState(name string) (*state, map[string]string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return &states[0], nil, nil
	}
	// A name without parameters comes first: "with money" must not be taken for an amount.
	for i := range states {
		if states[i].name == name {
			return &states[i], nil, nil
		}
	}
	for i := range states {
		if found := states[i].pattern.FindStringSubmatch(name); found != nil {
			named := map[string]string{}
			for group, param := range states[i].pattern.SubexpNames() {
				if param != "" {
					named[param] = found[group]
				}
			}
			return &states[i], named, nil
		}
	}
	return nil, nil, unknownState(name)
}

// longestGuessed is the longest name for which unknownState looks for a similar one, because the
// number of steps is the product of the lengths of both names.
const longestGuessed = 200

// unknownState is the refusal of a name that no state has.
func unknownState(name string) error {
	meant := ""
	if len(name) <= longestGuessed {
		var names []string
		for i := range states {
			names = append(names, states[i].name)
		}
		if near := text.Nearest(name, names, max(3, len(name)/3)); near != "" {
			meant = fmt.Sprintf(" Did you mean %q?", near)
		}
	}
	return notFound(fmt.Sprintf("There is no state %q.%s GET /sandbox/states lists all of them", shortened(name), meant))
}

// read returns the values of all parameters by their names: the defaults, replaced by the values
// that were sent, replaced by the values in the state's name.
func (st *state) read(sent map[string]any, named map[string]string) (map[string]string, error) {
	read := map[string]string{}
	for _, p := range st.params {
		read[p.name] = p.value
	}
	// In order, so that of two wrong parameters the same one is named each time.
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		p, ok := st.parameter(name)
		if !ok {
			return nil, badRequest(fmt.Sprintf("The state %q has no parameter %q; it has %s", st.name, shortened(name), st.listParameters()))
		}
		value, err := p.read(sent[name])
		if err != nil {
			return nil, err
		}
		if value != "" {
			read[name] = value
		}
	}
	for name, value := range named {
		p, _ := st.parameter(name)
		value, err := p.read(value)
		if err != nil {
			return nil, err
		}
		read[name] = value
	}
	return read, nil
}

func (st *state) parameter(name string) (parameter, bool) {
	at := slices.IndexFunc(st.params, func(p parameter) bool { return p.name == name })
	if at < 0 {
		return parameter{}, false
	}
	return st.params[at], true
}

func (st *state) listParameters() string {
	var names []string
	for _, p := range st.params {
		names = append(names, p.name)
	}
	return strings.Join(names, ", ")
}

// worldOf returns the name of the world that a state is made in: the one that is asked for, or
// one for the consumer.
func worldOf(asked, consumer string) (string, error) {
	if asked == "" {
		// A consumer's name may have blanks and other characters that a world's name must not have.
		asked = strings.Trim(unfit.ReplaceAllString(consumer, "-"), "-._")
		asked = cmp.Or(asked[:min(len(asked), 100)], "states")
	}
	if !worldName.MatchString(asked) {
		return "", errWorldName
	}
	return asked, nil
}

var unfit = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// The answer to GET /sandbox/states lists each state in these forms.
type (
	listedState struct {
		State       string            `json:"state"`
		Description string            `json:"description"`
		Params      []listedParameter `json:"params"`
		Returns     []listedValue     `json:"returns"`
	}
	listedParameter struct {
		Name        string `json:"name"`
		Type        string `json:"type"`
		Default     string `json:"default,omitempty"`
		Description string `json:"description"`
	}
	listedValue struct {
		Name        string `json:"name"`
		Description string `json:"description"`
	}
)

func (s *Sandbox) listStates(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	if _, err := single(r.URL.RawQuery); err != nil {
		return 0, nil, err
	}
	list := make([]listedState, len(states))
	for i, st := range states {
		told := listedState{State: st.name, Description: st.about, Params: []listedParameter{}, Returns: []listedValue{}}
		for _, p := range st.params {
			told.Params = append(told.Params, listedParameter{p.name, p.kind, p.value, p.about})
		}
		for _, name := range st.returns() {
			told.Returns = append(told.Returns, listedValue{name, meanings[name]})
		}
		list[i] = told
	}
	return http.StatusOK, map[string]any{"states": list}, nil
}

// returns lists the names of everything that a client gets.
func (st *state) returns() []string {
	names := slices.Concat(worldValues, st.values)
	slices.Sort(names)
	return slices.Compact(names)
}
