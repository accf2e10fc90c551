package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

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
