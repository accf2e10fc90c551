package scim

import (
	"maps"
	"slices"
	"strings"
)

// Projection says which attributes are answered. The zero one answers all that are returned by default.
type Projection struct {
	only     bool // asked are all, besides those that are always answered
	asked    []part
	excluded []part
}

// part is an attribute, or some of its sub-attributes.
type part struct {
	ref
	subs []string // empty: all of it
}

// ParseProjection reads `attributes` and `excludedAttributes` (RFC 7644 §3.9), each a comma-separated list or "". What no
// schema has is passed over. Errors are *Error.
func (r *Registry) ParseProjection(k Kind, attributes, excluded string) (Projection, error) {
	var p Projection
	var err error
	if p.asked, p.only, err = r.parts(k, attributes); err != nil {
		return p, err
	}
	p.excluded, _, err = r.parts(k, excluded)
	p.excluded = slices.DeleteFunc(p.excluded, func(one part) bool { return one.attr.Returned == always })
	return p, err
}

func (r *Registry) parts(k Kind, list string) (parts []part, some bool, err error) {
	if len(list) > maxFilter {
		return nil, false, bad(InvalidValue, "The list of attributes has %d bytes; at most %d are taken.", len(list), maxFilter)
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(name, blanks)
		if name == "" {
			continue
		}
		some = true
		if urn := r.schemaOf(k, name); urn != "" {
			parts = append(parts, r.partsOf(k, urn)...)
			continue
		}
		p := &parser{lexer: &lexer{wrong: wrong{InvalidPath}}, registry: r, kind: k}
		f, err := p.ref(name)
		if err != nil {
			return nil, false, err
		}
		if f.attr != nil {
			parts = join(parts, f)
		}
	}
	return parts, some, nil
}

// partsOf are all attributes of a schema.
func (r *Registry) partsOf(k Kind, urn string) (parts []part) {
	for i, s := range r.schemas(k) {
		if s.ID != urn {
			continue
		}
		extension := urn
		if i == 0 {
			extension = ""
		}
		for _, a := range s.Attributes {
			parts = append(parts, part{ref: refTo(extension, a, nil)})
		}
	}
	return parts
}

func join(parts []part, f ref) []part {
	i := slices.IndexFunc(parts, func(p part) bool { return p.extension == f.extension && p.attr == f.attr })
	switch {
	case i < 0 && f.sub == nil:
		return append(parts, part{ref: f})
	case i < 0:
		return append(parts, part{refTo(f.extension, f.attr, nil), []string{f.sub.Name}})
	case f.sub == nil:
		parts[i].subs = nil
	case len(parts[i].subs) > 0:
		parts[i].subs = append(parts[i].subs, f.sub.Name)
	}
	return parts
}

// Wants says whether any of a top attribute (such as "members") is answered, so that it need not be read when not.
func (p Projection) Wants(attribute string) bool {
	named := func(one part) bool { return one.text == attribute }
	if p.only && !slices.ContainsFunc(p.asked, named) {
		return false
	}
	return !slices.ContainsFunc(p.excluded, func(one part) bool { return named(one) && len(one.subs) == 0 })
}

// Apply is what is answered of a completed resource; it is not altered.
func (p Projection) Apply(res Resource) Resource {
	shown := maps.Clone(res)
	if p.only {
		shown = Resource{}
		for _, name := range []string{"schemas", "id"} { // always answered
			if v, there := res[name]; there {
				shown[name] = v
			}
		}
		for _, one := range p.asked {
			if v := res.at(one.extension, one.attr.Name); v != nil {
				shown.put(one.extension, one.attr.Name, one.pick(v, true))
			}
		}
	}
	for _, one := range p.excluded {
		if v := shown.at(one.extension, one.attr.Name); v != nil {
			shown.put(one.extension, one.attr.Name, one.pick(v, false))
		}
	}
	return shown
}

// pick is the named part of a value, or all but that; nil when nothing is left.
func (p part) pick(v any, named bool) any {
	if len(p.subs) == 0 {
		if named {
			return v
		}
		return nil
	}
	switch v := v.(type) {
	case map[string]any:
		kept := map[string]any{}
		for name, inner := range v {
			if slices.Contains(p.subs, name) == named {
				kept[name] = inner
			}
		}
		if len(kept) > 0 {
			return kept
		}
	case []any:
		kept := []any{}
		for _, one := range v {
			if one := p.pick(one, named); one != nil {
				kept = append(kept, one)
			}
		}
		if len(kept) > 0 {
			return kept
		}
	}
	return nil
}
