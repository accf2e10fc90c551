package policy

import (
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// Conditions are compiled for a slice: what its action, kind of resource and kind of principal decide is decided once,
// and the rest reads the facts directly, without entities and records being made of them. What is not known here is
// left to Cedar's own evaluation, and so is its whole policy. Both mean the same; TestCompiledMeansTheSame and
// FuzzParse compare them.

// test is a compiled condition.
type test struct {
	eval  func(*view) (bool, error) // nil when the answer is known beforehand
	known bool
}

func always(answer bool) test { return test{known: answer} }

func (t test) is(answer bool) bool { return t.eval == nil && t.known == answer }

func (t test) ask(v *view) (bool, error) {
	if t.eval == nil {
		return t.known, nil
	}
	return t.eval(v)
}

// compiler compiles for one slice. Its methods report false for what they do not know.
type compiler struct{ key sliceKey }

// policy compiles scope and conditions of a policy that concerns the slice's action.
func (c compiler) policy(p *ast.Policy) (test, bool) {
	whole := always(true)
	for _, part := range []struct {
		variable ast.IsNode
		scope    ast.IsScopeNode
	}{{ast.NodeTypeVariable{Name: "principal"}, p.Principal}, {ast.NodeTypeVariable{Name: "resource"}, p.Resource}} {
		one, ok := c.scope(part.variable, part.scope)
		if !ok {
			return test{}, false
		}
		whole = and(whole, one)
	}
	for _, condition := range p.Conditions {
		if whole.is(false) {
			return whole, true
		}
		one, ok := c.test(condition.Body)
		if !ok {
			return test{}, false
		}
		if condition.Condition == ast.ConditionUnless {
			one = not(one)
		}
		whole = and(whole, one)
	}
	return whole, true
}

func (c compiler) scope(variable ast.IsNode, scope ast.IsScopeNode) (test, bool) {
	literal := func(uid types.EntityUID) ast.IsNode { return ast.NodeValue{Value: uid} }
	switch s := scope.(type) {
	case ast.ScopeTypeAll:
		return always(true), true
	case ast.ScopeTypeEq:
		return c.test(ast.NodeTypeEquals{BinaryNode: ast.BinaryNode{Left: variable, Right: literal(s.Entity)}})
	case ast.ScopeTypeIn:
		return c.within(variable, literal(s.Entity))
	case ast.ScopeTypeIs:
		return c.kind(variable, s.Type)
	case ast.ScopeTypeIsIn:
		return c.kindWithin(variable, s.Type, literal(s.Entity))
	}
	return test{}, false
}

// test compiles what is true or false.
func (c compiler) test(n ast.IsNode) (test, bool) {
	switch n := n.(type) {
	case ast.NodeValue:
		b, ok := n.Value.(types.Boolean)
		return always(bool(b)), ok
	case ast.NodeTypeAnd:
		left, ok := c.test(n.Left)
		if !ok || left.is(false) {
			return left, ok
		}
		right, ok := c.test(n.Right)
		return and(left, right), ok
	case ast.NodeTypeOr:
		left, ok := c.test(n.Left)
		if !ok || left.is(true) {
			return left, ok
		}
		right, ok := c.test(n.Right)
		return or(left, right), ok
	case ast.NodeTypeNot:
		one, ok := c.test(n.Arg)
		return not(one), ok
	case ast.NodeTypeIfThenElse:
		return c.choice(n)
	case ast.NodeTypeEquals:
		return c.equal(n.Left, n.Right)
	case ast.NodeTypeNotEquals:
		one, ok := c.equal(n.Left, n.Right)
		return not(one), ok
	case ast.NodeTypeIn:
		return c.within(n.Left, n.Right)
	case ast.NodeTypeIs:
		return c.kind(n.Left, n.EntityType)
	case ast.NodeTypeIsIn:
		return c.kindWithin(n.Left, n.EntityType, n.Entity)
	case ast.NodeTypeHas:
		return c.has(n)
	case ast.NodeTypeLike:
		return c.like(n)
	case ast.NodeTypeLessThan:
		return c.compare(n.Left, n.Right, less)
	case ast.NodeTypeLessThanOrEqual:
		return c.compare(n.Left, n.Right, lessOrEqual)
	case ast.NodeTypeGreaterThan: // a > b is !(a <= b)
		one, ok := c.compare(n.Left, n.Right, lessOrEqual)
		return not(one), ok
	case ast.NodeTypeGreaterThanOrEqual:
		one, ok := c.compare(n.Left, n.Right, less)
		return not(one), ok
	case ast.NodeTypeContains:
		return c.contains(n.Left, n.Right)
	case ast.NodeTypeContainsAll:
		return c.containsMany(n.Left, n.Right, true)
	case ast.NodeTypeContainsAny:
		return c.containsMany(n.Left, n.Right, false)
	case ast.NodeTypeIsEmpty:
		return c.empty(n.Arg)
	case ast.NodeTypeAccess:
		return test{}, false // the schema has no attribute that is true or false
	case ast.NodeTypeExtensionCall:
		return c.network(n)
	}
	return test{}, false
}

// equal compares two values of the same type.
func (c compiler) equal(left, right ast.IsNode) (test, bool) {
	if a, ok := c.text(left); ok {
		b, ok := c.text(right)
		return test{eval: func(v *view) (bool, error) {
			x, err := a.eval(v)
			if err != nil {
				return false, err
			}
			y, err := b.eval(v)
			return x == y, err
		}}, ok
	}
	if a, ok := c.entity(left); ok {
		b, ok := c.entity(right)
		if !ok {
			return test{}, false
		}
		if a.sure && b.sure && a.kind != b.kind {
			return always(false), true
		}
		return test{eval: func(v *view) (bool, error) {
			x, err := a.eval(v)
			if err != nil {
				return false, err
			}
			y, err := b.eval(v)
			return x == y, err
		}}, true
	}
	if a, ok := c.address(left); ok {
		b, ok := c.address(right)
		return test{eval: func(v *view) (bool, error) {
			x, err := a(v)
			if err != nil {
				return false, err
			}
			y, err := b(v)
			return x == y, err
		}}, ok
	}
	return c.compare(left, right, same)
}
