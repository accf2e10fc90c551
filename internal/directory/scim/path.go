package scim

import "strings"

// Path is what an operation of a PATCH is about (RFC 7644 §3.5.2): an attribute, its values that a filter picks, a
// sub-attribute of these, or a whole schema.
type Path struct {
	schema string // the whole schema of this URN
	ref
	of    node // picks values of attr; nil: all
	terms int  // comparisons in of
}

// ParsePath parses the path of a PATCH operation. Attributes that no schema has are taken, and then Known is false.
// Errors are *Error.
func (r *Registry) ParsePath(k Kind, s string) (Path, error) {
	l, err := newLexer(s, InvalidPath)
	if err != nil {
		return Path{}, err
	}
	p := &parser{lexer: l, registry: r, kind: k}
	t, err := p.next()
	if err != nil || t.kind != 'w' {
		return Path{}, p.unexpected(t, err)
	}
	path := Path{}
	if urn := r.schemaOf(k, t.text); urn != "" {
		path.schema, path.text = urn, urn
	} else if path.ref, err = p.ref(t.text); err != nil {
		return Path{}, err
	}
	after, err := p.peek()
	if err == nil && after.kind == '[' && path.schema == "" {
		err = p.pathElement(&path)
	}
	if err != nil {
		return Path{}, err
	}
	if t, err := p.next(); err != nil || t.kind != 0 {
		return Path{}, p.unexpected(t, err)
	}
	return path, nil
}

// pathElement reads [filter] and perhaps .sub.
func (p *parser) pathElement(path *Path) error {
	e, err := p.brackets(path.ref)
	if err != nil {
		return err
	}
	path.of, path.terms = e.of, p.terms
	after, err := p.peek()
	if err != nil || after.kind != 'w' || after.text[0] != '.' {
		return err
	}
	_, _ = p.next()
	p.inside = &e.ref
	sub, err := p.ref(after.text[1:])
	p.inside = nil
	if err != nil {
		return err
	}
	if sub.attr == nil { // no schema has it: then the path leads nowhere
		path.ref = ref{text: path.text + "." + sub.text}
		path.of = nil
		return nil
	}
	path.sub, path.dotted = sub.attr, true
	return nil
}

// Known reports that a schema has what the path leads to.
func (p Path) Known() bool { return p.schema != "" || p.attr != nil }

// String is the path in its canonical form; parsing it gives the same path.
func (p Path) String() string {
	if p.of == nil || p.attr == nil {
		return p.text
	}
	var b strings.Builder
	b.WriteString(refTo(p.extension, p.attr, nil).text)
	b.WriteByte('[')
	p.of.write(&b)
	b.WriteByte(']')
	if p.sub != nil {
		b.WriteByte('.')
		b.WriteString(p.sub.Name)
	}
	return b.String()
}
