package config

import (
	"net"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/tlscert"
)

// TLS is what Lanyard shows when it speaks TLS itself; zero where a proxy in front does.
type TLS struct {
	Certificates []tlscert.Files
	ACME         *ACME  // nil: none
	Plain        string // host:port where plain HTTP is led to https; may be empty
}

// On reports whether Lanyard speaks TLS itself.
func (t TLS) On() bool { return len(t.Certificates) > 0 || t.ACME != nil }

// ACME is an authority that certificates are obtained from.
type ACME struct {
	Directory  string   // URL
	Hosts      []string // the url's, and others that were named
	Email      string   // may be empty
	CAFile     string   // who vouches for the authority's address; empty: whom the system trusts
	KeyID      string   // of an account there; empty: none is needed
	MACKeyFile string   // base64url
}

func (p *parser) tls(m source.Mapping) {
	e, ok := m.Find("tls")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"cert_file", "key_file", "certificates", "acme", "plain"}, map[string]string{
		"cert": inPlace + "cert_file", "key": inPlace + "key_file",
	})
	t := &p.config.TLS
	if _, ok := inner.Find("certificates"); !ok {
		if _, ok := inner.Find("acme"); !ok {
			p.certificateFiles(inner)
		}
	}
	p.certificates(inner)
	p.acme(inner)
	if e, ok := inner.Find("plain"); ok {
		t.Plain = hostPort(e.Value, "0.0.0.0:80")
	}
	if strings.HasPrefix(p.config.URL, "http:") {
		e.At.Report("`url` begins with http://, so nobody would ask for TLS; write https:// there")
	}
}

// certificateFiles reads one certificate.
func (p *parser) certificateFiles(m source.Mapping) {
	var f tlscert.Files
	f.Cert, _ = p.needPath(m, "cert_file")
	f.Key, _ = p.needPath(m, "key_file")
	p.config.TLS.Certificates = append(p.config.TLS.Certificates, f)
}

// certificates reads a list of them.
func (p *parser) certificates(m source.Mapping) {
	e, several := m.Find("certificates")
	_, acme := m.Find("acme")
	for _, key := range []string{"cert_file", "key_file"} {
		if single, ok := m.Find(key); ok && (several || acme) {
			single.At.Report("several certificates are written as a list: certificates: [{cert_file: PATH, key_file: PATH}]")
		}
	}
	if !several {
		return
	}
	list, ok := e.Value.List()
	if ok && len(list) == 0 {
		e.Value.Report("name at least one certificate: {cert_file: PATH, key_file: PATH}")
	}
	for _, one := range list {
		if m, ok := one.Mapping(); ok {
			m.Keys([]string{"cert_file", "key_file"}, map[string]string{"cert": inPlace + "cert_file", "key": inPlace + "key_file"})
			p.certificateFiles(m)
		}
	}
}

func (p *parser) acme(m source.Mapping) {
	e, ok := m.Find("acme")
	if !ok {
		return
	}
	inner, ok := e.Value.Mapping()
	if !ok {
		return
	}
	inner.Keys([]string{"directory", "email", "ca_file", "hosts", "key_id", "mac_key_file"}, map[string]string{"mac_key": inPlace + "mac_key_file"})
	a := &ACME{Directory: tlscert.LetsEncrypt, CAFile: p.path(inner, "ca_file"), MACKeyFile: p.path(inner, "mac_key_file")}
	p.config.TLS.ACME = a
	if d, ok := inner.Find("directory"); ok {
		a.Directory = p.acmeDirectory(d.Value)
	}
	for key, to := range map[string]*string{"email": &a.Email, "key_id": &a.KeyID} {
		if t, ok := inner.Find(key); ok {
			*to, _ = t.Value.Text()
		}
	}
	if a.Email != "" && !strings.Contains(a.Email, "@") {
		e, _ := inner.Find("email")
		e.Value.Report("%q is not an e-mail address", a.Email)
	}
	if (a.KeyID == "") != (a.MACKeyFile == "") {
		inner.Report("key_id and mac_key_file belong together: the authority gives out both")
	}
	p.acmeHosts(inner)
}

func (p *parser) acmeDirectory(v source.Value) string {
	s, ok := v.Text()
	if !ok {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		v.Report("the directory is the authority's https:// address, such as %s", tlscert.LetsEncrypt)
		return ""
	}
	return s
}

// acmeHosts are the url's host and those that are named besides.
func (p *parser) acmeHosts(m source.Mapping) {
	a := p.config.TLS.ACME
	pages := p.config.Host()
	switch {
	case pages == "": // said already
	case underLocalhost(pages) || !strings.Contains(pages, ".") || !hostName.MatchString(pages):
		m.Report("no authority vouches for %s; with `acme` the url has a name in the DNS", pages)
	default:
		a.Hosts = []string{pages}
	}
	e, ok := m.Find("hosts")
	if !ok {
		return
	}
	for _, l := range e.Value.Texts() {
		switch host := l.Text; {
		case strings.HasPrefix(host, "*."):
			e.Value.Report("a certificate for %s cannot be obtained by Lanyard, since that takes changes of the DNS; let another program renew it, and name its files under `certificates`", host)
		case !hostName.MatchString(host) || !strings.Contains(host, "."):
			e.Value.Report("%q is not a host's name; write it in lower case, without scheme and port", host)
		case host != pages:
			a.Hosts = append(a.Hosts, host)
		}
	}
}

// hostPort reads an address to listen on.
func hostPort(v source.Value, example string) string {
	s := ""
	if v.IsText() {
		s, _ = v.Text()
	}
	if _, port, err := net.SplitHostPort(s); err != nil || port == "" {
		v.Report("this is not an address; write host:port, such as %s", example)
		return ""
	}
	return s
}
