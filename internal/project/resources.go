package project

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/source"
)

var (
	resourceName = shape(`^[a-z][a-z0-9-]{0,40}$`)
	scopeShape   = shape(`^[\x21-\x7e]{1,512}$`)
	audience     = shape(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$`)
)

func readRepository(v source.Value) (repo Repository, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return repo, v, false
	}
	m.Keys([]string{"url", "credential", "refs", "sensitive", "prebuilds"}, nil)
	if e, found := m.Find("refs"); found {
		repo.Refs = readRefRules(e.Value)
	}
	if e, found := m.Find("sensitive"); found {
		repo.Sensitive = readSensitive(e.Value)
	}
	if e, found := m.Find("credential"); found {
		repo.Credential = readCredential(e.Value)
	}
	if e, found := m.Find("prebuilds"); found {
		repo.Prebuilds = readPrebuilds(e.Value)
		checkPrebuilds(repo, e.Value)
	}
	e, ok := m.Need("url")
	if !ok {
		return repo, v, false
	}
	text, ok := e.Value.Text()
	if !ok {
		return repo, v, false
	}
	canonical, err := CanonicalRepository(text)
	if err != nil {
		e.Value.Report("%v", err)
		return repo, v, false
	}
	repo.URL = canonical
	return repo, e.Value, true
}

// authContext is the shape of an authentication context's ID: Entra knows c1 to c99, others name their own.
var authContext = shape(`^[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}$`)

func readSensitive(v source.Value) string {
	s, ok := v.Text()
	if ok && !authContext().MatchString(s) {
		v.Report("%q is not an authentication context; write its ID, such as c1", s)
		return ""
	}
	return s
}

func readCredential(v source.Value) (c Credential) {
	if v.IsText() {
		if s, _ := v.Text(); s != "none" {
			v.Report("a credential is none, {entra: SCOPE}, {entra_app: SCOPE}, {github_user: APP}, {github_app: APP}, {basic_file: PATH} or {bearer_file: PATH}; a secret is never written in place, put it into a file and name that")
		}
		return c
	}
	m, ok := v.Mapping()
	if !ok {
		return c
	}
	const inPlace = "would write a secret in place; put it into a file that only Lanyard may read, and name that with "
	kinds := map[string]*string{
		"entra": &c.EntraScope, "entra_app": &c.EntraApp, "github_user": &c.GitHubUser, "github_app": &c.GitHubApp,
		"basic_file": &c.BasicFile, "bearer_file": &c.BearerFile,
	}
	m.Keys(slices.Sorted(maps.Keys(kinds)), map[string]string{
		"basic": inPlace + "basic_file", "password": inPlace + "basic_file",
		"bearer": inPlace + "bearer_file", "token": inPlace + "bearer_file",
	})
	if len(m.Entries) != 1 {
		m.Report("a credential has exactly one of entra, entra_app, github_user, github_app, basic_file and bearer_file")
		return c
	}
	e := m.Entries[0]
	into, known := kinds[e.Key]
	if !known {
		return c
	}
	s, ok := e.Value.Text()
	switch {
	case !ok:
		return c
	case strings.HasPrefix(e.Key, "entra") && !scopeShape().MatchString(s):
		e.Value.Report("a scope is one word, such as api://APP-ID/.default")
	case e.Key == "entra_app" && !strings.HasSuffix(s, "/.default"):
		e.Value.Report("an app's own token is asked for with a scope that ends with /.default")
	case strings.HasPrefix(e.Key, "github") && !resourceName().MatchString(s):
		e.Value.Report("%q names no GitHub App of the configuration; write its name under github in lanyard.yaml", s)
	case strings.HasSuffix(e.Key, "_file") && !strings.HasPrefix(s, "/"):
		e.Value.Report("write the whole path of the file, beginning with /")
	default:
		*into = s
	}
	return c
}

func readResource(v source.Value) (app App, place source.Value, ok bool) {
	m, ok := v.Mapping()
	if !ok {
		return app, v, false
	}
	for _, kind := range []string{"database", "host", "tool", "mcp"} {
		if e, found := m.Find(kind); found {
			e.At.Report("`%s` is not supported yet; remove this resource", kind)
			return app, v, false
		}
	}
	m.Keys([]string{"app", "url", "assertion", "http2", "timeouts", "rules"}, map[string]string{"credential": "", "sensitive": "", "kind": ""})
	name, hasName := m.Need("app")
	address, hasURL := m.Need("url")
	if e, found := m.Find("assertion"); found {
		app.Audience = readAssertion(e.Value)
	}
	app.Connection = readConnection(m)
	if e, found := m.Find("rules"); found {
		if app.Rules = readAppRules(e.Value); len(app.Rules) == 0 {
			e.Value.Report("names no rule; leave `rules` out to leave everything to the policies")
		}
	}
	if !hasName || !hasURL {
		return app, v, false
	}
	if app.Name, ok = name.Value.Text(); ok && !resourceName().MatchString(app.Name) {
		name.Value.Report("%q cannot be an app's name; use a lower-case letter, then letters, digits and dashes, at most 41", app.Name)
		ok = false
	}
	text, isText := address.Value.Text()
	if !isText {
		return app, v, false
	}
	u, err := parseAppURL(text)
	if err != nil {
		address.Value.Report("%v", err)
		return app, v, false
	}
	app.URL = u
	return app, name.Value, ok
}

func readAssertion(v source.Value) string {
	m, ok := v.Mapping()
	if !ok {
		return ""
	}
	m.Keys([]string{"audience"}, nil)
	e, ok := m.Need("audience")
	if !ok {
		return ""
	}
	s, ok := e.Value.Text()
	if ok && !audience().MatchString(s) {
		e.Value.Report("%q cannot be an audience; use letters, digits and ._:/- , at most 128", s)
		return ""
	}
	return s
}

// parseAppURL reads the address of an app: http or https, a host, perhaps a port and a base path.
func parseAppURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL", quote(s))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("an app's url begins with http:// or https://")
	case u.Hostname() == "" || strings.HasPrefix(u.Host, "-"):
		return nil, errors.New("the url names no host")
	case u.User != nil:
		return nil, errors.New("a secret is never written in place; leave user name and password out of the url")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#"):
		return nil, errors.New("an app's url has neither query nor fragment")
	case strings.Contains(s, "%") || strings.Contains(u.Path, "//") || strings.Contains(u.Path+"/", "/../") || strings.Contains(u.Path+"/", "/./"):
		return nil, errors.New("an app's base path is written plainly, without encodings, dots or empty segments")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	return u, nil
}

func readTemplate(v source.Value, t *Template) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"timeout", "class", "classes", "egress", "secret_variables", "image", "images", "warm"}, nil)
	if e, ok := m.Find("egress"); ok {
		t.Egress = readEgress(e.Value)
	}
	if e, ok := m.Find("timeout"); ok {
		if d, ok := e.Value.Duration(); ok && d < time.Minute {
			e.Value.Report("a workspace's timeout is at least 1m")
		} else if ok {
			t.Timeout = d
		}
	}
	if e, ok := m.Find("secret_variables"); ok {
		t.SecretVariables, _ = e.Value.Bool()
	}
	readClasses(m, t)
	readImages(m, t)
	readWarm(m, t)
}

// secretVariables is where a workspace's template says that secret variables are given, if it does.
func secretVariables(v source.Value, t Template) []source.Value {
	if !t.SecretVariables {
		return nil
	}
	m, _ := v.Mapping()
	e, ok := m.Find("secret_variables")
	if !ok {
		return nil
	}
	return []source.Value{e.Value}
}

// secretFinding tells whoever checks a configuration of secret variables.
func secretFinding(v source.Value, of string) Finding {
	return v.Finding("secret_variables of %s: secret environment variables are given to its workspaces, where every process reads them and can use them elsewhere until somebody changes them; instead, put what they open behind the gateway, or let it take tokens (audience)", of)
}
