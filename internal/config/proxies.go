package config

import (
	"net/netip"

	"github.com/lanyardhq/lanyard/internal/source"
)

// trustedProxies reads the addresses of proxies in front, whose word on where a request came from is believed. There are
// none by default.
func (p *parser) trustedProxies(m source.Mapping) {
	e, ok := m.Find("trusted_proxies")
	if !ok {
		return
	}
	for _, l := range e.Value.Texts() {
		prefix, err := netip.ParsePrefix(l.Text)
		if err != nil {
			address, wrong := netip.ParseAddr(l.Text)
			if wrong != nil || address.Zone() != "" {
				e.Value.Report("%q is neither an address nor a network such as 10.1.2.0/24", l.Text)
				continue
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if prefix.Bits() == 0 {
			e.Value.Report("%s is everybody: anyone could then say to come from anywhere; write the proxies' own addresses", l.Text)
			continue
		}
		p.config.TrustedProxies = append(p.config.TrustedProxies, prefix.Masked())
	}
}
