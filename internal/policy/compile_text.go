package policy

import (
	"fmt"

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
	case name == "url" && kind == typeRepo, name == "name" && (kind == typeApp || kind == typeAudience || kind == typeRegistry):
		return func(v *view) (string, error) { return v.in.Resource.Name, nil }
	case name == "host" && kind == typeEgress:
		return func(v *view) (string, error) {
			host, _ := hostAndPort(v.in.Resource.Name)
			return host, nil
		}
	case name == "project" && kind != typeProject && inProject(kind), name == "name" && kind == typeProject:
		return func(v *view) (string, error) { return v.projectName(), nil }
	case name == "sensitive" && (kind == typeRepo || kind == typeAudience):
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
		case name == "sensitive" && (c.key.resource == typeRepo || c.key.resource == typeAudience):
			return there(func(v *view) bool { return v.sensitive() != "" })
		case name == "port" && c.key.resource == typeEgress:
			return always(true), true
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
