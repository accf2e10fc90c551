package config

import (
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// TLS is the certificate that Lanyard shows; empty where a proxy in front does.
type TLS struct {
	CertFile string // PEM, with the intermediate certificates
	KeyFile  string // PEM
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
	inner.Keys([]string{"cert_file", "key_file"}, map[string]string{
		"acme": "", "cert": inPlace + "cert_file", "key": inPlace + "key_file",
	})
	t := &p.config.TLS
	t.CertFile, _ = p.needPath(inner, "cert_file")
	t.KeyFile, _ = p.needPath(inner, "key_file")
	if strings.HasPrefix(p.config.URL, "http:") {
		e.At.Report("`url` begins with http://, so nobody would ask for TLS; write https:// there")
	}
}
