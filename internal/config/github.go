package config

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/source"
)

var (
	appName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)
	clientID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)
)

// gitHub reads the GitHub Apps by which people and projects reach repositories there.
func (p *parser) gitHub(m source.Mapping) {
	e, ok := m.Find("github")
	if !ok {
		return
	}
	list, _ := e.Value.List()
	seen := map[string]bool{}
	for _, one := range list {
		m, ok := one.Mapping()
		if !ok {
			continue
		}
		app := p.gitHubApp(m)
		if seen[app.Name] {
			one.Report("there are two apps of the name %q", app.Name)
			continue
		}
		seen[app.Name] = true
		p.config.GitHub = append(p.config.GitHub, app)
	}
}

func (p *parser) gitHubApp(m source.Mapping) (app connection.App) {
	m.Keys([]string{"name", "url", "api", "client_id", "client_secret_file", "private_key_file"}, map[string]string{
		"client_secret": inPlace + "client_secret_file", "private_key": inPlace + "private_key_file", "app_id": "is not needed; write the app's client_id",
	})
	text := func(key string, shape *regexp.Regexp, says string) string {
		e, ok := m.Need(key)
		if !ok {
			return ""
		}
		s, ok := e.Value.Text()
		if ok && !shape.MatchString(s) {
			e.Value.Report("%q %s", s, says)
		}
		return s
	}
	app.Name = text("name", appName, "cannot be an app's name; use a lower-case letter, then letters, digits and dashes, at most 41")
	app.ClientID = text("client_id", clientID, "is not a client ID; GitHub shows it on the app's page")
	app.URL, app.API = "https://github.com", "https://api.github.com"
	if e, ok := m.Find("url"); ok {
		if app.URL, ok = p.gitHubURL(e.Value); ok && app.URL != "https://github.com" {
			app.API = app.URL + "/api/v3"
		}
	}
	if e, ok := m.Find("api"); ok {
		app.API, _ = p.gitHubURL(e.Value)
	}
	for key, about := range map[string]struct {
		file *string
		says string
	}{
		"client_secret_file": {&app.SecretFile, "the secret with which the GitHub App %s renews people's connections; make a new one at GitHub from time to time and delete the old"},
		"private_key_file":   {&app.KeyFile, "the key of the GitHub App %s, which opens every repository it is installed for; prefer github_user, by which each person goes as themselves, and replace the key from time to time"},
	} {
		e, ok := m.Find(key)
		if !ok {
			continue
		}
		if *about.file = p.path(m, key); *about.file != "" {
			f := e.Value.Finding(about.says, app.Name)
			f.Message = key + " " + *about.file + ": " + f.Message
			p.config.longLived = append(p.config.longLived, f)
		}
	}
	if app.SecretFile == "" && app.KeyFile == "" {
		m.Report("an app has a client_secret_file, by which people connect, or a private_key_file, by which the app itself reaches what it is installed for, or both")
	}
	return app
}

// gitHubURL reads a host's address, which tokens go to: only this machine's own may be unprotected.
func (p *parser) gitHubURL(v source.Value) (string, bool) {
	s, ok := v.Text()
	if !ok {
		return "", false
	}
	u, ok := p.address(v, s)
	if !ok {
		return "", false
	}
	if u.Scheme != "https" && !loopback(u.Hostname()) {
		v.Report("tokens go to this address: it begins with https://")
		return "", false
	}
	canonical := url.URL{Scheme: u.Scheme, Host: strings.ToLower(u.Host), Path: strings.TrimSuffix(u.Path, "/")}
	return canonical.String(), true
}
