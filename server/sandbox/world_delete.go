package sandbox

import (
	"context"
	"net/http"
)

func (s *Sandbox) deleteWorld(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	return http.StatusNoContent, nil, s.forget(r.Context(), r.PathValue("name"))
}

// forget deletes a world with everything that is in it. It goes on if the client hangs up,
// because half of a world is of no use.
func (s *Sandbox) forget(ctx context.Context, world string) error {
	return s.Store.DeleteWorld(context.WithoutCancel(ctx), world)
}
