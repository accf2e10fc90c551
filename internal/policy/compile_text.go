package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// text is a string of a condition.
type text struct {
	eval    func(*view) (string, error)
	literal bool
}

func (c compiler) text(n ast.IsNode) (text, bool) {
	switch n := n.(type) {
	case ast.NodeValue:
		s, ok := n.Value.(types.String)
		return text{literal: true, eval: func(*view) (string, error) { return string(s), nil }}, ok
	case ast.NodeTypeAccess:
		var eval func(*view) (string, error)
		switch {
		case isNamed(n.Arg, "context"):
			eval = contextText(string(n.Value))
		case isNamed(n.Arg, "resource"):
			eval = c.resourceText(string(n.Value))
		}
		return text{eval: eval}, eval != nil
	}
	return text{}, false
}

func contextText(name string) func(*view) (string, error) {
	var field func(*view) string
	switch name {
	case "session":
		return func(v *view) (string, error) { return v.session(), nil }
	case "agent":
		field = func(v *view) string { return v.in.Context.Agent }
	case "strength":
		field = func(v *view) string { return v.in.Context.Strength }
	case "class":
		field = func(v *view) string { return v.in.Context.Class }
	default:
		return nil
	}
	return func(v *view) (string, error) {
		if s := field(v); s != "" {
			return s, nil
		}
		return "", fmt.Errorf("the context has no attribute `%s`", name)
	}
}

func (c compiler) resourceText(name string) func(*view) (string, error) {
	kind := c.key.resource
	switch {
	case name == "url" && kind == typeRepo, name == "name" && kind == typeApp:
		return func(v *view) (string, error) { return v.in.Resource.Name, nil }
	case name == "project" && kind != typeProject && inProject(kind), name == "name" && kind == typeProject:
		return func(v *view) (string, error) { return v.projectName(), nil }
	case name == "sensitive" && kind == typeRepo:
		return func(v *view) (string, error) {
			if s := v.sensitive(); s != "" {
				return s, nil
			}
			return "", v.missing("sensitive")
		}
	}
	return nil
}

func (v *view) session() string {
	if v.in.Context.Session == "" {
		return "none"
	}
	return v.in.Context.Session
}

func (v *view) projectName() string {
	if !v.nameKnown {
		v.name, v.nameKnown = v.facts.ProjectName(v.project), true
	}
	return v.name
}

func (v *view) sensitive() string {
	if !v.needsKnown {
		v.needs, v.needsKnown = v.facts.Sensitive(v.in.Resource), true
	}
	return v.needs
}

// has compiles `x has attribute`.
func (c compiler) has(n ast.NodeTypeHas) (test, bool) {
	name := string(n.Value)
	there := func(found func(*view) bool) (test, bool) {
		return test{eval: func(v *view) (bool, error) { return found(v), nil }}, true
	}
	switch {
	case isNamed(n.Arg, "context"):
		switch name {
		case "agent":
			return there(func(v *view) bool { return v.in.Context.Agent != "" })
		case "ip":
			return there(func(v *view) bool { return v.in.Context.IP.IsValid() })
		case "signedIn":
			return there(func(v *view) bool { return !v.in.Context.SignedIn.IsZero() })
		case "strength":
			return there(func(v *view) bool { return v.in.Context.Strength != "" })
		case "class":
			return there(func(v *view) bool { return v.in.Context.Class != "" })
		}
		return always(name == "session" || name == "now" || name == "contexts"), true
	case isNamed(n.Arg, "resource"):
		switch {
		case name == "sensitive" && c.key.resource == typeRepo:
			return there(func(v *view) bool { return v.sensitive() != "" })
		case name == "owner" && (c.key.resource == typeWorkspace || c.key.resource == typeGrant):
			return there(func(v *view) bool { return !v.in.Resource.Owner.IsZero() })
		}
		return always(c.resourceText(name) != nil || roleAttribute(name) != NoRole && inProject(c.key.resource)), true
	}
	return test{}, false
}

// like compiles a comparison with a pattern.
func (c compiler) like(n ast.NodeTypeLike) (test, bool) {
	s, ok := c.text(n.Arg)
	if !ok {
		return test{}, false
	}
	pattern := n.Value
	return test{eval: func(v *view) (bool, error) {
		got, err := s.eval(v)
		return err == nil && pattern.Match(types.String(got)), err
	}}, true
}

// contains compiles `context.contexts.contains(text)` and `["a", "b"].contains(text)`.
func (c compiler) contains(set, element ast.IsNode) (test, bool) {
	one, ok := c.text(element)
	if !ok {
		return test{}, false
	}
	if isContexts(set) {
		return test{eval: func(v *view) (bool, error) {
			want, err := one.eval(v)
			return err == nil && v.in.Context.satisfies(want), err
		}}, true
	}
	among, ok := literalTexts(set)
	if !ok {
		return test{}, false
	}
	return test{eval: func(v *view) (bool, error) {
		got, err := one.eval(v)
		if err != nil {
			return false, err
		}
		for _, s := range among {
			if s == got {
				return true, nil
			}
		}
		return false, nil
	}}, true
}

// containsMany compiles `context.contexts.containsAll(["c1", "c2"])` and containsAny.
func (c compiler) containsMany(set, wanted ast.IsNode, all bool) (test, bool) {
	want, ok := literalTexts(wanted)
	if !ok || !isContexts(set) {
		return test{}, false
	}
	return test{eval: func(v *view) (bool, error) {
		for _, one := range want {
			if v.in.Context.satisfies(one) != all {
				return !all, nil
			}
		}
		return all, nil
	}}, true
}

func (c compiler) empty(set ast.IsNode) (test, bool) {
	return test{eval: func(v *view) (bool, error) {
		return strings.TrimSpace(v.in.Context.Contexts) == "", nil
	}}, isContexts(set)
}

func isContexts(n ast.IsNode) bool {
	a, ok := n.(ast.NodeTypeAccess)
	return ok && a.Value == "contexts" && isNamed(a.Arg, "context")
}

// satisfies reports whether an authentication context is among the satisfied ones.
func (c *Circumstances) satisfies(want string) bool {
	for one := range strings.FieldsSeq(c.Contexts) {
		if one == want {
			return true
		}
	}
	return false
}

func literalTexts(n ast.IsNode) ([]string, bool) {
	var out []string
	switch n := n.(type) {
	case ast.NodeTypeSet:
		for _, e := range n.Elements {
			v, ok := e.(ast.NodeValue)
			if !ok {
				return nil, false
			}
			s, ok := v.Value.(types.String)
			if !ok {
				return nil, false
			}
			out = append(out, string(s))
		}
		return out, true
	case ast.NodeValue:
		set, ok := n.Value.(types.Set)
		if !ok {
			return nil, false
		}
		for one := range set.All() {
			s, ok := one.(types.String)
			if !ok {
				return nil, false
			}
			out = append(out, string(s))
		}
		return out, true
	}
	return nil, false
}

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
