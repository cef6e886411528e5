package sandbox

import (
	"errors"
	"net/http"
)

// fault is what goes wrong with one request. The zero value is none.
type fault struct{}

// parseFault reads a Sandbox-Fault. The error is a sentence for the client.
func parseFault(string) (fault, error) {
	return fault{}, errors.New(faultHeader + " is not known")
}

// serveFault answers a request by next, and lets the fault happen.
func (s *Sandbox) serveFault(w http.ResponseWriter, r *http.Request, _ fault, next http.Handler) {
	next.ServeHTTP(w, r)
}
