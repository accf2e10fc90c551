package policy

import (
	"errors"
	"net/netip"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// address is a network or an address of a condition.
type address func(*view) (types.IPAddr, error)

var errNoIP = errors.New("the context has no attribute `ip`")

func (c compiler) address(n ast.IsNode) (address, bool) {
	switch n := n.(type) {
	case ast.NodeTypeAccess:
		return func(v *view) (types.IPAddr, error) {
			if ip := v.in.Context.IP; ip.IsValid() {
				return addressOf(ip), nil
			}
			return types.IPAddr{}, errNoIP
		}, n.Value == "ip" && isNamed(n.Arg, "context")
	case ast.NodeTypeExtensionCall:
		ip, ok := literal(n, "ip", types.ParseIPAddr)
		return func(*view) (types.IPAddr, error) { return ip, nil }, ok
	case ast.NodeValue:
		ip, ok := n.Value.(types.IPAddr)
		return func(*view) (types.IPAddr, error) { return ip, nil }, ok
	}
	return nil, false
}

// addressOf is an address as policies see it: IPv4 also where the socket was one for both, and without a zone.
func addressOf(ip netip.Addr) types.IPAddr {
	ip = ip.Unmap().WithZone("")
	return types.IPAddr(netip.PrefixFrom(ip, ip.BitLen()))
}

// literal reads a constructor with a text that is written out, such as ip("10.0.0.0/8").
func literal[T any](n ast.NodeTypeExtensionCall, name types.Path, parse func(string) (T, error)) (value T, ok bool) {
	if n.Name != name || len(n.Args) != 1 {
		return value, false
	}
	v, ok := n.Args[0].(ast.NodeValue)
	if !ok {
		return value, false
	}
	s, ok := v.Value.(types.String)
	if !ok {
		return value, false
	}
	value, err := parse(string(s))
	return value, err == nil
}

// network compiles the questions about addresses.
func (c compiler) network(n ast.NodeTypeExtensionCall) (test, bool) {
	if len(n.Args) == 0 {
		return test{}, false
	}
	ip, ok := c.address(n.Args[0])
	if !ok {
		return test{}, false
	}
	about := func(question func(types.IPAddr) bool) (test, bool) {
		return test{eval: func(v *view) (bool, error) {
			a, err := ip(v)
			return err == nil && question(a), err
		}}, len(n.Args) == 1
	}
	switch n.Name {
	case "isIpv4":
		return about(types.IPAddr.IsIPv4)
	case "isIpv6":
		return about(types.IPAddr.IsIPv6)
	case "isLoopback":
		return about(types.IPAddr.IsLoopback)
	case "isMulticast":
		return about(types.IPAddr.IsMulticast)
	case "isInRange":
		if len(n.Args) != 2 {
			return test{}, false
		}
		of, ok := c.address(n.Args[1])
		return test{eval: func(v *view) (bool, error) {
			a, err := ip(v)
			if err != nil {
				return false, err
			}
			b, err := of(v)
			return err == nil && b.Contains(a), err
		}}, ok
	}
	return test{}, false
}
