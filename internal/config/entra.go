package config

import (
	"net/url"
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
	m.Keys([]string{"tenant", "client_id", "credential", "graph", "authority", "notifications", "sign_in_log", "scim", "guests", "response_mode"}, map[string]string{
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
	p.signIn(m)
	if e, ok := m.Find("notifications"); ok {
		p.notifications(e.Value)
	}
	if e, ok := m.Find("sign_in_log"); ok {
		if s, ok := e.Value.Text(); ok && s != NoSignInLog {
			e.Value.Report("write none where Lanyard is not to read the tenant's log of sign-ins, or leave it out")
		} else {
			p.config.Entra.SignInLog = s
		}
	}
	if e, ok := m.Find("scim"); ok {
		p.scim(e.Value)
	}
	if e, ok := p.need(m, "credential"); ok {
		p.clientCredentials(e.Value)
	}
}

// NoSignInLog is what entra.sign_in_log says where the tenant's log of sign-ins is not to be read.
const NoSignInLog = "none"

// NoNotifications is what entra.notifications says where Graph cannot reach Lanyard.
const NoNotifications = "none"

// notifications reads where Graph posts change notifications to, when that is not below url.
func (p *parser) notifications(v source.Value) {
	s, ok := v.Text()
	if !ok {
		return
	}
	if s != NoNotifications {
		u, err := url.Parse(s)
		if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			v.Report("write none where Microsoft Graph cannot reach Lanyard, or the https:// address at which it can")
			return
		}
	}
	p.config.Entra.Notifications = s
}

func (p *parser) guid(m source.Mapping, key, what string) string {
	e, ok := p.need(m, key)
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
