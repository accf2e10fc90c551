package cases

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// named are the kinds of resource that have a name, each under its own key.
var named = map[string]identity.ResourceKind{
	"repo": identity.KindRepo, "app": identity.KindApp, "registry": identity.KindRegistry, "egress": identity.KindEgress, "audience": identity.KindAudience, "workspace": identity.KindWorkspace, "grant": identity.KindGrant,
}

func (p *parser) resource(v source.Value, c *Case) {
	if v.IsText() {
		if s, _ := v.Text(); s != "installation" {
			v.Report("a resource is `installation`, or a mapping such as {repo: https://git.example.com/payments/api, project: payments}")
		}
		c.resource = identity.Installation()
		return
	}
	m, ok := v.Mapping()
	if !ok {
		return
	}
	known := append(slices.Sorted(maps.Keys(named)), "user", "project", "owner", "sensitive")
	m.Keys(known, nil)
	for _, e := range m.Entries {
		text, ok := "", false
		if slices.Contains(known, e.Key) {
			text, ok = e.Value.Text()
		}
		if !ok {
			continue
		}
		switch e.Key {
		case "project":
			c.resource.Project = p.project(text)
		case "sensitive":
			c.needs = text
		case "owner", "user":
			if e.Key == "user" {
				c.resource.Kind = identity.KindUser
			}
			u, ok := p.users[text]
			if !ok {
				e.Value.Report("there is no user %q under `users`%s", text, nearUser(text, p.users))
				continue
			}
			c.resource.Owner = u.id
			if e.Key == "user" {
				c.resource.Name = u.id.Key()
			}
		default:
			if c.resource.Kind != "" {
				e.At.Report("a resource is of one kind")
			}
			c.resource.Kind, c.resource.Name = named[e.Key], text
		}
	}
	if c.resource.Kind == "" && c.resource.Project != "" {
		c.resource.Kind, c.resource.Name = identity.KindProject, string(c.resource.Project)
	}
	if c.resource.Kind == "" && len(m.Entries) > 0 {
		v.Report("of which kind is the resource? Name a repo, app, workspace, grant, user or project")
	}
}

func (p *parser) context(v source.Value, c *Case) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"session", "ip", "now", "signed_in", "strength", "contexts", "class"}, map[string]string{
		"agent": "stands beside `user`, not in the context", "signedIn": "is written signed_in: how long ago, such as 2h",
	})
	if e, ok := m.Find("now"); ok {
		c.now = moment(e.Value, c.now)
	}
	for _, e := range m.Entries {
		switch e.Key {
		case "session":
			c.context.Session, _ = e.Value.Text()
		case "strength":
			c.context.Strength, _ = e.Value.Text()
		case "class":
			c.context.Class, _ = e.Value.Text()
		case "ip":
			if s, ok := e.Value.Text(); ok {
				ip, err := netip.ParseAddr(s)
				if err != nil {
					e.Value.Report("%q is not an IP address", s)
				}
				c.context.IP = ip
			}
		case "signed_in":
			if ago, ok := e.Value.Duration(); ok {
				c.context.SignedIn = c.now.Add(-ago)
			}
		case "contexts":
			var all []string
			for _, one := range e.Value.Texts() {
				if strings.ContainsAny(one.Text, " \t\n") {
					e.Value.Report("%q is not an authentication context", one.Text)
					continue
				}
				all = append(all, one.Text+" ")
			}
			slices.Sort(all)
			c.context.Contexts = strings.Join(all, "")
		}
	}
}
