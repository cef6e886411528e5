package main

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"giftcards/openapi"
)

// peerFiles are a program for FastAPI and asyncpg, and the list of the packages that it needs.
//
//go:embed peers/twin.py peers/requirements.txt
var peerFiles embed.FS

// prism is the npm package that mocks the document, in the same version as in openapi/contract.
const prism = "@stoplight/prism-cli@5.14.2"

// peerLines compare the server with programs that people may use instead of it. Both sides get
// the same requests in turns.
func (b *bench) peerLines() []line {
	var twin, mock *process
	peer := func(name, work, floor string, connections int, start func(context.Context) (*process, error), p **process, rows bool) line {
		return line{
			name: name, unit: "requests/s", work: work, floor: floor, peer: true,
			setUp: func(ctx context.Context) (err error) {
				// The two lines of FastAPI share one server.
				if *p == nil {
					*p, err = start(ctx)
				}
				return err
			},
			ours: func(ctx context.Context, ours *process) (round, error) { return b.create(ctx, ours, connections) },
			bare: func(ctx context.Context) (round, error) {
				// Prism writes no rows, so the check for rows in create would fail.
				if rows {
					return b.create(ctx, *p, connections)
				}
				r, _, err := b.under(ctx, *p, b.createLoad(*p, connections))
				return r, err
			},
		}
	}
	const work = "create a card with an e-mail recipient and a key, "
	fastapi := fmt.Sprintf("FastAPI and asyncpg with %d processes write the same rows: cmd/bench/peers", runtime.NumCPU())
	return []line{
		peer("fastapi", work+"64 connections", fastapi, 64, b.startTwin, &twin, true),
		peer("fastapi-single", work+"1 connection", fastapi, 1, b.startTwin, &twin, true),
		peer("prism", work+"64 connections", prism+" answers from the document, without a database", 64, b.startPrism, &mock, false),
	}
}

// startTwin installs the twin's packages and starts it.
func (b *bench) startTwin(ctx context.Context) (*process, error) {
	dir := filepath.Join(b.dir, "peers")
	if err := os.CopyFS(b.dir, peerFiles); err != nil {
		return nil, err
	}
	python := filepath.Join(dir, "venv", "bin", "python")
	for _, command := range [][]string{
		{"python3", "-m", "venv", filepath.Join(dir, "venv")},
		{python, "-m", "pip", "install", "--quiet", "-r", filepath.Join(dir, "requirements.txt")},
	} {
		if err := install(ctx, dir, command...); err != nil {
			return nil, err
		}
	}
	// Any user will do, because the twin only writes it into the audit log.
	var user string
	if err := b.db.admin.QueryRow(ctx, "select encode(id, 'hex') from users order by id limit 1").Scan(&user); err != nil {
		return nil, err
	}
	port := b.port + 4
	env := append(os.Environ(), "DATABASE_URL="+b.db.server.URL(), "TWIN_TOKEN="+b.shop.token, "TWIN_USER="+user)
	return b.startPeer(ctx, port, python, env, "-m", "uvicorn", "--app-dir="+dir, "--port="+strconv.Itoa(port),
		"--workers="+strconv.Itoa(runtime.NumCPU()), "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning", "twin:app")
}

// startPrism installs Prism and starts it with the complete document.
func (b *bench) startPrism(ctx context.Context) (*process, error) {
	dir := filepath.Join(b.dir, "prism")
	if err := install(ctx, b.dir, "npm", "install", "--prefix="+dir, "--loglevel=error", "--ignore-scripts", "--no-audit", "--no-fund", prism); err != nil {
		return nil, err
	}
	document := filepath.Join(dir, "openapi.json")
	if err := os.WriteFile(document, openapi.Complete, 0o600); err != nil {
		return nil, err
	}
	port := b.port + 5
	return b.startPeer(ctx, port, filepath.Join(dir, "node_modules", ".bin", "prism"), os.Environ(), "mock", "--host=127.0.0.1", "--port="+strconv.Itoa(port), "--verboseLevel=silent", document)
}

// startPeer starts a peer that stops with the bench.
func (b *bench) startPeer(ctx context.Context, port int, program string, env []string, args ...string) (*process, error) {
	p, err := start(ctx, b.dir, "127.0.0.1:"+strconv.Itoa(port), program, env, args...)
	if err == nil {
		b.peers = append(b.peers, p)
	}
	return p, err
}

// install runs a command in dir. Its error contains the command's output.
func install(ctx context.Context, dir string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", strings.Join(command, " "), err), errors.New(strings.TrimSpace(string(out))))
	}
	return nil
}
