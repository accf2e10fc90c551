package scim

import (
	"encoding/json"
	"strings"
)

// parser reads filters, by descent.
type parser struct {
	*lexer
	registry *Registry
	kind     Kind
	inside   *ref // the attribute in whose brackets we are
	nested   int
	terms    int
}

func (p *parser) unexpected(t token, err error) error {
	switch {
	case err != nil:
		return err
	case t.kind == 0:
		return p.errorf("It ends too soon.")
	case t.kind == 'w' || t.kind == 's':
		return p.errorf("%q is not expected there.", short(t.text))
	}
	return p.errorf("%q is not expected there.", string(t.kind))
}

func (p *parser) or() (node, error) {
	p.nested++
	defer func() { p.nested-- }()
	if p.nested > maxNested {
		return nil, p.errorf("It is nested deeper than %d.", maxNested)
	}
	parts, err := p.list("or", func() (node, error) {
		parts, err := p.list("and", p.term)
		if err != nil || len(parts) == 1 {
			return first(parts), err
		}
		return allOf(parts), nil
	})
	if err != nil || len(parts) == 1 {
		return first(parts), err
	}
	return anyOf(parts), nil
}

func first(parts []node) node {
	if len(parts) == 0 {
		return nil
	}
	return parts[0]
}

// list reads one or more of what one reads, with a word between.
func (p *parser) list(between string, one func() (node, error)) ([]node, error) {
	var parts []node
	for {
		n, err := one()
		if err != nil {
			return nil, err
		}
		parts = append(parts, n)
		t, err := p.peek()
		if err != nil {
			return nil, err
		}
		if t.kind != 'w' || !strings.EqualFold(t.text, between) {
			return parts, nil
		}
		_, _ = p.next()
	}
}

func (p *parser) term() (node, error) {
	t, err := p.next()
	if err == nil && t.kind == '(' {
		return p.closed(')')
	}
	if err != nil || t.kind != 'w' {
		return nil, p.unexpected(t, err)
	}
	after, err := p.peek()
	if err != nil {
		return nil, err
	}
	if after.kind == '(' && strings.EqualFold(t.text, "not") {
		_, _ = p.next()
		n, err := p.closed(')')
		return not{n}, err
	}
	f, err := p.ref(t.text)
	if err != nil {
		return nil, err
	}
	if after.kind == '[' {
		return p.element(f)
	}
	return p.compare(f)
}

// closed reads a filter up to its bracket.
func (p *parser) closed(bracket byte) (node, error) {
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if t, err := p.next(); err != nil || t.kind != bracket {
		return nil, p.unexpected(t, err)
	}
	return n, nil
}

// brackets reads [filter] behind an attribute.
func (p *parser) brackets(f ref) (element, error) {
	if p.inside != nil || f.dotted || f.attr != nil && f.attr.Type != typeComplex {
		return element{}, p.errorf("%s has no values that could be filtered.", short(f.text))
	}
	_, _ = p.next()
	p.inside = &f
	n, err := p.closed(']')
	p.inside = nil
	return element{f, n}, err
}

// element reads attr[filter], and attr[filter].sub with an operator, which asks the same of the same element.
func (p *parser) element(f ref) (node, error) {
	e, err := p.brackets(f)
	if err != nil {
		return nil, err
	}
	after, err := p.peek()
	if err != nil || after.kind != 'w' || after.text[0] != '.' {
		return e, err
	}
	_, _ = p.next()
	p.inside = &f
	defer func() { p.inside = nil }()
	sub, err := p.ref(after.text[1:])
	if err != nil {
		return nil, err
	}
	c, err := p.compare(sub)
	if err != nil {
		return nil, err
	}
	if parts, ok := e.of.(allOf); ok {
		e.of = append(parts, c)
	} else {
		e.of = allOf{e.of, c}
	}
	return e, nil
}

func (p *parser) compare(f ref) (node, error) {
	if p.terms++; p.terms > maxTerms {
		return nil, p.errorf("It has more than %d terms.", maxTerms)
	}
	t, err := p.next()
	if err != nil || t.kind != 'w' {
		return nil, p.unexpected(t, err)
	}
	op := strings.ToLower(t.text)
	if op == present {
		return compare{ref: f, op: present}, nil
	}
	if _, known := comparisons[op]; !known {
		return nil, p.errorf("%q is not an operator. There are eq, ne, co, sw, ew, pr, gt, ge, lt and le.", short(t.text))
	}
	t, err = p.next()
	if err != nil || t.kind != 'w' && t.kind != 's' {
		return nil, p.unexpected(t, err)
	}
	return p.comparison(f.compared(), op, t)
}

// comparison gives the value the attribute's type.
func (p *parser) comparison(f ref, op string, t token) (node, error) {
	c := compare{ref: f, op: op, value: t.text}
	if t.kind == 'w' {
		switch t.text {
		case "null":
			if op != "eq" && op != "ne" {
				return nil, p.errorf("null can be compared with eq and ne only.")
			}
			c.value = nil
			return c, nil
		case "true", "false":
			if f.attr == nil {
				c.value = t.text == "true"
			}
		default:
			if f.attr == nil && isNumber(t.text) {
				c.value = json.Number(t.text)
			}
		}
	}
	if f.attr == nil {
		return c, nil
	}
	switch a := f.last(); a.Type {
	case typeComplex:
		return nil, p.errorf("%s has parts. Compare one of them, such as %s.%s.", f.text, f.text, a.SubAttributes[0].Name)
	case typeBoolean:
		v, ok := boolean(t.text)
		if !ok || op != "eq" && op != "ne" {
			return nil, p.errorf("%s is true or false, and compared with eq or ne.", f.text)
		}
		c.value = v
	case typeBinary:
		if op != "eq" && op != "ne" {
			return nil, p.errorf("%s is compared with eq or ne.", f.text)
		}
	case typeDateTime:
		v, err := timeOf(t.text)
		if err != nil {
			return nil, p.errorf("%s is compared with a time such as 2026-11-23T08:00:00Z.", f.text)
		}
		c.time = v
	}
	return c, nil
}

func isNumber(s string) bool {
	return json.Valid([]byte(s)) && (s[0] == '-' || s[0] >= '0' && s[0] <= '9')
}
