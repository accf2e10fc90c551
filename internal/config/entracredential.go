package config

import (
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/source"
)

// clientCredentials reads how Lanyard's app registration proves itself: one credential, or a list of them. Which is
// tried first is said by their kinds: a federated token, then a certificate, then a secret.
func (p *parser) clientCredentials(v source.Value) {
	if v.IsText() {
		v.Report("a secret is never written in place; put it into a file that only Lanyard may read, and name that: {secret_file: PATH}")
		return
	}
	if v.IsMapping() {
		p.clientCredential(v)
		return
	}
	list, ok := v.List()
	if ok && len(list) == 0 {
		v.Report("name at least one credential: {federated_token_file: PATH}, {certificate_file: PATH, key_file: PATH} or {secret_file: PATH}")
	}
	for _, one := range list {
		p.clientCredential(one)
	}
}

func (p *parser) clientCredential(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"federated_token_file", "certificate_file", "key_file", "secret_file"}, map[string]string{
		"secret": inPlace + "secret_file", "certificate": inPlace + "certificate_file", "key": inPlace + "key_file", "federated": "is written federated_token_file: PATH",
		"managed_identity": "is not supported; a workload identity's token file is: federated_token_file",
	})
	f := credential.Files{
		FederatedToken: p.path(m, "federated_token_file"), Certificate: p.path(m, "certificate_file"), Key: p.path(m, "key_file"),
		Secret: p.path(m, "secret_file"),
	}
	kinds := 0
	for _, set := range []bool{f.FederatedToken != "", f.Certificate != "" || f.Key != "", f.Secret != ""} {
		if set {
			kinds++
		}
	}
	switch {
	case kinds > 1:
		m.Report("a credential is of one kind; write several as a list: [{federated_token_file: PATH}, {secret_file: PATH}]")
		return
	case kinds == 0:
		if len(m.Entries) == 0 { // otherwise it was said what is wrong with them
			m.Report("name a federated_token_file, a certificate_file with its key_file, or a secret_file")
		}
		return
	case (f.Certificate == "") != (f.Key == ""):
		m.Report("a certificate_file and its key_file belong together; they may be the same file")
		return
	}
	if p.config.OIDC != nil {
		p.config.OIDC.Credentials = append(p.config.OIDC.Credentials, f)
	} else {
		p.config.Entra.Credentials = append(p.config.Entra.Credentials, f)
	}
	if e, ok := m.Find("secret_file"); ok && p.config.OIDC != nil {
		p.config.longLived = append(p.config.longLived, e.Value.Finding(
			"secret_file %s: Lanyard's client secret at the provider; a certificate_file with its key_file (private_key_jwt) is better where the provider takes it. "+
				"Give it a short expiry there and replace the file before that", f.Secret))
	} else if ok {
		p.config.longLived = append(p.config.longLived, e.Value.Finding(
			"secret_file %s: the app registration's client secret; a federated_token_file, or a certificate_file with its key_file, is better. "+
				"Give it a short expiry in Entra and replace the file before that", f.Secret))
	}
	if f.Certificate != "" {
		e, _ := m.Find("certificate_file")
		p.config.certificates = append(p.config.certificates, certificate{Files: f, at: e.Value})
	}
}

// certificate is one of the app registration's, with its place in the configuration.
type certificate struct {
	credential.Files
	at source.Value
}

// longLived says until when the certificate holds; what is wrong with it is found by CheckFiles.
func (c certificate) longLived(now time.Time) source.Finding {
	until := "which cannot be read"
	if ends, err := credential.ReadCertificate(c.Certificate, c.Key, now); !ends.IsZero() {
		until = fmt.Sprintf("valid until %s (%d days)", ends.UTC().Format(time.DateOnly), int(ends.Sub(now).Hours()/24))
		if err != nil {
			until = "expired since " + ends.UTC().Format(time.DateOnly)
		}
	}
	return c.at.Finding("certificate_file %s: the app registration's certificate, %s; add the next one in Entra before that and replace both files. A federated_token_file needs no replacing",
		c.Certificate, until)
}

// soon is how long before its end a certificate is a finding.
const soon = 14 * 24 * time.Hour

// checkCredentials reads the files of the app registration's credentials. It returns those that only Lanyard may read.
func (c *Config) checkCredentials(report func(error), now time.Time) (private []string) {
	for _, f := range c.Credentials() {
		switch f.Kind() {
		case credential.Secret:
			_, err := ReadSecret(f.Secret)
			report(err)
			private = append(private, f.Secret)
		case credential.Certificate:
			ends, err := credential.ReadCertificate(f.Certificate, f.Key, now)
			report(err)
			if err == nil && ends.Sub(now) < soon {
				report(fmt.Errorf("the certificate in %s expires at %s: make a new one, add it to the app registration, and replace the files",
					f.Certificate, ends.UTC().Format(time.RFC3339)))
			}
			private = append(private, f.Key)
		case credential.Federated:
			report(credential.ReadToken(f.FederatedToken, now))
		}
	}
	return private
}
