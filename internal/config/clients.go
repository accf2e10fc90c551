package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Client is a program of somebody else's that gets tokens of Lanyard's issuer.
type Client struct {
	ID           string
	Name         string // as people are shown it
	SecretFile   string // empty for a client that cannot keep a secret
	RedirectURIs []string
	Device       bool     // it may use the device flow
	Audiences    []string // names of the audiences that it is: it may ask about their tokens and exchange them
	Exchange     []string // names of the audiences that it may exchange tokens for
	Requests     int      // how many it may make in a minute, wherever from; 0: no bound of its own
}

// MinClientSecret is the least length of a client's secret: it is kept as a plain hash, which only a random one of at least
// 128 bits withstands.
const MinClientSecret = 22

// defaultClientRequests is how often a client may ask in a minute: a service that asks about each token it is shown stays
// below it up to a thousand requests a second.
const defaultClientRequests = 60000

var audienceName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

// clients reads the programs that get tokens here, beside Lanyard's own.
func (p *parser) clients(m source.Mapping) {
	e, ok := m.Find("clients")
	if !ok {
		return
	}
	list, _ := e.Value.List()
	seen := map[string]bool{session.CLI: true}
	for _, one := range list {
		m, ok := one.Mapping()
		if !ok {
			continue
		}
		c := p.client(m)
		if c.ID != "" && seen[c.ID] {
			one.Report("the client ID %q is taken; each client has its own, and %s is Lanyard's own program", c.ID, session.CLI)
			continue
		}
		seen[c.ID] = true
		p.config.Clients = append(p.config.Clients, c)
	}
}

func (p *parser) client(m source.Mapping) (c Client) {
	m.Keys([]string{"client", "name", "secret_file", "redirect_uris", "device", "audiences", "exchange", "requests_per_minute"},
		map[string]string{"secret": inPlace + "secret_file", "client_secret": inPlace + "secret_file"})
	if e, ok := m.Need("client"); ok {
		if c.ID, ok = e.Value.Text(); ok && !clientID.MatchString(c.ID) {
			e.Value.Report("%q cannot be a client's ID; use letters, digits and ._- , at most 100", c.ID)
		}
	}
	c.Name = c.ID
	if e, ok := m.Find("name"); ok {
		if c.Name, ok = e.Value.Text(); ok && !clientName.MatchString(c.Name) {
			e.Value.Report("people are shown this name: printable ASCII, at most 255 characters")
		}
	}
	if e, ok := m.Find("secret_file"); ok {
		if c.SecretFile = p.path(m, "secret_file"); c.SecretFile != "" {
			f := e.Value.Finding("the secret of the client %s; make a new one from time to time", c.ID)
			f.Message = "secret_file " + c.SecretFile + ": " + f.Message
			p.config.longLived = append(p.config.longLived, f)
		}
	}
	if e, ok := m.Find("redirect_uris"); ok {
		for _, one := range e.Value.Texts() {
			if wrong := redirectURI(one.Text); wrong != "" {
				e.Value.Report("%q %s", one.Text, wrong)
			}
			c.RedirectURIs = append(c.RedirectURIs, one.Text)
		}
	}
	if e, ok := m.Find("device"); ok {
		c.Device, _ = e.Value.Bool()
	}
	c.Audiences, c.Exchange = audienceNames(m, "audiences"), audienceNames(m, "exchange")
	if c.SecretFile == "" && len(c.Audiences)+len(c.Exchange) > 0 {
		m.Report("a client that is an audience, or that exchanges tokens, has a secret_file: otherwise anybody could call themselves %s", c.ID)
	}
	if len(c.RedirectURIs) == 0 && !c.Device && len(c.Audiences) == 0 {
		m.Report("the client gets nothing: give it redirect_uris, device: true, or the audiences that it is")
	}
	c.Requests = defaultClientRequests
	if e, ok := m.Find("requests_per_minute"); ok {
		if n, isNumber := e.Value.Number(); isNumber && (n < 0 || n > 1e9 || n != float64(int(n))) {
			e.Value.Report("this is a whole number; 0 is no bound")
		} else if isNumber {
			c.Requests = int(n)
		}
	}
	return c
}

func audienceNames(m source.Mapping, key string) (names []string) {
	e, ok := m.Find(key)
	if !ok {
		return nil
	}
	for _, one := range e.Value.Texts() {
		if !audienceName.MatchString(one.Text) {
			e.Value.Report("%q is not the name of an audience, as `resources` of a project's file has it", one.Text)
			continue
		}
		names = append(names, one.Text)
	}
	return names
}

// redirectURI says what is wrong with an address that codes are sent to (RFC 6749 section 3.1.2, RFC 8252 section 7.3).
func redirectURI(s string) string {
	u, err := url.Parse(s)
	switch {
	case err != nil || !u.IsAbs() || u.Host == "" || u.User != nil || strings.ContainsAny(s, "*\\ \t\r\n"):
		return "is not an absolute address; it is compared letter by letter, so there are no wildcards"
	case strings.Contains(s, "#"):
		return "has a fragment, which codes cannot be sent to"
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return ""
	}
	return "begins with https://, or is on this machine (http://127.0.0.1/… for any port)"
}

// ReadSecret is the client's secret; empty for a client without.
func (c Client) ReadSecret() (string, error) {
	if c.SecretFile == "" {
		return "", nil
	}
	s, err := ReadSecret(c.SecretFile)
	if err == nil && len(s) < MinClientSecret {
		return "", fmt.Errorf("%s: the secret of the client %s has fewer than %d characters; make one with: (umask 077 && openssl rand -base64 32 > %s)",
			c.SecretFile, c.ID, MinClientSecret, c.SecretFile)
	}
	return s, err
}
