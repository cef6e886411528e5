package sandbox

import (
	"context"
	"net/http"
	"time"

	"giftcards/server"
)

func (s *Sandbox) deleteWorld(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	return http.StatusNoContent, nil, s.forget(r.Context(), r.PathValue("name"))
}

// forgetTimeout is longer than a worker needs to notice that its task's user was deactivated.
const forgetTimeout = time.Minute

// forget deletes a world with everything that is in it. It goes on if the client hangs up,
// because half of a world is of no use.
func (s *Sandbox) forget(ctx context.Context, world string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forgetTimeout)
	defer cancel()
	found, err := s.findWorld(ctx, world)
	if err != nil {
		return err
	}
	if err := s.Store.DeleteWorld(ctx, world, server.AuditEntry(ctx, "deleteWorld")); err != nil {
		return err
	}
	s.journal.forget(found.MerchantID.String(), found.NeighbourID.String())
	return nil
}
