package sandbox

import "net/http"

// chosen returns the handler of a request for which the client has chosen the answer's status.
// The document declares the status for the operation.
func (s *Sandbox) chosen(_ operation, code int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}
