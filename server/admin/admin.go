// Package admin serves operators on an address of its own: metrics, River's web
// interface, profiles, readiness. It asks for no password, so only operators may be able
// to reach the address.
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

// Options are the things that the admin address shows.
type Options struct {
	Metrics http.Handler
	River   *river.Client[pgx.Tx]
	// Ready returns nil if the server can do its work, else an error that says what is
	// missing.
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

// New makes the handler of the admin address. Its work in the background ends with ctx.
func New(ctx context.Context, o Options) (http.Handler, error) {
	jobs, err := riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(o.River, nil), Logger: o.Logger, Prefix: "/river"})
	if err != nil {
		return nil, fmt.Errorf("web interface of River: %w", err)
	}
	// River's interface counts jobs in the background. Start it at the first visit, because
	// most servers are never visited.
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

	// A page of another site must not make an operator's browser cancel jobs here.
	// CrossOriginProtection refuses such writes from old browsers too, by their Origin;
	// ownPages refuses reads as well.
	return guarded(knownHosts(ownPages(http.NewCrossOriginProtection().Handler(mux)))), nil
}

// guarded adds headers that keep these pages out of other pages' frames. In a frame, another
// page could lead an operator's click to a button here.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "frame-ancestors 'none'") // nothing stricter, because River's page has inline scripts
		header.Set("X-Frame-Options", "DENY")
		header.Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// ownPages refuses requests that a browser sends for a page of another site or port. A
// profile costs processor time even if that page cannot read it. A link that an operator
// follows to a page here still works.
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

// knownHosts refuses requests for a host name that anybody could have registered. The owner
// of such a name can make it lead here (DNS rebinding), and a browser then takes the
// owner's page for the same origin. IP addresses and names without a dot, such as
// localhost or a service's, cannot be registered.
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
