package egress

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// requests carries HTTP without TLS: request by request, since each names a host of its own.
func (x *exchange) requests(c *client, out net.Conn) {
	first := make(chan net.Conn, 1)
	first <- out
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			select {
			case conn := <-first:
				return conn, nil
			default:
				return x.dial(ctx)
			}
		},
		DisableCompression: true, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 1,
	}
	defer transport.CloseIdleConnections()
	proxy := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		ErrorLog: slog.NewLogLogger(x.c.Log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host = "http", x.resource.Name
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			p.Out.Trailer = p.In.Trailer
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode != http.StatusSwitchingProtocols { // whose body is the connection itself
				r.Body = counted{r.Body, x}
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, http.StatusBadGateway, problem.Message(problem.Wrap(err, problem.BadUpstream, "%s did not answer.", x.resource.Name)))
		},
	}
	one := newOne(c)
	server := &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if why := x.foreign(r); why != "" {
				x.refuse(why)
				refuse(w, http.StatusForbidden, "Not allowed: "+why+".")
				return
			}
			if up := r.Header.Values("Upgrade"); len(up) != 1 || !strings.EqualFold(up[0], "websocket") {
				r.Header.Del("Upgrade") // to HTTP/2 without TLS, say, whose requests name hosts that nobody would look at
			}
			proxy.ServeHTTP(w, r)
		}),
		ReadHeaderTimeout: firstWithin, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(x.c.Log.Handler(), slog.LevelDebug),
		ConnState: func(_ net.Conn, s http.ConnState) {
			if s == http.StateClosed {
				one.Close()
			}
		},
	}
	_ = server.Serve(one) // ends with the connection
	server.Close()
}

// foreign says why a request is not for the host that the connection is to; empty when it is.
func (x *exchange) foreign(r *http.Request) string {
	host, port, found := strings.Cut(r.Host, ":")
	if strings.HasPrefix(r.Host, "[") || strings.Count(r.Host, ":") > 1 {
		h, p, err := net.SplitHostPort(r.Host)
		host, port, found = strings.Trim(r.Host, "[]"), "", false
		if err == nil {
			host, port, found = h, p, true
		}
	}
	named, ok := project.ParseEgressHost(host)
	switch {
	case r.Method == http.MethodConnect:
		return "there is no proxy behind a proxy"
	case !ok || named != x.host || found && port != strconv.Itoa(x.port):
		return fmt.Sprintf("the request is for the host %q, and the connection was asked for %s", cut(r.Host), x.resource.Name)
	}
	if u := r.URL; u.Host != "" && u.Host != r.Host || !sameScheme(u) {
		return "the request's address and its Host differ"
	}
	return ""
}

func sameScheme(u *url.URL) bool { return u.Scheme == "" || u.Scheme == "http" }

// refuse answers with text that programs show.
func refuse(w http.ResponseWriter, status int, why string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, why) // the client may be gone
}

// counted counts an answer's bytes.
type counted struct {
	body io.ReadCloser
	x    *exchange
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.body.Read(p)
	c.x.lease.Count(int64(n))
	return n, err
}

func (c counted) Close() error { return c.body.Close() }

// one is a listener with a single connection.
type one struct {
	conn net.Conn
	next chan net.Conn
	done chan struct{}
	end  func()
}

func newOne(c net.Conn) *one {
	o := &one{conn: c, next: make(chan net.Conn, 1), done: make(chan struct{})}
	o.next <- c
	o.end = sync.OnceFunc(func() { close(o.done) })
	return o
}

// Accept implements net.Listener.
func (o *one) Accept() (net.Conn, error) {
	select {
	case c := <-o.next:
		return c, nil
	default:
	}
	<-o.done
	return nil, net.ErrClosed
}

// Close implements net.Listener.
func (o *one) Close() error { o.end(); return nil }

// Addr implements net.Listener.
func (o *one) Addr() net.Addr { return o.conn.LocalAddr() }
