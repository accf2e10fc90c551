package config

import "github.com/lanyardhq/lanyard/internal/source"

// SCIM says which assertions of the tenant's its provisioning service shows (RFC 7523), instead of a secret.
type SCIM struct {
	Audiences []string // what they are for: the application of the enterprise application that provisions
	Subjects  []string // who shows them: the object ID of the provisioning service in the tenant
}

// JWKS is where the tenant's public keys are.
func (e Entra) JWKS() string { return e.Authority + "/" + string(e.Tenant) + "/discovery/v2.0/keys" }

func (p *parser) scim(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"audience", "subject"}, map[string]string{"secret": "is made with `lanyard scim secret create`", "token": "is made with `lanyard scim secret create`"})
	c := &p.config.Entra.SCIM
	for key, to := range map[string]*[]string{"audience": &c.Audiences, "subject": &c.Subjects} {
		e, ok := m.Need(key)
		if !ok {
			continue
		}
		*to = oneOrMore(e.Value)
	}
}

// oneOrMore reads a text, or a list of them.
func oneOrMore(v source.Value) (all []string) {
	if v.IsText() {
		if text, ok := v.Text(); ok {
			all = append(all, text)
		}
		return all
	}
	for _, one := range v.Texts() {
		all = append(all, one.Text)
	}
	return all
}

// usersFrom reads who says who there is.
func (p *parser) usersFrom(m source.Mapping) {
	e, ok := m.Find("users")
	if !ok {
		return
	}
	s, ok := e.Value.Text()
	if !ok {
		return
	}
	d := &p.config.Directory
	switch d.Users = Members(s); {
	case d.Users != FromGraph && d.Users != FromSCIM:
		e.Value.Report("users come from %s or %s", FromGraph, FromSCIM)
	case d.Users == FromSCIM && d.Members != FromSCIM:
		e.Value.Report("where users come from %s, memberships do too: write members: %s", FromSCIM, FromSCIM)
	}
}
