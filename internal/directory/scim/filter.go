package scim

import (
	"slices"
	"strings"
)

// Filter is a parsed filter of one kind of resource. The zero Filter matches everything.
type Filter struct{ root node }

// node is a part of a filter.
type node interface {
	match(o map[string]any) bool
	write(b *strings.Builder)
}

type (
	allOf   []node // two or more
	anyOf   []node // two or more
	not     struct{ of node }
	element struct { // attr[filter]
		ref
		of node
	}
)

// ParseFilter parses RFC 7644 §3.4.2.2. "" is the zero Filter. Attributes that no schema has are taken, and have no
// value. A value may stand without quotes, as in Entra's documentation, and an element's sub-attribute may be compared as in
// `emails[type eq "work"].value eq "x"`. Errors are *Error.
func (r *Registry) ParseFilter(k Kind, s string) (Filter, error) {
	if strings.Trim(s, blanks) == "" {
		return Filter{}, nil
	}
	l, err := newLexer(s, InvalidFilter)
	if err != nil {
		return Filter{}, err
	}
	p := &parser{lexer: l, registry: r, kind: k}
	root, err := p.or()
	if err != nil {
		return Filter{}, err
	}
	if t, err := p.next(); err != nil || t.kind != 0 {
		return Filter{}, p.unexpected(t, err)
	}
	return Filter{root}, nil
}

// IsZero reports that everything matches.
func (f Filter) IsZero() bool { return f.root == nil }

// Match reports whether the filter is true of a completed resource with all that it asks for (see Attributes).
func (f Filter) Match(res Resource) bool { return f.root == nil || f.root.match(res) }

// MatchMember reports whether a value filter of members, as in MemberChange.Where, is true of a member.
func (f Filter) MatchMember(m Member) bool {
	if f.root == nil {
		return true
	}
	o := map[string]any{"value": m.Value}
	if m.Type != "" {
		o["type"] = string(m.Type)
	}
	return f.root.match(o)
}

// String is the filter in its canonical form; parsing it gives the same filter.
func (f Filter) String() string {
	if f.root == nil {
		return ""
	}
	var b strings.Builder
	f.root.write(&b)
	return b.String()
}

// Equality is a comparison with eq that holds for everything a filter matches.
type Equality struct {
	Attribute string // canonical: "userName", "externalId", "displayName", "id", "members.value", "emails.value", …
	Value     string
	CaseExact bool // as the schema says; otherwise compare what Fold makes of both
}

// Equalities are what every match has, so that a store may look only there. Match still has to be asked.
func (f Filter) Equalities() []Equality { return equalities(f.root, nil) }

func equalities(n node, found []Equality) []Equality {
	switch n := n.(type) {
	case allOf:
		for _, part := range n {
			found = equalities(part, found)
		}
	case compare:
		if e, ok := n.equality(); ok {
			found = append(found, e)
		}
	case element:
		for _, e := range equalities(n.of, nil) {
			e.Attribute = n.text + "." + e.Attribute
			found = append(found, e)
		}
	}
	return found
}

// Attributes are the top attributes that the filter looks at, such as "members".
func (f Filter) Attributes() []string {
	var names []string
	var walk func(node)
	walk = func(n node) {
		switch n := n.(type) {
		case allOf:
			for _, part := range n {
				walk(part)
			}
		case anyOf:
			for _, part := range n {
				walk(part)
			}
		case not:
			walk(n.of)
		case compare:
			names = append(names, n.top())
		case element:
			names = append(names, n.top())
		}
	}
	walk(f.root)
	slices.Sort(names)
	return slices.Compact(names)
}

func (f ref) top() string {
	if f.attr == nil {
		return f.text
	}
	return refTo(f.extension, f.attr, nil).text
}

func (n allOf) match(o map[string]any) bool {
	for _, part := range n {
		if !part.match(o) {
			return false
		}
	}
	return true
}

func (n anyOf) match(o map[string]any) bool {
	for _, part := range n {
		if part.match(o) {
			return true
		}
	}
	return false
}

func (n not) match(o map[string]any) bool { return !n.of.match(o) }

func (n element) match(o map[string]any) bool {
	found := false
	n.elements(o, func(e map[string]any) bool {
		found = n.of.match(e)
		return !found
	})
	return found
}

func (n allOf) write(b *strings.Builder) {
	for i, part := range n {
		_, any := part.(anyOf)
		_, all := part.(allOf)
		writePart(b, i, " and ", part, any || all)
	}
}

func (n anyOf) write(b *strings.Builder) {
	for i, part := range n {
		_, any := part.(anyOf)
		writePart(b, i, " or ", part, any)
	}
}

func writePart(b *strings.Builder, i int, between string, part node, enclosed bool) {
	if i > 0 {
		b.WriteString(between)
	}
	if enclosed {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	part.write(b)
}

func (n not) write(b *strings.Builder) {
	b.WriteString("not (")
	n.of.write(b)
	b.WriteByte(')')
}

func (n element) write(b *strings.Builder) {
	b.WriteString(n.text)
	b.WriteByte('[')
	n.of.write(b)
	b.WriteByte(']')
}
