// Package laptop is how programs on somebody's own machine reach Lanyard's data paths without a password: a listener on
// loopback that passes their requests on as that person, Git's helper that uses it, and what Git is told of it.
package laptop

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// KeyHeader shows that a request comes from a program that was told the door's key. It ends at the door.
const KeyHeader = "Lanyard-Key"

// Config makes a Door.
type Config struct {
	URL    string            // of the server
	Server http.RoundTripper // sends requests to it as the person
	// Only is the beginning of the paths that are passed on; empty: all data paths.
	Only string
	// Lost is told, if not nil, when the person's session turns out to have ended.
	Lost func(error)
}

// Door is a listener on loopback. Whoever knows its key speaks through it as the person; another user of the machine, or a web
// page, does not know it.
type Door struct {
	URL string // http://127.0.0.1:PORT
	Key string

	c      Config
	host   string
	server *http.Server
	done   chan struct{}
}

// Open listens on a free port, until Close.
func Open(ctx context.Context, c Config) (*Door, error) {
	to, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open a port of loopback: %w", err)
	}
	d := &Door{URL: "http://" + listener.Addr().String(), Key: rand.Text(), c: c, host: listener.Addr().String(), done: make(chan struct{})}
	forward := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.Host = to.Scheme, to.Host, ""
			for _, name := range []string{KeyHeader, "Authorization", "Dpop"} {
				p.Out.Header.Del(name)
			}
			p.Out.Trailer = p.In.Trailer // filled while the body is read
		},
		Transport: c.Server, FlushInterval: -1, ModifyResponse: d.answer, ErrorHandler: d.fail,
	}
	d.server = &http.Server{ReadHeaderTimeout: 30 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := d.guard(r); err != nil {
			d.fail(w, r, err)
			return
		}
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			d.fail(w, r, err)
			return
		}
		repeatable(r)
		body := r.Body
		r.Body = unclosed{body} // what is left of it is read below
		forward.ServeHTTP(w, r)
		if http.NewResponseController(w).SetReadDeadline(time.Now().Add(drainTime)) == nil {
			_, _ = io.Copy(io.Discard, body) // a client that is gone has ended it
		}
	})}
	go func() {
		defer close(d.done)
		_ = d.server.Serve(listener) // until it is closed
	}()
	return d, nil
}

// drainTime is for how long the rest of a request is read after its answer: a client that is still sending reads the answer
// when it has sent all.
const drainTime = 30 * time.Second

// Close ends the listener and what goes through it.
func (d *Door) Close() error {
	err := d.server.Close()
	<-d.done
	return err
}

// guard refuses who does not know the key, and what a web page makes a browser send.
func (d *Door) guard(r *http.Request) error {
	keys := r.Header.Values(KeyHeader)
	if r.Host != d.host || len(keys) != 1 || subtle.ConstantTimeCompare([]byte(keys[0]), []byte(d.Key)) != 1 {
		return problem.New(problem.Denied, "This address answers only programs that lanyard told its key.")
	}
	for _, name := range []string{"Origin", "Sec-Fetch-Site", "Forwarded", "Cookie"} {
		if _, there := r.Header[name]; there {
			return problem.New(problem.Denied, "Requests with the header %s are refused here: web pages must not act as you.", name)
		}
	}
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, GitPrefix) || strings.HasPrefix(path, AppPrefix) {
		if d.c.Only == "" || path == d.c.Only || strings.HasPrefix(path, d.c.Only+"/") {
			return nil
		}
	}
	return problem.New(problem.NotFound, "Nothing is here. This address passes on %s.", strings.TrimSpace(d.c.Only+" /git/… and /r/…"))
}

// The data paths of a server.
const (
	GitPrefix = "/git/"
	AppPrefix = "/r/"
)

// answer words the server's one answer that is about the person's tokens, of which the program that asks knows nothing: it must not ask
// for a password.
func (d *Door) answer(resp *http.Response) error {
	if !problem.WantsSignIn(resp) { // an app's own 401 is the program's matter
		return nil
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	return problem.New(problem.SignInNeeded, "%s Sign in again: lanyard login %s", detailOf(body), d.c.URL)
}

// fail answers in plain text, which Git shows to its user, and never 401, at which Git would ask for a password.
func (d *Door) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		panic(http.ErrAbortHandler) // nobody is left to tell
	}
	kind, text := problem.KindOf(err), problem.Message(err)
	if kind == problem.Internal {
		kind, text = problem.Unavailable, "The connection to "+d.c.URL+" broke before it answered. Try again in a moment."
	}
	status := kind.Status()
	if kind == problem.SignInNeeded {
		status = http.StatusForbidden
		if d.c.Lost != nil {
			d.c.Lost(err)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = fmt.Fprintln(w, text) // the client is gone if this fails
}

// unclosed is a body that only the server closes.
type unclosed struct{ io.Reader }

func (unclosed) Close() error { return nil }
