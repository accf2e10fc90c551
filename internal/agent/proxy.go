package agent

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// newProxy returns the server on the workspace's loopback: it passes /git/ and /r/ to the server, unchanged. Whoever
// reaches it speaks as the workspace, so it refuses what a browser could be made to send from elsewhere.
func newProxy(upstream http.RoundTripper, port int, log *slog.Logger) *http.Server {
	buffers := &bufferPool{sync.Pool{New: func() any { return new([proxyBuffer]byte) }}}
	forward := &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     upstream,
		FlushInterval: -1,
		BufferPool:    buffers,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // nobody is left to tell
			}
			if errors.Is(err, errNoServer) {
				refuse(w, http.StatusServiceUnavailable, "Lanyard's server is not reachable from this workspace now. The workspace goes on; try again in a moment.")
				return
			}
			log.Info("request failed", "err", err)
			refuse(w, http.StatusBadGateway, "The connection to Lanyard's server broke before it answered. Try again in a moment.")
		},
	}
	hosts := map[string]bool{"127.0.0.1:" + strconv.Itoa(port): true, "localhost:" + strconv.Itoa(port): true}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true) // gRPC
	return &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if status, why := guard(r, hosts, port); status != 0 {
				refuse(w, status, why)
				return
			}
			if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
				refuse(w, http.StatusInternalServerError, "This connection cannot carry both directions at once.")
				return
			}
			out := *r
			if app, ok := appHost(r.Host, port); ok {
				out.RequestURI = "/r/" + app + r.RequestURI
			}
			out.Body = unclosed{r.Body} // drain reads what is left of it
			forward.ServeHTTP(w, &out)
			drain(w, r)
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

// rewrite sends the request on with path and query as they were received: the server judges the bytes that the client
// sent. Opaque is what makes net/http send a path without writing it anew.
func rewrite(p *httputil.ProxyRequest) {
	path, _, _ := strings.Cut(p.In.RequestURI, "?")
	u := p.Out.URL
	u.Scheme, u.Host, u.Opaque = "http", "lanyard", path
	u.RawQuery, u.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
	p.Out.Trailer = p.In.Trailer // filled while the body is read
	for name := range p.Out.Header {
		folded := strings.ReplaceAll(strings.ToLower(name), "_", "-")
		if strings.HasPrefix(folded, "x-forwarded-") || folded == "x-real-ip" || folded == "forwarded" {
			delete(p.Out.Header, name)
		}
	}
}

// drainTime bounds drain.
const drainTime = 30 * time.Second

// drain reads the rest of a request whose answer is complete, and drops it. A client that is still sending, as git
// does with a push that was refused in the middle, reads the answer when it has sent all; closing the connection under
// it would take the answer away.
func drain(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength == 0 || r.ProtoMajor > 1 { // with HTTP/2 the answer ends with the handler, and takes nothing along
		return
	}
	if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime)); err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body) // a client that is gone has ended it
}

// unclosed is a body that only the server closes.
type unclosed struct{ io.Reader }

func (unclosed) Close() error { return nil }

// refuse answers with text/plain, which is the one type that Git shows to a person.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, why) // the client is gone if this fails
}

const proxyBuffer = 32 << 10

type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte  { return b.pool.Get().(*[proxyBuffer]byte)[:] }
func (b *bufferPool) Put(p []byte) { b.pool.Put((*[proxyBuffer]byte)(p)) }
