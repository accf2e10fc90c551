package config

import (
	"net"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/lanyardhq/lanyard/internal/source"
)

var hostName = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// site is what a browser takes for one site: hosts of the same site may share cookies and are not protected from
// each other by SameSite. ok is false for a name that many registrants share, such as co.uk.
func site(host string) (name string, ok bool) {
	if net.ParseIP(host) != nil {
		return host, true
	}
	suffix, official := publicsuffix.PublicSuffix(host)
	if suffix == host {
		return host, !official && strings.Contains(host, ".") // one that its owner has put on the list
	}
	name, err := publicsuffix.EffectiveTLDPlusOne(host)
	return name, err == nil
}

func underLocalhost(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// domains reads where apps and workspaces have their hosts. What runs there is not Lanyard's, so each needs a site
// of its own; names under localhost are different sites already.
func (p *parser) domains(m source.Mapping) {
	c := p.config
	pages := ""
	if u, err := url.Parse(c.URL); err == nil {
		pages = u.Hostname()
	}
	e, ok := m.Find("domains")
	if !ok {
		if !underLocalhost(pages) {
			m.Report("`domains` is missing; write domains: {workspaces: DOMAIN} with a domain of another site than the url's")
			return
		}
		c.Apps, c.Workspaces = "localhost", "localhost"
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"apps", "workspaces"}, nil)
	taken := map[string]string{}
	if s, ok := site(pages); ok && pages != "" {
		taken[s] = "url"
	}
	for _, one := range []struct {
		key string
		to  *string
	}{{"apps", &c.Apps}, {"workspaces", &c.Workspaces}} {
		d, ok := inner.Find(one.key)
		if !ok {
			continue
		}
		s, ok := d.Value.Text()
		if !ok {
			continue
		}
		if !hostName.MatchString(s) || len(s) > 200 || net.ParseIP(s) != nil {
			d.Value.Report("%q is not a domain; write it in lower case, without scheme, port and dot at the end", s)
			continue
		}
		*one.to = s
		if underLocalhost(s) {
			continue
		}
		name, own := site(s)
		if !own {
			d.Value.Report("%s is a suffix under which anybody may register; write a domain of your own", s)
			continue
		}
		if other, same := taken[name]; same {
			d.Value.Report("%s is of the same site (%s) as `%s`; what runs there could reach into the other, so it needs a domain registered apart", s, name, other)
			continue
		}
		taken[name] = one.key
	}
	if c.Workspaces == "" {
		if _, ok := inner.Find("workspaces"); !ok {
			inner.Report("`workspaces` is missing")
		}
	}
}
