package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"giftcards/server/rules"
	"giftcards/store"
	"giftcards/store/id"
)

// registerJournal registers the operations on the journal.
func (s *Sandbox) registerJournal() {
	s.journal = newJournal(journalBudget)
	s.ownMux.HandleFunc("GET /sandbox/requests", s.listRequests)
	s.ownMux.HandleFunc("DELETE /sandbox/requests", s.answering(s.forgetRequests))
}

// requestFilter chooses records of the journal. A zero field chooses all records.
type requestFilter struct {
	merchants []string // of the world; nil for all requests, also those without a token
	operation string
	status    int
	key       string
	after     uint64 // number of a record
	limit     int    // most records
}

// matches reports whether a record matches, except for its number. The journal's mutex must be
// held.
func (f requestFilter) matches(r *record) bool {
	return (f.merchants == nil || slices.Contains(f.merchants, r.merchant)) &&
		(f.operation == "" || f.operation == r.operation.id || f.operation == r.operation.name()) &&
		(f.status == 0 || f.status == r.status) &&
		(f.key == "" || f.key == r.key())
}

const defaultLimit = 100

func badFilter(format string, args ...any) error { return badRequest(fmt.Sprintf(format, args...)) }

// single returns the parameters of a query. Each may come once, and must be one of the names.
func single(query string, names ...string) (map[string]string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, badFilter("The query cannot be read: write each parameter as name=value")
	}
	found := map[string]string{}
	for name, all := range values {
		switch {
		case !slices.Contains(names, name):
			return nil, badFilter("There is no parameter %q; %s", shortened(name), listed(names))
		case len(all) > 1:
			return nil, badFilter("%s must be sent once", name)
		case all[0] == "":
			return nil, badFilter("%s must not be empty", name)
		}
		found[name] = all[0]
	}
	return found, nil
}

// listed lists names in words.
func listed(names []string) string {
	last := len(names) - 1
	switch last {
	case -1:
		return "there is none"
	case 0:
		return "there is only " + names[0]
	}
	return "there are " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func (s *Sandbox) parseFilter(ctx context.Context, query string) (f requestFilter, err error) {
	given, err := single(query, "world", "operation", "status", "idempotencyKey", "after", "limit")
	if err != nil {
		return f, err
	}
	// Key removes quotes, because the key of a record has none either.
	f.limit, f.operation, f.key = defaultLimit, given["operation"], rules.Key(given["idempotencyKey"])
	if f.operation != "" && !s.operations.has(f.operation) {
		return f, badFilter("There is no operation %q; an operation is an operationId of /openapi-complete.json, or its beginning before _v2_", shortened(f.operation))
	}
	for name, read := range map[string]struct {
		into        *int
		least, most int
	}{"status": {&f.status, 100, 599}, "limit": {&f.limit, 1, requestsOfWorld}} {
		text, ok := given[name]
		if !ok {
			continue
		}
		if *read.into, err = strconv.Atoi(text); err != nil || *read.into < read.least || *read.into > read.most {
			return f, badFilter("%s must be a number from %d to %d", name, read.least, read.most)
		}
	}
	if text, ok := given["after"]; ok {
		if f.after, err = strconv.ParseUint(text, 10, 63); err != nil {
			return f, badFilter("after must be the id of a request")
		}
	}
	if world, ok := given["world"]; ok {
		f.merchants, err = s.merchantsIn(ctx, world)
	}
	return f, err
}

// merchantsIn returns the ids of the merchants whose requests belong to a world. world is the
// name of a world, or the id of a merchant, which is then the only one.
func (s *Sandbox) merchantsIn(ctx context.Context, world string) ([]string, error) {
	found, err := s.findWorld(ctx, world)
	if err == nil {
		return []string{found.MerchantID.String(), found.NeighbourID.String()}, nil
	}
	if !errors.Is(err, store.ErrWorldNotFound) {
		return nil, err
	}
	merchant, err := id.Parse(world)
	if err != nil {
		return nil, notFound(fmt.Sprintf("There is no world %q", shortened(world)))
	}
	return []string{merchant.String()}, nil
}

// listRequests answers with the records that match, the newest first. It encodes one at a time,
// because all together may be as large as the journal.
func (s *Sandbox) listRequests(w http.ResponseWriter, r *http.Request) {
	f, err := s.parseFilter(r.Context(), r.URL.RawQuery)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	separator := `{"requests":[`
	for _, kept := range s.journal.matching(f) {
		shown, ok := kept.show()
		if !ok { // dropped meanwhile
			continue
		}
		encoded, err := json.Marshal(shown)
		if err == nil {
			_, err = w.Write(append([]byte(separator), encoded...))
		}
		if err != nil { // the client has gone
			s.Logger.InfoContext(r.Context(), "answer not sent", "error", err)
			return
		}
		separator = ","
	}
	if separator != "," {
		_, _ = w.Write([]byte(separator))
	}
	_, _ = w.Write([]byte("]}\n"))
}

// forgetRequests empties the journal of a world.
func (s *Sandbox) forgetRequests(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	given, err := single(r.URL.RawQuery, "world")
	if err != nil {
		return 0, nil, err
	}
	if given["world"] == "" {
		return 0, nil, badRequest("Name the world whose requests are to be forgotten, as in /sandbox/requests?world=NAME")
	}
	merchants, err := s.merchantsIn(r.Context(), given["world"])
	if err != nil {
		return 0, nil, err
	}
	s.journal.forget(merchants...)
	return http.StatusNoContent, nil, nil
}
