package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config makes an Operations.
type Config struct {
	Version string
	State   func() State
	// NotReady says in plain words why the server should get no requests; empty when it should.
	NotReady func(context.Context) []string
	// Hosts are names under which the listener is asked, beside localhost and addresses.
	Hosts []string
	Log   *slog.Logger
}

// Operations is the operations listener's site: health, readiness, metrics, profiles. It asks nobody who they are, so it
// belongs on an address that only operators reach.
type Operations struct {
	c   Config
	mux *http.ServeMux
}

// New returns the site.
func New(c Config) (*Operations, error) {
	registry, err := newRegistry(metrics{state: c.State, version: c.Version})
	if err != nil {
		return nil, fmt.Errorf("make the metrics: %w", err)
	}
	o := &Operations{c: c, mux: http.NewServeMux()}
	o.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { say(w, http.StatusOK, "ok") })
	o.mux.HandleFunc("GET /readyz", o.ready)
	o.mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(c.Log.Handler(), slog.LevelWarn), MaxRequestsInFlight: 4,
	}))
	o.mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	o.mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	o.mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	o.mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	o.mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return o, nil
}

// ServeHTTP implements http.Handler. A Host that is not expected is refused: a page in an operator's browser, whose own
// name leads here, must not read what stands here.
func (o *Operations) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	w.Header().Set("Cache-Control", "no-store")
	if !o.expected(r.Host) {
		say(w, http.StatusMisdirectedRequest, "this is not asked under that name; list it under listen_metrics, hosts")
		return
	}
	if r.Header.Get("Origin") != "" {
		say(w, http.StatusForbidden, "no page asks this")
		return
	}
	o.mux.ServeHTTP(w, r)
}

func (o *Operations) expected(host string) bool {
	name := strings.ToLower(host)
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return true
	}
	return name == "localhost" || slices.Contains(o.c.Hosts, name)
}

func (o *Operations) ready(w http.ResponseWriter, r *http.Request) {
	why := o.c.NotReady(r.Context())
	status := http.StatusOK
	if len(why) > 0 {
		status = http.StatusServiceUnavailable
	}
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"ready": len(why) == 0, "reasons": why}) // who asked is gone if this fails
		return
	}
	if len(why) == 0 {
		why = []string{"ready"}
	}
	say(w, status, strings.Join(why, "\n"))
}

func say(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}
