package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"giftcards/cmd/giftcards/processtest"
)

// TestOperatorsWatchAServer by its admin address and its traces, until the server stops.
func TestOperatorsWatchAServer(t *testing.T) {
	t.Parallel()
	traces := make(chan string, 100)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		traces <- r.URL.Path + " " + string(body)
	}))
	t.Cleanup(collector.Close)
	dir, address, adminAddress := processtest.UsedStateDir(t), processtest.FreeAddress(t), processtest.FreeAddress(t)
	server := processtest.Serve(t, dir, address, "GIFTCARDS_ADMIN_LISTEN="+adminAddress, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL)
	c := login(t, dir)
	if status, answer, err := c.do(t.Context(), http.MethodPost, "/bulk", "", `{"initialValue":"5","count":60}`); status != http.StatusAccepted {
		t.Fatalf("%d %s %v", status, answer, err)
	}
	for path, want := range map[string]string{"/metrics": "giftcards_build_info", "/river/": "<!doctype html>", "/readyz": "ok"} {
		response, err := http.Get("http://" + adminAddress + path)
		must(t, err)
		body, err := io.ReadAll(response.Body)
		must(t, err)
		must(t, response.Body.Close())
		if response.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d %.300s", path, response.StatusCode, body)
		}
	}
	if !strings.Contains(server.Output(), "http://"+adminAddress) {
		t.Errorf("the admin address is not told: %s", server.Output())
	}

	// Two more servers: for one the default admin address is taken, and for the other the chosen one.
	taken, err := net.Listen("tcp", defaultAdminListen)
	if err == nil {
		t.Cleanup(func() { _ = taken.Close() })
	}
	second := processtest.Serve(t, processtest.UsedStateDir(t), processtest.FreeAddress(t), "GIFTCARDS_ADMIN_LISTEN="+defaultAdminListen)
	if !strings.Contains(second.Output(), "no admin address") {
		t.Errorf("the second server does not say that it has no admin address: %s", second.Output())
	}
	must(t, second.Stop(syscall.SIGTERM))
	code, _, stderr := command(t, "", "serve", "--listen="+processtest.FreeAddress(t), "--state-dir="+processtest.StateDir(t), "--admin-listen="+adminAddress)
	if code != exitFailed || !strings.Contains(stderr, "--admin-listen") {
		t.Errorf("serve on a taken admin address: %d %s", code, stderr)
	}

	must(t, server.Stop(syscall.SIGTERM)) // the stop sends the last traces
	collector.Close()                     // waits for the handlers, because none may send after the close
	close(traces)
	var all strings.Builder
	for sent := range traces {
		all.WriteString(sent)
	}
	for _, want := range []string{"/v1/traces ", "bulkIssueGiftCards", "job bulk_issue", "-- name: InsertTask"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("the traces have no %q", want)
		}
	}
}

func TestSettingsOfTracesAreChecked(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	code, _, stderr := command(t, "", "version", "--admin-listen=nowhere")
	for _, want := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT: ", "OTEL_EXPORTER_OTLP_PROTOCOL: ", "--admin-listen: "} {
		if code != exitSettings || !strings.Contains(stderr, want) {
			t.Errorf("exit code %d, no %q in\n%s", code, want, stderr)
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "")
	if code, _, stderr := command(t, "", "version", "--admin-listen=off"); code != 0 {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
