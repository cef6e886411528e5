package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"giftcards/store/embedded"
)

func (b *bench) startLines() []line {
	return []line{{
		name: "start", unit: "starts/min", target: 0.6,
		work:  "from the start on an empty state directory, with a private PostgreSQL, to the first 201",
		floor: "the private PostgreSQL alone, with an empty database",
		ours:  func(ctx context.Context, _ *process) (round, error) { return b.firstCard(ctx) },
		bare:  b.firstDatabase,
	}}
}

// firstCard starts a server on an empty state directory, as a newcomer does, logs the demo
// user in, and creates a card.
func (b *bench) firstCard(ctx context.Context) (r round, err error) {
	dir, err := b.emptyDir()
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	address := "127.0.0.1:" + strconv.Itoa(b.port+2)
	environment := []string{"PATH=" + os.Getenv("PATH"), "GIFTCARDS_STATE_DIR=" + filepath.Join(dir, "state"), "GIFTCARDS_ADMIN_LISTEN=off"}
	begin := time.Now()
	p, err := launch(ctx, dir, address, b.giftcards, environment, "serve", "--listen="+address)
	if err != nil {
		return r, err
	}
	defer p.stop()
	if err := createFirst(ctx, p, filepath.Join(dir, "state", "demo.json")); err != nil {
		return r, err
	}
	r = started(time.Since(begin))
	// initdb has ended and belongs to the server; PostgreSQL still runs.
	if r.cpu.server, err = cpuTime(p.cmd.Process.Pid); err != nil {
		return r, err
	}
	postmaster, err := postmasterIn(filepath.Join(dir, "state"))
	if err != nil {
		return r, err
	}
	r.cpu.postgres, err = familyTime(postmaster)
	return r, err
}

// createFirst waits for the demo's file and creates a card of the demo.
func createFirst(ctx context.Context, p *process, demoFile string) error {
	var demo struct{ Username, Password, MerchantID, ProgramID string }
	// The server renames the complete file to its name.
	for {
		text, err := os.ReadFile(demoFile)
		if err == nil {
			if err := json.Unmarshal(text, &demo); err != nil {
				return err
			}
			break
		}
		if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-p.ended:
			return p.endError()
		case <-time.After(time.Millisecond):
		}
	}
	// The server listens before it writes the file, so that requests wait for it.
	token, err := login(ctx, p.address, demo.Username, demo.Password)
	if err != nil {
		return err
	}
	s := shop{merchantID: demo.MerchantID, programID: demo.ProgramID, token: token}
	request, err := s.request(ctx, http.MethodPost, p.address, s.cards(), []byte(s.createBody()))
	if err != nil {
		return err
	}
	answer, err := do(request)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusCreated {
		err = fmt.Errorf("first card: %s, want 201", answer.Status)
	}
	return errors.Join(err, answer.Body.Close())
}

// firstDatabase makes and starts a private PostgreSQL in an empty directory.
func (b *bench) firstDatabase(ctx context.Context) (r round, err error) {
	dir, err := b.emptyDir()
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	begin := time.Now()
	server, err := embedded.Start(ctx, embedded.Options{StateDir: filepath.Join(dir, "state")})
	if err != nil {
		return r, err
	}
	return started(time.Since(begin)), server.Stop(context.WithoutCancel(ctx))
}

func (b *bench) emptyDir() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "start-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) //nolint:gosec // for root, PostgreSQL runs as another user
}

// started is the round of one start.
func started(took time.Duration) round {
	return round{rate: float64(time.Minute) / float64(took), units: 1, latencies: []time.Duration{took}}
}

// postmasterIn returns the process id of the PostgreSQL of a state directory.
func postmasterIn(stateDir string) (int, error) {
	text, err := os.ReadFile(filepath.Join(stateDir, "data", "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(first)
}
