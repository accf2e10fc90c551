package scim

import "strings"

// ref is an attribute that a filter or path names. What no schema knows has no attr; then it has no value either.
type ref struct {
	text      string // as it is written in canonical form
	extension string // URN of the extension that the attribute belongs to, or ""
	attr      *attribute
	sub       *attribute // of attr; nil: attr itself
	dotted    bool       // it has a part behind a dot, known or not
}

// ref finds what a word names: of the kind's schemas, or of what is filtered in brackets.
func (p *parser) ref(word string) (ref, error) {
	if p.inside != nil {
		if !isName(word) {
			return ref{}, p.errorf("%q is not the name of a sub-attribute.", short(word))
		}
		if p.inside.attr != nil {
			if a := p.inside.attr.subAs(word); a != nil {
				return ref{text: a.Name, attr: a}, nil
			}
		}
		return ref{text: word}, nil
	}
	urn, rest, known := p.registry.cutURN(p.kind, word)
	if !known {
		if !isURN(word) {
			return ref{}, p.errorf("%q is not the name of an attribute.", short(word))
		}
		return ref{text: word}, nil
	}
	if urn != "" && rest == "" {
		return ref{}, p.errorf("%s is a schema. Write an attribute behind it.", urn)
	}
	name, subName, dotted := strings.Cut(rest, ".")
	if !isName(name) || dotted && !isName(subName) {
		return ref{}, p.errorf("%q is not the name of an attribute.", short(word))
	}
	f := ref{text: rest, dotted: dotted}
	if urn != "" {
		f.text = urn + ":" + rest
	}
	a, extension := p.registry.find(p.kind, urn, name)
	if a == nil {
		return f, nil
	}
	var sub *attribute
	if dotted {
		if sub = a.subAs(subName); sub == nil {
			return f, nil
		}
	}
	return refTo(extension, a, sub), nil
}

func refTo(extension string, a, sub *attribute) ref {
	f := ref{text: a.Name, extension: extension, attr: a, sub: sub, dotted: sub != nil}
	if extension != "" {
		f.text = extension + ":" + a.Name
	}
	if sub != nil {
		f.text += "." + sub.Name
	}
	return f
}

// compared is the attribute whose values are compared: that of a complex attribute is its value.
func (f ref) compared() ref {
	if f.attr != nil && f.sub == nil && f.attr.Type == typeComplex {
		if value := f.attr.sub("value"); value != nil {
			return refTo(f.extension, f.attr, value)
		}
	}
	return f
}

// last is the definition of what the ref ends at.
func (f ref) last() *attribute {
	if f.sub != nil {
		return f.sub
	}
	return f.attr
}

// each calls yield for the values in o until it says false.
func (f ref) each(o map[string]any, yield func(any) bool) {
	if f.attr == nil {
		return
	}
	v := Resource(o).at(f.extension, f.attr.Name)
	one := func(v any) bool {
		if f.sub != nil {
			inner, _ := v.(map[string]any)
			v = inner[f.sub.Name]
		}
		return v == nil || yield(v)
	}
	list, ok := v.([]any)
	if !ok {
		one(v)
		return
	}
	for _, v := range list {
		if !one(v) {
			return
		}
	}
}

// elements calls yield for the complex values in o until it says false.
func (f ref) elements(o map[string]any, yield func(map[string]any) bool) {
	ref{extension: f.extension, attr: f.attr}.each(o, func(v any) bool {
		element, ok := v.(map[string]any)
		return !ok || yield(element)
	})
}
