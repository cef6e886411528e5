package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"giftcards/cmd/giftcards/processtest"
	"giftcards/store/embedded"
	"giftcards/store/storetest/full"
)

// TestVariablesForAnotherDatabaseDoNotReachThePrivateOne. Each of these variables would break the
// connection of a program that reads it, or change the effect of its statements.
func TestVariablesForAnotherDatabaseDoNotReachThePrivateOne(t *testing.T) {
	t.Parallel()
	variables := []string{
		"PGHOST=db.example", "PGPORT=1", "PGDATABASE=shop", "PGUSER=shop", "PGPASSWORD=secret", "PGPASSFILE=/nowhere",
		"PGSERVICE=prod", "PGSERVICEFILE=/nowhere", "PGOPTIONS=-c search_path=shop", "PGOPTIONS=-c default_transaction_read_only=on",
		"PGOPTIONS=-c nothing=1", "PGTZ=Nowhere/Else", "PGAPPNAME=shop", "PGCONNECT_TIMEOUT=nonsense", "PGTARGETSESSIONATTRS=standby",
		"PGSSLMODE=nonsense", "PGSSLCERT=/nowhere", "PGSSLKEY=/nowhere", "PGSSLROOTCERT=/nowhere", "PGSSLCERTMODE=require", "PGSSLNEGOTIATION=direct",
		"PGCHANNELBINDING=require", "PGREQUIREAUTH=scram-sha-256", "PGMINPROTOCOLVERSION=9.9", "PGDATA=/nowhere", "PGCLIENTENCODING=LATIN1",
	}
	dir, address := processtest.StateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address, variables...)
	program := processtest.Program(t)
	for i, variable := range variables { // a second program uses the server's database
		if i%full.Size(1, 5) > 0 { // the server had them all
			continue
		}
		cmd := exec.CommandContext(t.Context(), program, "merchant", "list", "--state-dir="+dir)
		cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, variable)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "Demo merchant") {
			t.Errorf("%s: %v %s", variable, err, out)
		}
	}
	must(t, server.Stop(syscall.SIGTERM))
}

// TestReadyzAnswersWhateverTheDatabaseDoes, also while the database's processes are stopped, and after
// they continue.
func TestReadyzAnswersWhateverTheDatabaseDoes(t *testing.T) {
	t.Parallel()
	dir, address := processtest.UsedStateDir(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address)
	url, running := embedded.Running(dir)
	if !running {
		t.Fatal("the private database is not found")
	}
	stopped := postgresProcesses(t, dir, url)
	signal := func(s syscall.Signal) {
		for _, pid := range stopped {
			_ = syscall.Kill(pid, s) // a session may have ended meanwhile
		}
	}
	signal(syscall.SIGSTOP)
	t.Cleanup(func() { signal(syscall.SIGCONT) }) // a stopped process cannot be ended
	client := &http.Client{Timeout: 20 * time.Second}
	for range 3 {
		response, err := client.Get("http://" + address + "/readyz")
		if err != nil {
			t.Fatalf("no answer while the database hangs: %v", err)
		}
		must(t, response.Body.Close())
		if response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%d while the database hangs", response.StatusCode)
		}
	}
	signal(syscall.SIGCONT)
	server.Await(client, server.URL())
	must(t, server.Stop(syscall.SIGTERM))
}

// postgresProcesses returns the server in dir and its sessions.
func postgresProcesses(t *testing.T, dir, url string) []int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	must(t, err)
	line, _, _ := strings.Cut(string(text), "\n")
	postmaster, err := strconv.Atoi(line)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, url)
	must(t, err)
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "select pid from pg_stat_activity where pid <> pg_backend_pid()")
	must(t, err)
	sessions, err := pgx.CollectRows(rows, pgx.RowTo[int])
	must(t, err)
	return append([]int{postmaster}, sessions...)
}
