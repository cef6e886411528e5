package sandbox

import (
	"net/http"

	"github.com/google/uuid"

	"giftcards/gen/api"
	"giftcards/store"
)

func emptyWorld(*scene) error { return nil }

func emptyProgram(c *scene) error {
	ctx := c.request.Context()
	program, err := store.Write(ctx, c.sandbox.Store, func(tx *store.Tx) (store.Program, error) {
		return tx.AddProgram(ctx, c.world.MerchantID, "Program "+uuid.NewString()[:8])
	})
	c.program, c.values["programId"] = program.ID, program.ID
	return err
}

func programWithCards(c *scene) error {
	if err := emptyProgram(c); err != nil {
		return err
	}
	// At once and not by a task, whatever the threshold is.
	var issued api.BulkIssuanceSyncResponse
	return c.do(step{
		method: http.MethodPost, path: "/cards/bulk", header: map[string]string{preferHeader: "code=201"},
		body: map[string]any{"initialValue": c.params["amount"], "count": c.counted("count")},
	}, &issued)
}

func foreignProgram(c *scene) error {
	c.program = c.world.Neighbour.Program.ID
	c.values["programId"], c.values["merchantId"] = c.program, c.world.NeighbourID
	return nil
}

func foreignCard(c *scene) (err error) {
	if err := foreignProgram(c); err != nil {
		return err
	}
	// Only the other merchant's own user may issue it.
	if c.token, err = c.sandbox.sign(c.world.Neighbour.User, tokenLifetime); err != nil {
		return err
	}
	return pendingCard(c)
}
