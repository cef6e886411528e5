package main

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"giftcards/gen/api"
	"giftcards/store/money"
)

// Routes of the bare echo server.
const (
	barePoll  = "/v2/giftcards/programs/:programId/cards/bulk/:taskId"
	bareBulk  = "/v2/giftcards/programs/:programId/cards/bulk"
	bareCheck = "/v2/giftcards/programs/:programId/balance-check"
	bareCards = "/v2/giftcards/programs/:programId/cards"
	bareCard  = "/v2/giftcards/programs/:programId/cards/:cardId"
	bareList  = "/v2/giftcards/programs/cards"
)

// serveEcho serves floors: echo with its router, and answers of the same type and size as the
// server's. Only serveCreates uses the database. It ends with ctx.
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
	e.POST(bareCheck, checkBare)
	e.POST(bareCards, refuseBare)
	keepAnswer[api.GiftCardDetailsResponse](e, bareCard)
	keepAnswer[[]api.GiftCardResponse](e, bareList)
	serveCreates(ctx, e)
	server := &http.Server{Addr: address, Handler: e, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	// After the end of ctx an error is expected, because Close was called.
	if err := server.ListenAndServe(); ctx.Err() == nil {
		return err
	}
	return nil
}

// keepAnswer lets PUT give the answer that GET encodes, as a value of the server's own type.
func keepAnswer[T any](e *echo.Echo, route string) {
	var answer T
	e.PUT(route, func(c echo.Context) error {
		answer = *new(T) // decoding would keep the fields that the new answer does not have
		if err := c.Bind(&answer); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	e.GET(route, func(c echo.Context) error { return c.JSON(http.StatusOK, &answer) })
}

// checkBare answers every balance check with the same card.
func checkBare(c echo.Context) error {
	var asked api.BalanceCheckRequest
	if err := c.Bind(&asked); err != nil {
		return err
	}
	balance, err := money.Parse(startBalance)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, api.BalanceCheckResponse{
		Id: "6926f0a1c3d4e5f601020304", ProgramId: c.Param("programId"), CardNumber: asked.CardNumber, LastFourDigits: asked.CardNumber[len(asked.CardNumber)-4:],
		Balance: balance, Status: "active", ExpiresAt: time.Now().UTC().Truncate(time.Microsecond), IsActive: true,
	})
}
