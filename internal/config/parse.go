package config

import (
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// inPlace is said of every key that would hold a secret.
const inPlace = "would write a secret in place; put it into a file that only Lanyard may read, and name that with "

type parser struct {
	base   string
	config *Config
	draft  bool // what `lanyard entra setup` fills in may be missing
}

// root reads the whole file.
func (p *parser) root(m source.Mapping) {
	m.Keys([]string{
		"url", "listen", "data", "database", "database_file", "encryption_key_file", "entra", "oidc", "sessions", "step_up", "directory",
		"roles", "audit", "runtimes", "domains", "projects", "policies", "listen_metrics", "listen_replicas", "log", "traces", "limits", "alarms", "trusted_proxies", "tls", "github", "clients", "registries", "classes", "workspaces", "snapshots", "prebuilds",
	}, map[string]string{
		"tokens":         "",
		"encryption_key": inPlace + "encryption_key_file",
	})
	c := p.config
	p.url(m)
	if e, ok := m.Find("listen"); ok {
		p.listen(e.Value)
	}
	c.Data, _ = p.needPath(m, "data")
	p.database(m)
	p.encryptionKey(m)
	p.replicas(m)
	p.provider(m)
	if e, ok := m.Find("sessions"); ok {
		p.sessions(e.Value)
	}
	if e, ok := m.Find("step_up"); ok {
		p.stepUp(e.Value)
	}
	if e, ok := m.Find("directory"); ok {
		p.directory(e.Value)
	}
	if e, ok := m.Find("roles"); ok {
		p.roles(e.Value)
	}
	if e, ok := m.Find("audit"); ok {
		p.auditLog(e.Value)
	}
	p.operations(m)
	p.limits(m)
	p.classes(m)
	p.workspaces(m)
	p.snapshots(m)
	p.prebuilds(m)
	p.alarms(m)
	p.gitHub(m)
	p.clients(m)
	p.registries(m)
	p.runtimes(m)
	p.trustedProxies(m)
	p.tls(m)
	p.domains(m)
	p.projects(m)
	c.Policies = p.path(m, "policies")
}

func (p *parser) url(m source.Mapping) {
	e, ok := m.Need("url")
	if !ok {
		return
	}
	s, ok := e.Value.Text()
	if !ok {
		return
	}
	u, ok := p.address(e.Value, s)
	if !ok {
		return
	}
	if u.Path != "" && u.Path != "/" {
		e.Value.Report("the url has no path: Lanyard has a host of its own")
		return
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		e.Value.Report("an http:// url is served on this machine alone, under localhost; everywhere else passwords and sessions need https://")
		return
	}
	host := strings.ToLower(u.Host)
	if (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80") {
		host = strings.ToLower(u.Hostname())
	}
	p.config.URL = u.Scheme + "://" + host
}

// address reads an http or https URL without user name, query and fragment.
func (p *parser) address(v source.Value, s string) (*url.URL, bool) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		v.Report("this is not a URL")
	case u.User != nil:
		v.Report("leave user name and password out of the URL; a secret is never written in place")
	case u.Scheme != "https" && u.Scheme != "http":
		v.Report("the URL begins with https://")
	case u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.ContainsAny(s, "#%\\"):
		v.Report("the URL has a host, and neither query nor fragment nor encodings")
	default:
		return u, true
	}
	return nil, false
}

func loopback(host string) bool {
	host = strings.ToLower(host)
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func (p *parser) listen(v source.Value) {
	s := ""
	if v.IsText() {
		s, _ = v.Text()
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		v.Report("this is not an address; write host:port, such as %s", defaultListen)
		return
	}
	p.config.Listen = s
}

// durations reads the keys that are there.
func durations(m source.Mapping, into map[string]*time.Duration) {
	for key, to := range into {
		if e, ok := m.Find(key); ok {
			if d, ok := e.Value.Duration(); ok {
				*to = d
			}
		}
	}
}

func (p *parser) sessions(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"idle", "lifetime"}, nil)
	s := &p.config.Sessions
	durations(m, map[string]*time.Duration{"idle": &s.Idle, "lifetime": &s.Lifetime})
	if s.Idle > s.Lifetime {
		m.Report("idle (%s) is longer than lifetime (%s)", s.Idle, s.Lifetime)
	}
}

func (p *parser) stepUp(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"lifetime"}, nil)
	durations(m, map[string]*time.Duration{"lifetime": &p.config.StepUp})
}

func (p *parser) directory(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"sweep", "stale_after", "close_after", "members", "users"}, nil)
	d := &p.config.Directory
	durations(m, map[string]*time.Duration{"sweep": &d.Sweep, "stale_after": &d.StaleAfter, "close_after": &d.CloseAfter})
	if e, ok := m.Find("members"); ok {
		if s, ok := e.Value.Text(); ok {
			switch d.Members = Members(s); d.Members {
			case FromGraph, FromSCIM, FromSignIn:
			default:
				e.Value.Report("memberships come from one of %s, %s and %s", FromGraph, FromSCIM, FromSignIn)
			}
		}
	}
	if p.config.OIDC != nil && d.Members != FromSignIn {
		m.Report("with `oidc` memberships come from sign-ins: leave members out, or write %s", FromSignIn)
		d.Members = FromSignIn
	}
	if d.Members == FromSignIn && p.config.OIDC == nil && p.config.ListenReplicas != "" {
		m.Report("memberships that come from sign-ins are kept by one server; with listen_replicas let members be %s or %s", FromGraph, FromSCIM)
	}
	p.usersFrom(m)
	if d.Sweep >= d.StaleAfter {
		m.Report("sweep (%s) must be shorter than stale_after (%s), or the directory is stale between two sweeps", d.Sweep, d.StaleAfter)
	}
	if d.StaleAfter > d.CloseAfter {
		m.Report("stale_after (%s) is longer than close_after (%s)", d.StaleAfter, d.CloseAfter)
	}
}

func (p *parser) roles(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{string(project.Admin), string(project.Auditor)}, nil)
	for _, role := range []project.Role{project.Admin, project.Auditor} {
		e, ok := m.Find(string(role))
		if !ok {
			continue
		}
		list, _ := e.Value.List()
		for _, one := range list {
			l, ok := one.Located()
			if !ok {
				continue
			}
			if wrong := project.CheckGroup(l); wrong != "" {
				one.Report("%s", wrong)
				continue
			}
			p.config.Roles[role] = append(p.config.Roles[role], l)
		}
	}
}
