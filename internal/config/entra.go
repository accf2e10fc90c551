package config

import (
	"regexp"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

var guid = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)

func (p *parser) entra(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"tenant", "client_id", "credential", "graph", "authority"}, map[string]string{
		"scim":   "",
		"secret": inPlace + "credential: {secret_file: …}", "client_secret": inPlace + "credential: {secret_file: …}",
	})
	c := &p.config.Entra
	c.Tenant = identity.TenantID(p.guid(m, "tenant", "the tenant's ID, a GUID; the overview page of Entra shows it"))
	c.ClientID = p.guid(m, "client_id", "the application ID of Lanyard's app registration, a GUID")
	for key, to := range map[string]*string{"graph": &c.Graph, "authority": &c.Authority} {
		e, ok := m.Find(key)
		if !ok {
			continue
		}
		s, ok := e.Value.Text()
		if !ok {
			continue
		}
		u, ok := p.address(e.Value, s)
		if !ok {
			continue
		}
		if u.Scheme == "http" && !loopback(u.Hostname()) {
			e.Value.Report("the tenant is spoken to over https://")
			continue
		}
		*to = strings.TrimSuffix(s, "/")
	}
	if e, ok := m.Need("credential"); ok {
		p.clientCredential(e.Value)
	}
}

func (p *parser) guid(m source.Mapping, key, what string) string {
	e, ok := m.Need(key)
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	if ok && !guid.MatchString(s) {
		e.Value.Report("write %s", what)
		return ""
	}
	return strings.ToLower(s)
}

func (p *parser) clientCredential(v source.Value) {
	if v.IsText() {
		v.Report("a secret is never written in place; put it into a file that only Lanyard may read, and name that: {secret_file: PATH}")
		return
	}
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"secret_file"}, map[string]string{
		"secret": inPlace + "secret_file", "certificate_file": "", "key_file": "", "federated": "", "managed_identity": "",
	})
	if file, ok := p.needPath(m, "secret_file"); ok {
		p.config.Entra.SecretFile = file
		e, _ := m.Find("secret_file")
		p.config.longLived = append(p.config.longLived, e.Value.Finding(
			"secret_file %s: the app registration's client secret; give it a short expiry in Entra and replace the file before that", file))
	}
}
