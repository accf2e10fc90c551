// Package gitproxy passes Git's smart HTTP protocol between workspaces and upstream repositories: clone, fetch and
// push, in every version of the protocol, streaming in both directions with memory that does not grow. It asks access
// for each request, adds the credential through upstream, and after a cut tells git why, between two packets.
package gitproxy

import (
	"compress/gzip"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Config makes a Proxy.
type Config struct {
	Access   access.Authorizer
	Facts    func() *access.Facts // for finding repositories
	Upstream *upstream.Upstream
	// Pushed, which may be nil, is told which refs a push that the upstream has answered wrote. It does not wait.
	Pushed func(repository string, refs []string)
	Log    *slog.Logger
	Idle   time.Duration // how long nothing may move; 0: five minutes
}

// Proxy serves the paths below gateway.GitPrefix.
type Proxy struct {
	c      Config
	pushes pushes
}

// New returns a Proxy.
func New(c Config) *Proxy {
	if c.Idle == 0 {
		c.Idle = defaultIdle
	}
	return &Proxy{c: c}
}

// Serve is the route's handler. Errors are plain text, which git shows to its user, and never 401, at which git
// would ask for a password.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request) error {
	gateway.Headers(w.Header())
	x, err := p.prepare(w, r)
	if err == nil {
		err = x.serve()
	}
	if err == nil || errors.Is(err, http.ErrAbortHandler) {
		return err
	}
	if problem.KindOf(err) == problem.Internal && r.Context().Err() == nil {
		p.c.Log.Error("a git request failed", "path", r.URL.Path, "error", err)
	}
	writeText(w, err)
	return nil
}

// exchange is one request and its answer.
type exchange struct {
	*Proxy
	call
	w        http.ResponseWriter
	r        *http.Request
	repo     project.Repository
	resource identity.Resource
	text     string // the repository, for messages
	watch    *watch
	line     io.Closer // what the request came on; nil where the server does not say
	release  func()    // of line
}

func (p *Proxy) prepare(w http.ResponseWriter, r *http.Request) (*exchange, error) {
	c, err := parse(r)
	if err != nil {
		return nil, err
	}
	if err := gateway.Known(web.PrincipalFrom(r.Context())); err != nil { // before anything is looked up or read
		return nil, err
	}
	x := &exchange{Proxy: p, call: c, w: w, r: r, text: strings.TrimPrefix(c.repository, "https://")}
	owner, repo, ok := p.c.Facts().Projects.ForRepository(c.repository)
	if !ok {
		return nil, x.absent()
	}
	x.repo, x.resource = repo, repo.Resource(owner.ID)
	if c.advertise {
		return x, nil
	}
	if got := r.Header.Get("Content-Type"); got != c.service.requestType() {
		return nil, problem.New(problem.Invalid, "Git sends %s here, not %q.", c.service.requestType(), got)
	}
	switch r.Header.Get("Content-Encoding") {
	case "", "identity":
	case "gzip":
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			return nil, problem.Wrap(err, problem.Invalid, "The request is not compressed as it says.")
		}
		r.Body, r.ContentLength = readCloser{unpacked, r.Body}, -1
	default:
		return nil, problem.New(problem.Invalid, "Lanyard reads requests of git as they are or compressed by gzip.")
	}
	// The answer may begin before the request has ended: Git's server answers when it has read what it needs, and
	// whoever passes the request on has then still to read that nothing follows. Without full duplex Go's server, as
	// soon as 2 KiB of an answer are written, reads and drops what is left of the request and closes its body
	// (chunkWriter.writeHeader). The transport, which is about to read the end of that body, takes the error of that
	// for a broken request and closes the upstream's connection in the middle of the answer
	// (persistConn.writeLoop): "use of closed network connection", in some clones and not in others.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return nil, err
	}
	return x, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// absent is the answer for a repository that is unknown and for one that is hidden: nobody can tell them apart.
func (x *exchange) absent() error {
	return problem.New(problem.NotFound, "There is no repository %s here that you may use.", x.text)
}

// open asks access; a hidden repository is absent.
func (x *exchange) open(request access.Request, bye func(access.Reason)) (*access.Lease, error) {
	request.Principal = web.PrincipalFrom(x.r.Context())
	request.Resource = x.resource
	request.IP = web.ClientIP(x.r)
	ctx, lease, err := x.c.Access.Open(x.r.Context(), request, bye)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			err = x.absent()
		}
		return nil, err
	}
	x.line, x.release = web.Line(x.w, x.r)
	if x.line != nil {
		lease.Hold(x.line)
	}
	x.r = x.r.WithContext(x.watched(ctx))
	return lease, nil
}

// writeText answers with what a person may see of err, in plain text.
func writeText(w http.ResponseWriter, err error) {
	status := problem.KindOf(err).Status()
	if status == http.StatusUnauthorized {
		status = http.StatusForbidden
	}
	text := gateway.Printable(problem.Words(err))
	var reason access.Reason
	if errors.As(err, &reason) && problem.KindOf(err) == problem.Internal { // cut while the upstream was asked
		status, text = http.StatusForbidden, closedText(reason)
	}
	gateway.WriteWhole(w, status, "text/plain; charset=utf-8", []byte(text+"\n"))
}
