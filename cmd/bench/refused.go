package main

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
	"github.com/valyala/fasthttp"

	"giftcards/gen/api"
)

// refusedAnswer is the body of a 422 as the server writes it for refusedBody.
const (
	refusedBody   = `{"initialValue":"25.00","merchantId":"none","customerEmail":"grace.hopper@example"}`
	refusedAnswer = `{"detail":[{"type":"string_pattern_mismatch","loc":["body","merchantId"],"msg":"String should match pattern '^[0-9a-f]{24}$'","input":"none"}]}`
)

func (b *bench) refusedLine() line {
	return line{
		name: "refused", unit: "requests/s",
		work:  "a create whose body is refused with 422, 64 connections",
		floor: "bare echo that decodes the body and sends a 422 of about the same size",
		ours:  b.refuse,
		bare:  func(ctx context.Context) (round, error) { return b.refuse(ctx, b.echo) },
	}
}

func (b *bench) refuse(ctx context.Context, p *process) (round, error) {
	l := b.createLoad(p, 64)
	prepare := l.prepare
	l.prepare = func(request *fasthttp.Request) {
		prepare(request)
		request.SetBodyString(refusedBody)
	}
	l.refused = true
	r, _, err := b.under(ctx, p, l)
	return r, err
}

// refuseBare answers 422 to a create.
func refuseBare(c echo.Context) error {
	var asked api.CreateGiftCardRequest
	if err := c.Bind(&asked); err != nil {
		return err
	}
	return c.JSONBlob(http.StatusUnprocessableEntity, []byte(refusedAnswer))
}
