package config

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/tlscert"
)

// ReadACME reads the files of an authority's configuration.
func (a *ACME) ReadACME() (*tlscert.ACME, error) {
	out := &tlscert.ACME{Directory: a.Directory, Hosts: a.Hosts, Email: a.Email, KeyID: a.KeyID}
	if a.CAFile != "" {
		text, err := os.ReadFile(a.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read who vouches for the authority: %w", err)
		}
		if out.Roots = x509.NewCertPool(); !out.Roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificate in PEM", a.CAFile)
		}
	}
	if a.MACKeyFile != "" {
		text, err := ReadSecret(a.MACKeyFile)
		if err != nil {
			return nil, err
		}
		if out.MAC, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "=")); err != nil {
			return nil, fmt.Errorf("%s holds no key in base64url, as authorities give it out", a.MACKeyFile)
		}
	}
	return out, nil
}

// checkTLS reads the certificates, and says which hosts of Lanyard's none of them is for. It returns the files that only
// Lanyard may read.
func (c *Config) checkTLS(report func(error), now time.Time) (private []string) {
	t := c.TLS
	if !t.On() {
		return nil
	}
	var names []string // that there is a certificate for
	readable := true
	for _, f := range t.Certificates {
		private = append(private, f.Key)
		cert, err := tlscert.Read(f)
		if err != nil {
			report(err)
			readable = false
			continue
		}
		names = append(names, cert.Leaf.DNSNames...)
		switch held := (tlscert.Held{Since: cert.Leaf.NotBefore, Until: cert.Leaf.NotAfter}); {
		case now.After(held.Until):
			report(fmt.Errorf("the certificate in %s ended at %s: renew it; the running server shows the new one by itself", f.Cert, held.Until.UTC().Format(time.RFC3339)))
		case now.Before(held.Since):
			report(fmt.Errorf("the certificate in %s begins to hold at %s: is this machine's clock right?", f.Cert, held.Since.UTC().Format(time.RFC3339)))
		case held.EndsSoon(now):
			report(fmt.Errorf("the certificate in %s ends at %s: renew it before that; the running server shows the new one by itself", f.Cert, held.Until.UTC().Format(time.RFC3339)))
		}
	}
	if t.ACME != nil {
		names = append(names, t.ACME.Hosts...)
		_, err := t.ACME.ReadACME()
		report(err)
		private = append(private, t.ACME.MACKeyFile)
	}
	if readable {
		c.checkNames(report, names)
	}
	return private
}

// checkNames: every host that Lanyard makes needs a certificate, those of terminals and apps by a wildcard.
func (c *Config) checkNames(report func(error), names []string) {
	has := func(want string) bool {
		_, parent, _ := strings.Cut(want, ".")
		return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, want) || strings.EqualFold(n, "*."+parent) })
	}
	if host := c.Host(); host != "" && !has(host) {
		report(fmt.Errorf("no certificate under `tls` is for %s, the url's host", host))
	}
	for _, domain := range []struct{ name, of string }{{c.Workspaces, "terminals"}, {c.Apps, "apps"}} {
		if domain.name != "" && !has("*."+domain.name) {
			report(fmt.Errorf("no certificate under `tls` is for *.%s, where %s have their hosts: add one under `certificates`", domain.name, domain.of))
		}
	}
}
