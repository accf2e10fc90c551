package issuer

import (
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// How many refusals are written in a minute; anybody can cause them. Those beyond are counted in the next one that is. Who
// showed a client's secret, an access token or a session has a share that strangers do not use up.
const (
	strangersAMinute = 80
	knownAMinute     = 40
	oneAMinute       = 20 // of one kind, from one network
)

// refusedAs is what refusals are alike in.
type refusedAs struct {
	from netip.Prefix // zero where it is not known
	code string
}

// network is where a request comes from: an address, or the network of one household (IPv6).
func network(r *http.Request) netip.Prefix {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Prefix{}
	}
	addr, bits := at.Addr().Unmap(), 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.WithZone("").Prefix(bits) // as many bits as there are
	return prefix
}

// refusals counts what is written of them.
type refusals struct {
	mu        sync.Mutex
	since     time.Time
	strangers share
	known     share
	missing   int
}

// share is a part of what is written in a minute.
type share struct {
	all   int
	alike map[refusedAs]int
}

// next reports whether one more is written, and how many were not since the last one that was.
func (l *refusals) next(as refusedAs, known bool, now time.Time) (missing int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.strangers, l.known = now, share{}, share{}
	}
	part, most := &l.strangers, strangersAMinute
	if known {
		part, most = &l.known, knownAMinute
	}
	if part.all >= most || part.alike[as] >= oneAMinute {
		l.missing++
		return 0, false
	}
	if part.alike == nil {
		part.alike = map[refusedAs]int{}
	}
	part.all++
	part.alike[as]++
	missing, l.missing = l.missing, 0
	return missing, true
}
