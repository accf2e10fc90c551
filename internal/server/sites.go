package server

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/apiserver"
	"github.com/lanyardhq/lanyard/internal/dashboard"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/gitproxy"
	"github.com/lanyardhq/lanyard/internal/gateway/httpproxy"
	"github.com/lanyardhq/lanyard/internal/gateway/terminal"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

// NotificationPath is where Microsoft Graph tells that something changed.
const NotificationPath = "/hooks/graph"

// makeSites lists every site and its routes.
func (s *Server) makeSites() error {
	o := s.options
	pages, err := dashboard.New(dashboard.Config{
		URL: o.URL, Provider: o.Tenant.Name(), SignOut: s.signin.Origins, Workspace: s.shownWorkspace,
	})
	if err != nil {
		return err
	}
	s.pages = pages
	term := terminal.New(terminal.Config{
		Access: s.engine, Hub: reach{s}, Workspaces: s.workspaces, Domain: o.WorkspaceDomain, Scheme: s.scheme(),
		Page: pages.TerminalPage(), Log: s.log,
	})
	connects, err := s.connects.Routes()
	if err != nil {
		return err
	}
	rest := apiserver.Routes(apiserver.Config{
		RevokeElsewhere: s.revokeElsewhere(),
		Access:          s.engine, Workspaces: s.workspaces, Sessions: s.sessions, Grants: s.grants, Connections: s.connects, Audit: s.audit, Log: s.log, Terminal: s.terminalURL, App: s.appURL,
		Settings: s.settings, Registries: s.logins, Snapshots: s.snapshots, TakeSnapshot: s.takeSnapshot, Prebuilds: s.prebuilds, URL: o.URL,
		There:   s.there,
		Machine: s.workspaces, Classes: s.classesOf, ClassOf: s.class, Rules: o.Rules,
		Provisioning: s.provision, Proofs: auditProofs{s}, Reviews: s.store, Preview: s.projects.preview, Members: s.members(), Health: s.health, SignInTests: s.signin,
		Agent: func(id identity.WorkspaceID) agentapi.Client { return agentapi.New(reach{s}.Client(id)) },
		Exec: func(w http.ResponseWriter, r *http.Request, id identity.WorkspaceID) error {
			row, ok := s.workspaces.Get(id)
			if !ok {
				return problem.New(problem.NotFound, "%s", access.NotHere(identity.KindWorkspace, string(id)))
			}
			return term.Exec(w, r, row)
		},
		Forward: func(w http.ResponseWriter, r *http.Request, id identity.WorkspaceID, port int) error {
			row, ok := s.workspaces.Get(id)
			if !ok {
				return problem.New(problem.NotFound, "%s", access.NotHere(identity.KindWorkspace, string(id)))
			}
			return term.Forward(w, r, row, port)
		},
	})
	s.makeIssuer()
	pagesOrigin := web.Origin(o.URL)
	c := web.Config{Access: s.engine, Log: s.log, Meter: s.meter, Sink: s.sink()}
	apps := httpproxy.New(httpproxy.Config{
		Access: s.engine, Facts: s.engine.Facts, Upstream: s.upstream, Keys: s.keys, Issuer: o.URL, Log: s.log,
	})
	named, out := s.beyond(apps.Serve)
	s.front = &hosts{url: o.URL, pagesHost: hostOf(o.URL), secure: s.scheme() == "https", terminals: s.terminals, apps: s.apps, proxies: o.TrustedProxies, others: o.Hosts, bodyWithin: bodyWithin}
	for _, site := range []struct {
		web.Site
		handler *http.Handler
	}{
		{web.Site{
			Name: "pages", Routes: slices.Concat(pages.Routes(), s.signin.Routes(), s.issuer.Pages(), connects, rest),
			Guard: func(r *http.Request) error {
				if s.signin.FromTenant(r) || byToken(r) { // no browser shows a token by itself
					return nil
				}
				return web.GuardOrigin(r, pagesOrigin)
			},
			Identify: func(r *http.Request) (identity.Principal, error) {
				if byToken(r) {
					return s.issuer.Identify(r)
				}
				return s.identifier.Cookie(r, pagesOrigin)
			},
			Headers: dashboard.Headers, Fail: pages.Fail,
		}, &s.front.pages},
		{web.Site{
			Name: "machine", Routes: append(append(gateway.Routes(gateway.Protocols{
				Git: gitproxy.New(gitproxy.Config{Access: s.engine, Facts: s.engine.Facts, Upstream: s.upstream, Pushed: s.prebuilds.Pushed, Log: s.log}).Serve,
				App: named, Egress: out,
			}), slices.Concat(s.issuer.Machine(), s.tokenRoutes(), s.aiAgents(), s.ownRoutes())...), s.notifications()),
			Guard: gateway.Guard, Identify: s.onMachinePath, Headers: gateway.Headers,
		}, &s.front.machine},
		{web.Site{
			Name: "terminal", Routes: append(append(pages.TerminalAssets(), term.Routes()...), s.signin.Enter()),
			Guard: func(r *http.Request) error { return web.GuardOrigin(r, s.scheme()+"://"+r.Host) },
			Identify: func(r *http.Request) (identity.Principal, error) {
				return s.identifier.Cookie(r, s.scheme()+"://"+r.Host)
			},
			Headers: dashboard.Headers, Fail: s.failTerminal(pages),
		}, &s.front.terminal},
		{s.provision.Site(), &s.front.provisioning},
		{s.appSite(pages, apps), &s.front.app},
		{web.Site{Name: "operator", Routes: append(rest, o.Operator...), Identify: operator}, &s.operator},
	} {
		if *site.handler, err = site.Handler(c); err != nil {
			return err
		}
		s.sites = append(s.sites, site.Site)
	}
	return nil
}

// Sites are all sites with their routes, as they are served.
func (s *Server) Sites() []web.Site { return s.sites }

// fromTunnel identifies what comes through a workspace's tunnel.
func (s *Server) fromTunnel(r *http.Request) (identity.Principal, error) {
	id, ok := tunnel.WorkspaceFrom(r.Context())
	if !ok {
		return identity.Principal{}, nil
	}
	if row, ok := s.workspaces.Get(id); ok {
		return s.identifier.Workspace(id, row.Session), nil
	}
	if beside, ok := s.workspaces.Sibling(id); ok {
		return s.identifier.Agent(beside.Session), nil
	}
	if who, ok := s.prebuilds.principal(id); ok {
		return who, nil
	}
	return identity.Principal{}, nil
}

func (s *Server) notifications() web.Route {
	return web.Route{Path: NotificationPath, Access: web.Public("it only rings; what changed is read from Graph"),
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			s.graph.Load().Notifications().ServeHTTP(w, r)
			return nil
		}}
}

func (s *Server) shownWorkspace(r *http.Request) dashboard.Workspace {
	id, _ := s.terminals.workspace(r.Host)
	row, ok := s.workspaces.Get(id)
	if !ok {
		return dashboard.Workspace{Name: string(id)}
	}
	return dashboard.Workspace{Name: row.Name, Repository: row.Repository, Ref: row.Ref}
}

func (s *Server) scheme() string {
	u, err := url.Parse(s.options.URL)
	if err != nil {
		return "https"
	}
	return u.Scheme
}

func hostOf(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return u.Host
}
