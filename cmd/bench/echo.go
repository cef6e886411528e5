package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
)

// Routes of the bare echo server.
const (
	barePoll = "/v2/giftcards/programs/:programId/cards/bulk/:taskId"
	bareBulk = "/v2/giftcards/programs/:programId/cards/bulk"
)

// serveEcho serves the floor of work without a database: echo with its router and an answer
// of the same type and size as the server's. It ends with ctx.
func serveEcho(ctx context.Context, address string) error {
	e := echo.New()
	e.GET(barePoll, func(c echo.Context) error {
		c.Response().Header().Set("Retry-After", "2")
		return c.JSON(http.StatusOK, api.BulkIssuanceTaskStatus{TaskId: c.Param("taskId"), Status: "processing"})
	})
	e.POST(bareBulk, func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		return c.NoContent(http.StatusAccepted)
	})
	server := &http.Server{Addr: address, Handler: e, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}
