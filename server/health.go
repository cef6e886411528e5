package server

import (
	"context"
	"net/http"

	"giftcards/gen/api"
)

// Healthz always answers 200. The answer shows that the process runs.
func (s *Server) Healthz(context.Context, api.HealthzRequestObject) (api.HealthzResponseObject, error) {
	return api.Healthz200JSONResponse{Status: "ok"}, nil
}

// Readyz answers 200 if the server can do its work, else 503 with a sentence that says what is
// missing.
func (s *Server) Readyz(ctx context.Context, _ api.ReadyzRequestObject) (api.ReadyzResponseObject, error) {
	if err := s.Ready(ctx); err != nil {
		return nil, &refusal{status: http.StatusServiceUnavailable, detail: err.Error()}
	}
	return api.Readyz200JSONResponse{Status: "ok"}, nil
}
