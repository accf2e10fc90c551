package config

import (
	"net"

	"github.com/lanyardhq/lanyard/internal/source"
)

// replicas reads where the other replicas reach this one.
func (p *parser) replicas(m source.Mapping) {
	e, ok := m.Find("listen_replicas")
	if !ok {
		return
	}
	s, ok := e.Value.Text()
	if !ok {
		return
	}
	host, port, err := net.SplitHostPort(s)
	if ip := net.ParseIP(host); err != nil || host == "" || port == "" || port == "0" || ip != nil && ip.IsUnspecified() {
		e.Value.Report("write the address at which the other replicas reach this one, host:port, such as 10.0.3.7:8444")
		return
	}
	if p.config.Database == "" && p.config.DatabaseFile == "" {
		e.Value.Report("several replicas share a PostgreSQL database; name it with `database` or `database_file`")
		return
	}
	p.config.ListenReplicas = s
}
