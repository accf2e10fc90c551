// Package registry passes requests to package registries: of npm packages, Go modules, Python and Debian packages and OCI
// images. What an answer says of the registry's own addresses is made to lead back through the gateway, and what would make
// credentials of the registry's own is never passed on.
package registry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Config makes a Gate.
type Config struct {
	Access   access.Authorizer
	Facts    func() *access.Facts // for finding registries
	Upstream *upstream.Upstream
	URL      string // the installation's, without a slash at its end: what answers to other than workspaces lead to
	Log      *slog.Logger
}

// Gate serves the registries below gateway.AppPrefix.
type Gate struct{ c Config }

// New returns a Gate.
func New(c Config) *Gate { return &Gate{c: c} }

// Has reports whether a request is for a registry, by the first segment of its path below gateway.AppPrefix.
func (g *Gate) Has(r *http.Request) bool {
	_, _, ok := g.c.Facts().Projects.Registry(nameOf(r.URL.Path))
	return ok
}

func nameOf(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, gateway.AppPrefix), "/")
	return name
}

// Serve is the handler of the machine site's route.
func (g *Gate) Serve(w http.ResponseWriter, r *http.Request) error {
	gateway.Headers(w.Header())
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil { // before anything is looked up: nobody learns here what there is
		return err
	}
	path, err := gateway.PackagePathOf(r)
	if err != nil {
		return err
	}
	name := nameOf(string(path))
	owner, reg, ok := g.c.Facts().Projects.Registry(name)
	if !ok {
		return absent(name, nil)
	}
	x := &exchange{Gate: g, w: w, in: r, who: who, project: owner, registry: reg, path: path.After(gateway.AppPrefix + name)}
	if reg.Kind == project.NPM {
		x.path = once(x.path, gateway.AppPrefix+name+"/")
	}
	return x.serve()
}

// once takes off what stands twice before a file's path: npm as Debian has it (9.2) puts the registry's own path before an address
// of a lock file, also where it is in that address.
func once(path, prefix string) string {
	if rest, ok := strings.CutPrefix(path, prefix); ok && strings.Contains(rest, "/-/") {
		return "/" + rest
	}
	return path
}

// absent is the answer for a registry that is unknown and for one that is hidden. It is an app's too: nobody learns which there is.
func absent(name string, cause error) error {
	return problem.Wrap(cause, problem.NotFound, "There is no app or registry %s here that you may use.", name)
}

// exchange is one request and its answer.
type exchange struct {
	*Gate
	w        http.ResponseWriter
	in       *http.Request
	who      identity.Principal
	project  project.Project
	registry project.Registry
	path     string // escaped, as the registry's own; begins with a slash
	lease    *access.Lease
}

func (x *exchange) serve() error {
	action, err := x.action()
	if err != nil {
		return err
	}
	farewell := gateway.NewFarewell()
	defer farewell.Said()
	request := access.Request{
		Principal: x.who, Action: action, Resource: x.registry.Resource(x.project.ID), IP: web.ClientIP(x.in), Durable: action == identity.RegistryPublish,
	}
	if request.Durable {
		request.Detail = map[string]any{"method": x.in.Method, "path": x.path}
	}
	ctx, lease, err := x.c.Access.Open(x.in.Context(), request, farewell.Bye)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			err = absent(x.registry.Name, err)
		}
		return err
	}
	defer lease.End()
	defer web.Hold(lease, x.w, x.in)()
	x.lease = lease
	if x.in.ContentLength != 0 { // a registry may refuse before it has read all
		if err := http.NewResponseController(x.w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	resp, err := x.send(ctx, action == identity.RegistryPublish)
	if err != nil {
		if reason := lease.Reason(); !reason.IsZero() {
			return problem.Wrap(reason, problem.Denied, "Lanyard closed this: %s.", reason.Text)
		}
		return err
	}
	defer resp.Body.Close()
	if err := x.answer(resp); err != nil {
		return farewell.Abort(lease)
	}
	return nil
}

// action is what a request asks for; what is not for packages is refused: the server's credential may open more on the
// registry's host.
func (x *exchange) action() (identity.Action, error) {
	read := x.in.Method == http.MethodGet || x.in.Method == http.MethodHead
	path, err := url.PathUnescape(x.path)
	if err != nil {
		return "", problem.Wrap(err, problem.Invalid, "The address is refused because its percent-encoding is broken.")
	}
	if (x.registry.Kind == project.NPM || x.registry.Kind == project.OCI) && strings.ContainsAny(path, "%;") {
		return "", problem.New(problem.Invalid, "The address is refused because no package's has a percent sign or a semicolon.")
	}
	switch x.registry.Kind {
	case project.NPM:
		if path == "/-" || strings.HasPrefix(path, "/-/") {
			return npmAction(strings.TrimPrefix(path[2:], "/"), read)
		}
		if strings.HasPrefix(path, "/_") { // of the database that registries were made of (CouchDB); no package is named so
			return "", x.noPackage(path)
		}
	case project.OCI:
		if !ociPath().MatchString(path) && !(read && (path == "/v2/" || path == "/v2" || path == "/v2/_catalog")) {
			return "", x.noPackage(path)
		}
	case project.PyPI:
		if pypiAccounts().MatchString(path) {
			return "", x.noPackage(path)
		}
	case project.Go, project.APT:
		if !read {
			return "", problem.New(problem.NoMethod, "The registry %s is only read.", x.registry.Name)
		}
		if x.registry.Kind == project.Go && !goPath().MatchString(path) {
			return "", x.noPackage(path)
		}
	}
	switch x.in.Method {
	case http.MethodGet, http.MethodHead:
		return identity.RegistryRead, nil
	case http.MethodPut, http.MethodPost, http.MethodPatch, http.MethodDelete:
		return identity.RegistryPublish, nil
	}
	return "", problem.New(problem.NoMethod, "Registries are not asked with %s.", x.in.Method)
}

// noPackage refuses a path of the registry's host that is about no package.
func (x *exchange) noPackage(path string) error {
	return problem.New(problem.Denied, "Not allowed: %s is no address of packages of the registry %s (%s), and nothing else of its host is opened.", gateway.Printable(path), x.registry.Name, x.registry.Kind)
}

// The paths of packages: of images (https://github.com/opencontainers/distribution-spec, the table of endpoints), where
// some registries make their tokens below /v2/ too, and of Go modules (https://go.dev/ref/mod#goproxy-protocol).
var (
	ociPath = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^/v2/[a-z0-9][a-z0-9._/-]*/(manifests/[^/]+|blobs/[^/]+|blobs/uploads/.*|tags/list|referrers/[^/]+)$`)
	})
	goPath = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^/(.+/@(v/[^/]+|latest)|sumdb/.+)$`)
	})
	// Where Python packages lie differs from one registry to the next; this is what is beside them at PyPI's own and devpi's.
	pypiAccounts = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^/(_|account|admin|manage|\+login|\+token|\+admin)`)
	})
)

// npmAction is the action of a path below /-/ of an npm registry. There are accounts and tokens, which would be the server's
// own, beside what is about packages.
func npmAction(rest string, read bool) (identity.Action, error) {
	switch {
	case read && (rest == "ping" || rest == "v1/search" || rest == "all" || rest == "npm/v1/keys" || strings.HasPrefix(rest, "npm/v1/attestations/")):
		return identity.RegistryRead, nil
	case strings.HasPrefix(rest, "npm/v1/security/"): // asked by POST
		return identity.RegistryRead, nil
	case npmTags().MatchString(rest):
		if read {
			return identity.RegistryRead, nil
		}
		return identity.RegistryPublish, nil
	}
	return "", problem.New(problem.Denied, "Not allowed: /-/%s is about accounts of the registry, and here people are who they are to Lanyard: there is nothing to sign in to.", gateway.Printable(rest))
}

// npmTags is about the tags of a package.
var npmTags = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^package/(@[^/]+/)?[^/]+/dist-tags(/[^/]+)?$`)
})

// send sends the request as the registry gets it.
func (x *exchange) send(ctx context.Context, write bool) (*http.Response, error) {
	base := x.registry.URL
	to := &url.URL{Scheme: base.Scheme, Host: base.Host, Path: base.Path + x.path, RawQuery: x.in.URL.RawQuery}
	if decoded, err := url.PathUnescape(base.Path + x.path); err == nil {
		to.Path, to.RawPath = decoded, base.EscapedPath()+x.path
	}
	out := (&http.Request{Method: x.in.Method, URL: to, Header: x.headers(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}).WithContext(ctx)
	if x.in.ContentLength != 0 {
		out.Body, out.ContentLength = io.NopCloser(x.in.Body), x.in.ContentLength
	}
	resp, err := x.c.Upstream.Send(out, upstream.Target{
		Name: "the registry " + x.registry.Name, Principal: x.who, Credential: x.registry.Credential, Write: write, Connection: &x.registry.Connection,
	})
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusUnauthorized { // without a credential of ours
		resp.Body.Close()
		return nil, problem.New(problem.BadUpstream,
			"The registry %s wants to know who asks; an administrator has to write a credential for it into the project's file.", x.registry.Name)
	}
	return resp, nil
}
