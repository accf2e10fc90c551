package config

import (
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Registry is a registry of images that the server may reach wherever it stands, and the credential that it has there.
type Registry struct {
	Host      string   // with its port if it says one, as images name it: registry.example.com
	BasicFile string   // of a file that holds user:password; empty: anybody may pull
	PlainHTTP bool     // it has no TLS
	Also      []string // hosts that it sends who pulls to: where its tokens are made, where its layers lie
	// Projects are the names of those for whose workspaces the credential is used; nil: all.
	Projects []string
}

var registryHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$`)

// registries reads where images are pulled from with a credential, or from inside.
func (p *parser) registries(m source.Mapping) {
	e, ok := m.Find("registries")
	if !ok {
		return
	}
	list, _ := e.Value.List()
	for _, one := range list {
		m, ok := one.Mapping()
		if !ok {
			continue
		}
		r := p.registry(m)
		if slices.ContainsFunc(p.config.Registries, func(o Registry) bool { return o.Host == r.Host }) {
			one.Report("the registry %s is there twice", r.Host)
			continue
		}
		p.config.Registries = append(p.config.Registries, r)
	}
}

func (p *parser) registry(m source.Mapping) (r Registry) {
	m.Keys([]string{"host", "basic_file", "plain_http", "also", "projects"},
		map[string]string{"user": inPlace + "basic_file", "password": inPlace + "basic_file", "token": inPlace + "basic_file"})
	if e, ok := m.Need("host"); ok {
		r.Host, _ = p.registryHost(e.Value)
	}
	if e, ok := m.Find("basic_file"); ok {
		if r.BasicFile = p.path(m, "basic_file"); r.BasicFile != "" {
			f := e.Value.Finding("the password of the registry %s; give it the right to pull alone, and make a new one from time to time", r.Host)
			f.Message = "basic_file " + r.BasicFile + ": " + f.Message
			p.config.longLived = append(p.config.longLived, f)
		}
	}
	if e, ok := m.Find("plain_http"); ok {
		if r.PlainHTTP, ok = e.Value.Bool(); ok && r.PlainHTTP && r.BasicFile != "" && !loopback(hostOnly(r.Host)) {
			e.Value.Report("a password is not sent without TLS; give the registry a certificate, or leave basic_file out")
		}
	}
	if e, ok := m.Find("also"); ok {
		list, _ := e.Value.List()
		for _, one := range list {
			if host, ok := p.registryHost(one); ok {
				r.Also = append(r.Also, host)
			}
		}
	}
	if e, ok := m.Find("projects"); ok {
		r.Projects = []string{}
		for _, t := range e.Value.Texts() {
			r.Projects = append(r.Projects, t.Text)
		}
	}
	return r
}

func (p *parser) registryHost(v source.Value) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	if s = strings.ToLower(s); !registryHost.MatchString(s) {
		v.Report("a registry is named by its host, with a port if it needs one: registry.example.com")
		return "", false
	}
	if s == "docker.io" || s == "registry-1.docker.io" { // as images are named in the end
		s = "index.docker.io"
	}
	return s, true
}

func hostOnly(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return s
}
