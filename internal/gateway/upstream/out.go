package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// DialOut connects to a host that a workspace names, and not a project's file: what is not on the public internet is refused,
// and so is this machine. The host is resolved here, and what is dialled is an address that was checked. The error is a
// problem.Denied where all of its addresses are refused.
func (u *Upstream) DialOut(ctx context.Context, host string, port int) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	dialer := net.Dialer{KeepAlive: keepAlive}
	address := net.JoinHostPort(host, strconv.Itoa(port))
	if to, ok := u.mapped(address); ok {
		conn, err := dialer.DialContext(ctx, "tcp", string(to))
		if err != nil {
			return nil, unreachable(address, err)
		}
		return conn, nil
	}
	ips, err := u.addresses(ctx, host)
	if err != nil {
		return nil, unreachable(address, err)
	}
	own := ownAddresses()
	var failed, refused []error
	for _, ip := range ips {
		if err := public(ip); err != nil {
			refused = append(refused, err)
			continue
		}
		if own[ip.Unmap()] {
			refused = append(refused, fmt.Errorf("%s is an address of Lanyard's own machine", ip.Unmap()))
			continue
		}
		conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(ip.Unmap().String(), strconv.Itoa(port)))
		if err == nil {
			return conn, nil
		}
		failed = append(failed, err)
	}
	if len(failed) == 0 && len(refused) > 0 {
		return nil, problem.Wrap(errors.Join(refused...), problem.Denied,
			"Not allowed: %s leads to %v; workspaces connect to the public internet only. An administrator can make what is inside an app or a registry of the project.", address, refused[0])
	}
	return nil, unreachable(address, errors.Join(append(failed, refused...)...))
}

func (u *Upstream) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	return u.resolver.LookupNetIP(ctx, "ip", host)
}

func unreachable(address string, err error) error {
	var dns *net.DNSError
	var slow net.Error
	switch {
	case errors.As(err, &dns):
		return problem.Wrap(err, problem.BadUpstream, "The name in %s cannot be resolved.", address)
	case errors.As(err, &slow) && slow.Timeout():
		return problem.Wrap(err, problem.SlowUpstream, "%s does not answer in time.", address)
	}
	return problem.Wrap(err, problem.BadUpstream, "%s cannot be reached.", address)
}

// inside are the prefixes beside private, loopback, link-local and multicast ones that are not the public internet: IANA's
// registries of special-purpose addresses (RFC 6890).
var inside = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"), // carrier-grade NAT (RFC 6598)
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), // documentation, with the three below (RFC 5737, 3849, 9637)
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks (RFC 2544)
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("100::/64"),        // discarded (RFC 6666)
	netip.MustParsePrefix("2001::/23"),       // Teredo, ORCHID and other protocols' own
	netip.MustParsePrefix("5f00::/16"),       // segment routing (RFC 9602)
	netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated (RFC 3879)
	netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated (RFC 2765)
}

// sixToFour carries an IPv4 address in bits 16 to 47 (RFC 3056).
var sixToFour = netip.MustParsePrefix("2002::/16")

// public says why an address is not on the public internet; nil when it is.
func public(ip netip.Addr) error {
	ip = ip.Unmap()
	if ip.Zone() != "" {
		return fmt.Errorf("%s is an address of a link", ip)
	}
	if ip.Is6() {
		b := ip.As16()
		if sixToFour.Contains(ip) {
			return public(netip.AddrFrom4([4]byte(b[2:6])))
		}
		for _, p := range translating {
			if p.Contains(ip) && !ip.IsLoopback() && !ip.IsUnspecified() {
				return public(netip.AddrFrom4([4]byte(b[12:])))
			}
		}
	}
	if err := check(ip); err != nil {
		return err
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() {
		return fmt.Errorf("%s is a private address", ip)
	}
	for _, p := range inside {
		if p.Contains(ip) {
			return fmt.Errorf("%s is not on the public internet", ip)
		}
	}
	return nil
}

// ownAddresses are those of this machine, which answers on them with what it serves to its own network.
func ownAddresses() map[netip.Addr]bool {
	own := map[netip.Addr]bool{}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return own // what is private is refused all the same
	}
	for _, a := range list {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own[p.Addr().Unmap()] = true
		}
	}
	return own
}
