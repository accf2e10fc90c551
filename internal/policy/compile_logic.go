package policy

import "github.com/cedar-policy/cedar-go/x/exp/ast"

func (c compiler) choice(n ast.NodeTypeIfThenElse) (test, bool) {
	condition, ok := c.test(n.If)
	if !ok {
		return test{}, false
	}
	if condition.eval == nil {
		if condition.known {
			return c.test(n.Then)
		}
		return c.test(n.Else)
	}
	then, ok := c.test(n.Then)
	if !ok {
		return test{}, false
	}
	otherwise, ok := c.test(n.Else)
	return test{eval: func(v *view) (bool, error) {
		b, err := condition.eval(v)
		if err != nil {
			return false, err
		}
		if b {
			return then.ask(v)
		}
		return otherwise.ask(v)
	}}, ok
}

// and, as everything here, looks at its right side only when the left one leaves that open: an error there would
// otherwise be one that Cedar does not see.
func and(left, right test) test {
	switch {
	case left.is(false), right.is(true):
		return left
	case left.is(true):
		return right
	}
	return test{eval: func(v *view) (bool, error) {
		if b, err := left.eval(v); !b || err != nil {
			return false, err
		}
		return right.ask(v)
	}}
}

func or(left, right test) test {
	switch {
	case left.is(true), right.is(false):
		return left
	case left.is(false):
		return right
	}
	return test{eval: func(v *view) (bool, error) {
		if b, err := left.eval(v); b || err != nil {
			return b, err
		}
		return right.ask(v)
	}}
}

func not(t test) test {
	if t.eval == nil {
		return always(!t.known)
	}
	return test{eval: func(v *view) (bool, error) {
		b, err := t.eval(v)
		return !b && err == nil, err
	}}
}
