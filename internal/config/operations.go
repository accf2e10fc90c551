package config

import (
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/source"
)

// Operations are what operators see of the server: the operations listener, request records, traces.
type Operations struct {
	Listen   string   // host:port of health, readiness, metrics and profiles; empty: none
	Hosts    []string // names under which it is asked, in lower case
	Requests string   // file of the requests' records, or "stderr"; empty: none
	Traces   string   // URL of an OTLP/HTTP receiver; empty: none
	Sample   float64  // part of the requests that are traced
}

func (p *parser) operations(m source.Mapping) {
	if e, ok := m.Find("listen_metrics"); ok {
		p.listenMetrics(e.Value)
	}
	if e, ok := m.Find("log"); ok {
		if inner, ok := e.Value.Mapping(); ok {
			inner.Keys([]string{"requests"}, nil)
			p.requests(inner)
		}
	}
	if e, ok := m.Find("traces"); ok {
		p.traces(e.Value)
	}
}

// listenMetrics reads an address, or a mapping of address, hosts and anywhere.
func (p *parser) listenMetrics(v source.Value) {
	o := &p.config.Operations
	anywhere := false
	if v.IsMapping() {
		m, ok := v.Mapping()
		if !ok {
			return
		}
		m.Keys([]string{"address", "hosts", "anywhere"}, nil)
		if e, ok := m.Find("hosts"); ok {
			for _, host := range e.Value.Texts() {
				o.Hosts = append(o.Hosts, strings.ToLower(host.Text))
			}
		}
		if e, ok := m.Find("anywhere"); ok {
			anywhere, _ = e.Value.Bool()
		}
		e, ok := m.Need("address")
		if !ok {
			return
		}
		v = e.Value
	}
	s := ""
	if v.IsText() {
		s, _ = v.Text()
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil || port == "" {
		v.Report("this is not an address; write host:port, such as 127.0.0.1:9090")
		return
	}
	if s == p.config.Listen {
		v.Report("this is the address of `listen`; metrics and profiles are not for everybody, so give them one of their own")
		return
	}
	if !anywhere && !private(host) {
		v.Report("metrics and profiles are for operators, and this address may be reached from elsewhere; choose a loopback or private address, or say that something else keeps others away by listen_metrics: {address: %q, anywhere: true}", s)
		return
	}
	o.Listen = s
}

// private reports whether an address is reached from this machine or a private network only.
func private(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsLoopback() || ip.IsPrivate())
}

func (p *parser) requests(m source.Mapping) {
	e, ok := m.Find("requests")
	if !ok {
		return
	}
	if e.Value.IsText() {
		if s, _ := e.Value.Text(); s == "stderr" {
			p.config.Operations.Requests = s
			return
		}
		p.config.Operations.Requests = p.path(m, "requests")
		return
	}
	e.Value.Report("name a file, or stderr")
}

func (p *parser) traces(v source.Value) {
	m, ok := v.Mapping()
	if !ok {
		return
	}
	m.Keys([]string{"endpoint", "sample"}, nil)
	e, ok := m.Need("endpoint")
	if !ok {
		return
	}
	s, ok := e.Value.Text()
	if !ok {
		return
	}
	u, ok := p.address(e.Value, s)
	if !ok {
		return
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) && !private(u.Hostname()) {
		e.Value.Report("an http:// receiver is one on this machine or a private address; everywhere else traces need https://")
		return
	}
	p.config.Operations.Sample = 1
	if e, ok := m.Find("sample"); ok {
		n, ok := e.Value.Number()
		if ok && (n < 0 || n > 1) {
			e.Value.Report("the part of the requests that is traced is a number from 0 to 1")
			return
		}
		p.config.Operations.Sample = n
	}
	p.config.Operations.Traces = tracesURL(u)
}

// tracesURL adds the path that OTLP/HTTP receivers have by default (OpenTelemetry Protocol 1.x, "OTLP/HTTP Request").
func tracesURL(u *url.URL) string {
	to := *u
	if strings.Trim(to.Path, "/") == "" {
		to.Path = "/v1/traces"
	}
	return to.String()
}
