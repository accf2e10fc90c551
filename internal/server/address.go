package server

import (
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// perAddress bounds how many connections one address has open, so that nobody takes the descriptors of all. What comes
// from this machine or a trusted proxy is not bounded: it is the operator's own, or stands for everybody.
type perAddress struct {
	net.Listener
	most    int
	trusted proxies
	mu      sync.Mutex // taken when a connection begins and when it ends
	open    map[netip.Prefix]int
	refused atomic.Int64
}

func newPerAddress(l net.Listener, most int, trusted proxies) *perAddress {
	return &perAddress{Listener: l, most: most, trusted: trusted, open: map[netip.Prefix]int{}}
}

// Accept implements net.Listener. A connection too many is closed at once.
func (p *perAddress) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from, bounded := addressOf(c.RemoteAddr().String())
		if !bounded || p.most == 0 || p.believed(c) {
			return c, nil
		}
		if p.enter(from) {
			return &counted{Conn: c, leave: sync.OnceFunc(func() { p.leave(from) })}, nil
		}
		p.refused.Add(1)
		c.Close()
	}
}

func (p *perAddress) believed(c net.Conn) bool {
	peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
	return err == nil && p.trusted.trusts(peer.Addr())
}

func (p *perAddress) enter(from netip.Prefix) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[from] >= p.most {
		return false
	}
	p.open[from]++
	return true
}

func (p *perAddress) leave(from netip.Prefix) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open[from]--; p.open[from] <= 0 {
		delete(p.open, from)
	}
}

type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.leave()
	return c.Conn.Close()
}

// addressOf is what counts as one address: an IPv4 address, or the /64 of an IPv6 address, which is one household's. It
// is false for this machine's own, and for what is no address, as on a Unix socket.
func addressOf(remote string) (netip.Prefix, bool) {
	peer, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Prefix{}, false
	}
	ip := peer.Addr().Unmap().WithZone("")
	if ip.IsLoopback() {
		return netip.Prefix{}, false
	}
	bits := 32
	if ip.Is6() {
		bits = 64
	}
	of, err := ip.Prefix(bits)
	return of, err == nil
}

// perMinute bounds how often something is begun from one address within a minute.
type perMinute struct {
	most  int
	mu    sync.Mutex
	since time.Time
	count map[netip.Prefix]int
}

// allow reports whether one more may begin. remote is as in http.Request.
func (p *perMinute) allow(remote string, now time.Time) bool {
	from, bounded := addressOf(remote)
	if !bounded || p.most == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.since) >= time.Minute || p.count == nil {
		p.since, p.count = now, map[netip.Prefix]int{}
	}
	p.count[from]++
	return p.count[from] <= p.most
}
