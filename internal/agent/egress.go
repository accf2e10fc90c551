package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// egress is the forward proxy at the agent's loopback address: CONNECT, and http addresses in full. Each connection beyond
// is asked of the server, which decides and dials.
type egress struct {
	upstream http.RoundTripper // to the server
	proxy    *httputil.ReverseProxy
	idle     *http.Transport
	refusals *refusals
	log      *slog.Logger
}

func newEgress(upstream http.RoundTripper, r *refusals, log *slog.Logger) *egress {
	e := &egress{upstream: upstream, refusals: r, log: log}
	e.idle = &http.Transport{
		DialContext:        func(ctx context.Context, _, address string) (net.Conn, error) { return e.open(ctx, address) },
		DisableCompression: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: 15 * time.Second, ExpectContinueTimeout: 10 * time.Second,
	}
	e.proxy = &httputil.ReverseProxy{
		Transport: e.idle, FlushInterval: -1, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.RawQuery = p.In.URL.RawQuery
			p.Out.Trailer = p.In.Trailer
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // nobody is left to tell
			}
			no := refusalOf(err)
			if r.ContentLength != 0 {
				refuse(w, no.status, no.why)
				return
			}
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				refuse(w, no.status, no.why)
				return
			}
			defer conn.Close()
			no.write(conn)
		},
	}
	return e
}

// outward reports whether a request is for the forward proxy: only a program that was told of a proxy sends such a one.
func outward(r *http.Request) bool {
	return r.Method == http.MethodConnect || !strings.HasPrefix(r.RequestURI, "/") && r.URL.IsAbs()
}

func (e *egress) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.ProtoMajor != 1:
		refuse(w, http.StatusHTTPVersionNotSupported, "Lanyard's proxy is asked with HTTP/1.1.")
	case r.Method == http.MethodConnect:
		e.connect(w, r)
	case r.URL.Scheme != "http":
		refuse(w, http.StatusBadRequest, "Lanyard's proxy takes http addresses, and CONNECT for others.")
	default:
		e.proxy.ServeHTTP(w, r)
	}
}

// connect answers CONNECT.
func (e *egress) connect(w http.ResponseWriter, r *http.Request) {
	out, err := e.open(r.Context(), r.RequestURI)
	conn, buffered, hijacked := http.NewResponseController(w).Hijack()
	if hijacked != nil {
		if err == nil {
			out.Close()
		}
		refuse(w, http.StatusInternalServerError, "This connection cannot be taken over.")
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Time{})
	if err != nil {
		refusalOf(err).write(conn)
		return
	}
	defer out.Close()
	if _, err := io.WriteString(conn, "HTTP/1.1 200 Connected\r\n\r\n"); err != nil {
		return
	}
	var down sync.WaitGroup
	down.Go(func() {
		_, _ = io.Copy(conn, out) // whoever ended it, it is over
		conn.Close()
		out.Close()
	})
	if _, err := io.Copy(out, buffered.Reader); err != nil || out.CloseWrite() != nil {
		out.Close()
	}
	down.Wait()
}

// firstLine makes a reason fit for the first line of an answer (RFC 9112 section 4).
func firstLine(s string) string {
	line := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return ' '
		}
		return c
	}, s)
	return line[:min(len(line), 500)]
}

// refusal is an answer of the server's that is not a connection.
type refusal struct {
	status int
	why    string
}

func (r *refusal) Error() string { return r.why }

// write answers with it. Of a proxy's refusal most programs show the first line alone, so the reason stands there too.
func (r *refusal) write(conn io.Writer) {
	_, _ = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s\n",
		r.status, firstLine(r.why), len(r.why)+1, r.why) // the client may be gone
}

func refusalOf(err error) *refusal {
	if no, ok := errors.AsType[*refusal](err); ok {
		return no
	}
	if errors.Is(err, errNoServer) {
		return &refusal{http.StatusServiceUnavailable, "Lanyard's server is not reachable from this workspace now. The workspace goes on; try again in a moment."}
	}
	return &refusal{http.StatusBadGateway, "The connection broke before it was answered. Try again in a moment."}
}

// open asks the server for a connection to host:port.
func (e *egress) open(ctx context.Context, target string) (*carried, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://lanyard"+agentapi.EgressPath, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", agentapi.EgressProtocol)
	r.Header.Set(agentapi.EgressTarget, strings.ToLower(target))
	resp, err := e.upstream.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		if both, ok := resp.Body.(io.ReadWriteCloser); ok {
			return &carried{both}, nil
		}
	}
	defer resp.Body.Close()
	no := &refusal{resp.StatusCode, said(resp)}
	if resp.StatusCode < 400 {
		no.status = http.StatusBadGateway
	}
	e.refusals.add(agentapi.Refusal{Target: target, Why: no.why})
	return nil, no
}

// said is what a problem document tells a person.
func said(resp *http.Response) string {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // the status says enough if this fails
	var d struct{ Detail, Title string }
	if err := json.Unmarshal(body, &d); err == nil && d.Detail != "" {
		return printable(d.Detail)
	}
	return printable(string(bytes.TrimSpace(body[:min(len(body), 2000)])))
}

// carried is a connection beyond, over the tunnel.
type carried struct{ io.ReadWriteCloser }

// CloseWrite ends what is said to the other side.
func (c *carried) CloseWrite() error {
	if half, ok := c.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

// The rest of net.Conn, of which nothing uses addresses or deadlines here.

func (c *carried) LocalAddr() net.Addr              { return &net.UnixAddr{Name: "egress", Net: "unix"} }
func (c *carried) RemoteAddr() net.Addr             { return &net.UnixAddr{Name: "egress", Net: "unix"} }
func (c *carried) SetDeadline(time.Time) error      { return nil }
func (c *carried) SetReadDeadline(time.Time) error  { return nil }
func (c *carried) SetWriteDeadline(time.Time) error { return nil }
