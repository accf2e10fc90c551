// Package ship brings the audit log to receivers outside: a file of JSON lines, a collector of OpenTelemetry logs
// (OTLP/HTTP with JSON), a syslog server (RFC 5424 over TCP, TLS or a Unix socket). What to send, from where on and
// when again is decided by package audit.
package ship

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// Config is one receiver: exactly one of OTLP, Syslog and File.
type Config struct {
	Name   string
	OTLP   string // URL of a collector's logs, https://collector.example.test/v1/logs
	Syslog string // tcp://host:port, tls://host:port, unix:///path
	File   string // lines of JSON are appended to it
	CAFile string // certificates of the receiver's authorities; empty: the system's
	Bearer func() (string, error)
	// Service and Version say who sends.
	Service, Version string
	// Settled is for how long the loss of a syslog connection can still show; 0: 10 s.
	Settled time.Duration
}

// New makes a receiver. Nothing is opened before it is sent something.
func New(c Config) (audit.Receiver, error) {
	tls, err := trust(c.CAFile)
	if err != nil {
		return nil, err
	}
	switch {
	case c.OTLP != "":
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.TLSClientConfig = tls
		return &collector{c: c, client: &http.Client{Transport: transport, Timeout: otlpTimeout, CheckRedirect: noRedirect}}, nil
	case c.Syslog != "":
		u, err := url.Parse(c.Syslog)
		if err != nil {
			return nil, fmt.Errorf("the syslog address is not a URL")
		}
		return newSyslog(c, u, tls)
	case c.File != "":
		return &file{c}, nil
	}
	return nil, fmt.Errorf("name where to: otlp, syslog or file")
}

func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
