package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	"github.com/valyala/fasthttp"
)

// createEchoLine compares a create over one connection with the least that a server made with echo
// and pgx can do for it: read the request, carry out the floor's statement, and answer. So it shows
// how much of the distance to pgbench no handler can avoid.
func (b *bench) createEchoLine() line {
	return line{
		name: "create-echo", unit: "requests/s",
		work:  "create a card with an e-mail recipient and a key, 1 connection",
		floor: "bare echo that carries out pgbench's statement by pgx, 1 connection",
		setUp: b.teachEcho,
		ours:  func(ctx context.Context, p *process) (round, error) { return b.create(ctx, p, 1) },
		bare:  b.createByEcho,
	}
}

// bareCreate is the body of a PUT. It has all that the echo server needs to create a card.
type bareCreate struct {
	Address   string // of the database
	Statement string // with a number for $1 that no create before had
	Answer    json.RawMessage
}

const bareCreatePath = "/create"

// teachEcho gives the echo server pgbench's statement and an answer of the server.
func (b *bench) teachEcho(ctx context.Context) error {
	if err := b.writeCreateScript(ctx, 1); err != nil {
		return err
	}
	script, err := os.ReadFile(b.createScript())
	if err != nil {
		return err
	}
	_, statement, _ := strings.Cut(string(script), "\n")
	// pgbench has a number for each client and run beside that of the create.
	statement = strings.NewReplacer(":run::int2", "0::int2", ":client_id::int2", "0::int2", ":n::int", "$1::int").Replace(statement)
	request, err := b.request(ctx, http.MethodPost, b.server.address, b.cards(), []byte(b.createBody()))
	if err != nil {
		return err
	}
	answer, err := do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	created, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	lesson, err := json.Marshal(bareCreate{b.db.server.URL(), strings.TrimSuffix(strings.TrimSpace(statement), ";"), created})
	if err != nil {
		return err
	}
	return b.giveEcho(ctx, bareCreatePath, lesson)
}

func (b *bench) createByEcho(ctx context.Context) (round, error) {
	if err := b.fresh(ctx); err != nil {
		return round{}, err
	}
	l := b.createLoad(b.echo, 1)
	prepare := l.prepare
	l.prepare = func(request *fasthttp.Request) {
		prepare(request)
		request.SetRequestURI("http://" + b.echo.address + bareCreatePath)
	}
	return b.runCreateLoad(ctx, b.echo, l)
}

// serveCreates lets the echo server learn a statement by PUT, and carry it out by POST.
func serveCreates(ctx context.Context, e *echo.Echo) {
	// There is no lock, because the bench sends the PUT before the first POST.
	var learned bareCreate
	var pool *pgxpool.Pool
	var creates atomic.Int32
	e.PUT(bareCreatePath, func(c echo.Context) (err error) {
		if err := c.Bind(&learned); err != nil {
			return err
		}
		if pool, err = pgxpool.New(ctx, learned.Address); err != nil {
			return err
		}
		return c.NoContent(http.StatusNoContent)
	})
	e.POST(bareCreatePath, func(c echo.Context) error {
		if _, err := io.Copy(io.Discard, c.Request().Body); err != nil {
			return err
		}
		if _, err := pool.Exec(ctx, learned.Statement, creates.Add(1)); err != nil {
			return err
		}
		return c.JSONBlob(http.StatusCreated, learned.Answer)
	})
}
