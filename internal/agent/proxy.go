package agent

import (
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// newProxy returns the server on the workspace's loopback: it passes /git/ and /r/ to the server, unchanged, and
// what a forward proxy is asked to beyond. Whoever reaches it speaks as the workspace, so it refuses what a browser could be
// made to send from elsewhere.
func newProxy(forward, beyond http.Handler, port int, log *slog.Logger) *http.Server {
	hosts := map[string]bool{"127.0.0.1:" + strconv.Itoa(port): true, "localhost:" + strconv.Itoa(port): true}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if outward(r) && !hosts[r.Host] {
				beyond.ServeHTTP(w, r)
				return
			}
			if status, why := guard(r, hosts, port); status != 0 {
				refuse(w, status, why)
				return
			}
			if app, ok := appHost(r.Host, port); ok {
				renamed := *r
				renamed.RequestURI = "/r/" + app + r.RequestURI
				r = &renamed
			}
			forward.ServeHTTP(w, r)
		}),
		Protocols:         protocols,
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// appHost is the app that a host of the form <app>.localhost:<port> stands for: some clients, gRPC's among them, cannot be
// given an address with a path in it. Names below localhost lead to this machine and to no other (RFC 6761 section 6.3).
func appHost(host string, port int) (app string, ok bool) {
	app, ok = strings.CutSuffix(host, ".localhost:"+strconv.Itoa(port))
	return app, ok && appName.MatchString(app)
}

var appName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

// guard says why a request is refused, or 0. A page on a web site that a browser in the workspace shows must not be
// able to act as the workspace: not by DNS rebinding (Host), not from another origin (Origin, Sec-Fetch-Site).
// Forwarded would be a proxy in front of us, and there is none.
func guard(r *http.Request, hosts map[string]bool, port int) (status int, why string) {
	_, app := appHost(r.Host, port)
	if !hosts[r.Host] && !app {
		return http.StatusForbidden, fmt.Sprintf("This address answers only as localhost, not as %q.", r.Host)
	}
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Forwarded"} {
		if _, there := r.Header[name]; there {
			return http.StatusForbidden, "Requests with the header " + name + " are refused here: web pages must not act as the workspace."
		}
	}
	if app && strings.HasPrefix(r.RequestURI, "/") {
		return 0, ""
	}
	if !strings.HasPrefix(r.RequestURI, "/git/") && !strings.HasPrefix(r.RequestURI, "/r/") {
		return http.StatusNotFound, "Nothing is here. Lanyard serves /git/ and /r/ at this address."
	}
	return 0, ""
}

// refuse answers with text/plain, which is the one type that Git shows to a person.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, why) // the client is gone if this fails
}
