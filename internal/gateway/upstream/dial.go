package upstream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"
)

const keepAlive = 30 * time.Second

// mapped returns the loopback address that stands for host:port, if one was given.
func (u *Upstream) mapped(address string) (Address, bool) {
	address = strings.ToLower(address)
	if to, ok := u.names[address]; ok {
		return to, true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	to, ok := u.names[host]
	return to, ok
}

func (u *Upstream) dial(ctx context.Context, network, address string, within time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	dialer := net.Dialer{KeepAlive: keepAlive}
	if to, ok := u.mapped(address); ok {
		return dialer.DialContext(ctx, network, string(to))
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ips, err := u.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, ip := range ips {
		if err := check(ip); err != nil {
			errs = append(errs, err)
			continue
		}
		conn, err := dialer.DialContext(ctx, network, net.JoinHostPort(ip.Unmap().String(), port))
		if err == nil {
			return conn, nil
		}
		errs = append(errs, err)
	}
	return nil, fmt.Errorf("dial %s: %w", address, errors.Join(errs...))
}

func (u *Upstream) dialTLS(ctx context.Context, network, address string, w way) (net.Conn, error) {
	conn, err := u.dial(ctx, network, address, w.dial)
	if err != nil {
		return nil, err
	}
	if _, ok := u.mapped(address); ok {
		return conn, nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return u.secure(ctx, conn, host, w)
}

// forbidden are addresses that no upstream has: they answer with the machine's own cloud identity, or to everybody.
// Link-local, multicast and unspecified addresses are refused besides.
var forbidden = []netip.Addr{
	netip.MustParseAddr("168.63.129.16"),   // Azure's host
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud's metadata
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud's metadata
	netip.MustParseAddr("fd00:ec2::254"),   // Amazon EC2's metadata
	netip.MustParseAddr("fd20:ce::254"),    // Google Compute Engine's metadata
}

// translating are prefixes of IPv6 addresses that carry an IPv4 address in their last 32 bits.
var translating = []netip.Prefix{
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64 (RFC 6052)
	netip.MustParsePrefix("64:ff9b:1::/48"), // local NAT64 (RFC 8215)
	netip.MustParsePrefix("::/96"),          // IPv4-compatible, deprecated (RFC 4291)
}

func check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	if ip.Is6() && !ip.IsLoopback() && !ip.IsUnspecified() {
		for _, p := range translating {
			if p.Contains(ip) {
				b := ip.As16()
				return check(netip.AddrFrom4([4]byte(b[12:])))
			}
		}
	}
	if ip.IsLinkLocalUnicast() || ip.IsMulticast() || ip.IsUnspecified() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
		return fmt.Errorf("%s is an address that is never dialled", ip)
	}
	for _, f := range forbidden {
		if ip == f {
			return fmt.Errorf("%s is an address that is never dialled", ip)
		}
	}
	return nil
}
