// Package admin is what operators see of a running server, on an address of its
// own: metrics, River's web interface, profiles, readiness. It asks nobody for a
// password, so that the address must be one that only operators reach.
package admin

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"riverqueue.com/riverui"
)

// Options are what is shown.
type Options struct {
	Metrics http.Handler
	River   *river.Client[pgx.Tx]
	// Ready returns an error that says what is missing; nil if all is well.
	Ready  func(context.Context) error
	Logger *slog.Logger
}

const index = `<!doctype html>
<html lang="en"><meta charset="utf-8"><title>giftcards</title>
<h1>giftcards</h1>
<ul>
<li><a href="/metrics">Metrics</a>, for Prometheus
<li><a href="/river/">River</a>, the queue of tasks
<li><a href="/debug/pprof/">Profiles</a>
<li><a href="/readyz">Readiness</a>
</ul>
`

// New makes the handler of the admin address. What it runs in the background ends
// with ctx.
func New(ctx context.Context, o Options) (http.Handler, error) {
	jobs, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(o.River, nil), Logger: o.Logger, Prefix: "/river"})
	if err != nil {
		return nil, fmt.Errorf("web interface of River: %w", err)
	}
	// It counts jobs in the background, which nobody should pay for who never looks.
	begin := sync.OnceValue(func() error { return jobs.Start(ctx) })

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, index)
	})
	mux.Handle("GET /metrics", o.Metrics)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := o.Ready(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("/river/", func(w http.ResponseWriter, r *http.Request) {
		if err := begin(); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		jobs.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)

	// A page elsewhere must not make an operator's browser cancel jobs here. The
	// first layer knows old browsers by Origin, the second refuses reads as well.
	return guarded(knownHosts(ownPages(http.NewCrossOriginProtection().Handler(mux)))), nil
}

// guarded adds the headers that keep the pages here out of other pages' frames,
// where a click of the operator's would count as this origin's own.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "frame-ancestors 'none'") // only this: River's page has inline scripts
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// ownPages refuses what a browser asks for on behalf of another site or port: a
// profile costs processor time, whether or not the page may read it. A link that
// the operator follows to a page here still works.
func ownPages(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site := r.Header.Get("Sec-Fetch-Site")
		foreign := site != "" && site != "same-origin" && site != "none"
		link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
		if foreign && !link {
			http.Error(w, "Pages of other sites may only link to this address.", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// knownHosts refuses requests for a name that anybody could have registered: a
// page on the Internet whose name is made to lead here (DNS rebinding) counts as
// the same origin for a browser. Addresses and names without a dot, such as
// localhost or a service's, are nobody's.
func knownHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if strings.Contains(host, ".") && net.ParseIP(strings.Trim(host, "[]")) == nil {
			http.Error(w, "Ask for this address by its number, or by a name without a dot.", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}
