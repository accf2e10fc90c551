package project

import (
	"net/url"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// RegistryKind is what a registry speaks.
type RegistryKind string

// The kinds of registry.
const (
	NPM  RegistryKind = "npm"
	Go   RegistryKind = "go" // a module proxy: https://go.dev/ref/mod#goproxy-protocol
	PyPI RegistryKind = "pypi"
	APT  RegistryKind = "apt"
	OCI  RegistryKind = "oci"
)

var registryKinds = []string{string(NPM), string(Go), string(PyPI), string(APT), string(OCI)}

// Registry is a package registry behind the gateway.
type Registry struct {
	Name       string // unique in the installation
	Kind       RegistryKind
	URL        *url.URL // http or https, with an optional base path and no slash at its end; do not change it
	Credential Credential
	// Scope narrows what the workspaces' own programs ask it for: an npm scope such as @contoso, or patterns of Go modules
	// as GOPRIVATE has them. Empty: everything.
	Scope string
	// Connection says how it is reached.
	Connection Connection
}

// Resource names the registry for a decision.
func (r Registry) Resource(p identity.ProjectID) identity.Resource {
	return identity.Resource{Kind: identity.KindRegistry, Name: r.Name, Project: p}
}

var (
	npmScope = shape(`^@[a-z0-9~][a-z0-9._~-]{0,99}$`)
	goScope  = shape(`^[A-Za-z0-9.*?_~/-]+(,[A-Za-z0-9.*?_~/-]+)*$`)
)

// isRegistry reports whether a resource is a package registry.
func isRegistry(v source.Value) bool {
	if !v.IsMapping() {
		return false
	}
	m, _ := v.Mapping()
	_, ok := m.Find("registry")
	return ok
}

func readRegistry(v source.Value) (r Registry, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return r, v, false
	}
	m.Keys([]string{"registry", "kind", "url", "credential", "scope", "http2", "timeouts"}, nil)
	name, _ := m.Need("registry") // there, or it would be no registry
	kind, hasKind := m.Need("kind")
	address, hasURL := m.Need("url")
	if e, found := m.Find("credential"); found {
		r.Credential = readCredential(e.Value)
		if r.Credential.GitHubApp != "" || r.Credential.GitHubUser != "" {
			e.Value.Report("tokens of a GitHub App are for repositories; a registry takes entra, entra_app, basic_file or bearer_file")
		}
	}
	r.Connection = readConnection(m)
	if !hasKind || !hasURL {
		return r, v, false
	}
	if r.Name, ok = name.Value.Text(); ok && !resourceName().MatchString(r.Name) {
		name.Value.Report("%q cannot be a registry's name; use a lower-case letter, then letters, digits and dashes, at most 41", r.Name)
		ok = false
	}
	if s, isText := kind.Value.Text(); isText && !slices.Contains(registryKinds, s) {
		kind.Value.Report("the kind of a registry is one of %s", strings.Join(registryKinds, ", "))
		ok = false
	} else {
		r.Kind = RegistryKind(s)
	}
	if e, found := m.Find("scope"); found {
		r.Scope = readScope(e.Value, r.Kind)
	}
	text, isText := address.Value.Text()
	if !isText {
		return r, v, false
	}
	u, err := parseAppURL(text)
	if err != nil {
		address.Value.Report("%s", strings.Replace(err.Error(), "an app's", "a registry's", 1))
		return r, v, false
	}
	r.URL = u
	return r, name.Value, ok
}

func readScope(v source.Value, kind RegistryKind) string {
	s, ok := v.Text()
	switch {
	case !ok:
		return ""
	case kind == NPM && !npmScope().MatchString(s):
		v.Report("%q is not a scope of npm packages; write it as @contoso", s)
	case kind == Go && !goScope().MatchString(s):
		v.Report("%q is not a list of patterns of Go modules, such as go.example.com/*", s)
	case kind != NPM && kind != Go:
		v.Report("only registries of npm packages and Go modules have a scope")
	default:
		return s
	}
	return ""
}
