package server

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are the networks of proxies in front, whose word on where a request came from is believed. There are none by
// default.
type proxies []netip.Prefix

func (p proxies) trusts(a netip.Addr) bool {
	a = a.Unmap()
	for _, prefix := range p {
		if prefix.Contains(a) {
			return true
		}
	}
	return false
}

// believe puts into the request where it came from: from the connection's peer, or, where that is a trusted proxy, from
// whom the proxies say. They add to the end of X-Forwarded-For; the last address that is none of theirs is the one that
// they have seen, and what stands before it anybody may have written.
func (p proxies) believe(r *http.Request) {
	if len(p) == 0 {
		return
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.trusts(peer.Addr()) {
		return
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(said) - 1; i >= 0; i-- {
		a, err := netip.ParseAddr(strings.TrimSpace(said[i]))
		if err != nil {
			return
		}
		r.RemoteAddr = netip.AddrPortFrom(a.Unmap().WithZone(""), 0).String()
		if !p.trusts(a) {
			return
		}
	}
}
