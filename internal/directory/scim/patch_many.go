package scim

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// many changes an attribute with several values, all of which are complex, those that a filter picks, or a part of them.
func (p *patching) many(op operation, path Path) error {
	list, _ := p.res.at(path.extension, path.attr.Name).([]any)
	p.work += len(list)*(path.terms+1) + 1
	if p.work > maxWork {
		return tooLarge("The operations look at more than %d values. Send fewer at once.", maxWork)
	}
	var err error
	switch {
	case path.of == nil && path.sub == nil:
		list, err = p.values(op, path.attr, list)
	case op.op == "remove" || op.op == "replace" && op.value == nil:
		list = removePicked(path, list)
	case op.value == nil:
		return nil
	default:
		list, err = setPicked(op, path, list)
	}
	if err != nil {
		return err
	}
	if len(list) > maxValues {
		return bad(InvalidValue, "%s would have %d values; at most %d are taken.", path.attr.Name, len(list), maxValues)
	}
	if len(list) == 0 {
		p.res.put(path.extension, path.attr.Name, nil)
	} else {
		p.res.put(path.extension, path.attr.Name, list)
	}
	return nil
}

// values adds, replaces or removes whole values.
func (p *patching) values(op operation, a *attribute, list []any) ([]any, error) {
	coerced, err := a.coerce(op.value)
	if err != nil {
		return nil, err
	}
	given, _ := coerced.([]any)
	p.work += len(given) * len(list)
	if op.op == "replace" {
		return given, nil
	}
	if op.op == "remove" && op.value == nil {
		return nil, nil
	}
	if op.op == "add" && a.Name == "roles" && slices.ContainsFunc(list, func(have any) bool {
		return !slices.ContainsFunc(given, func(v any) bool { o, _ := v.(map[string]any); return a.same(have, o) })
	}) {
		p.piled = true
	}
	for _, v := range given {
		o, _ := v.(map[string]any)
		i := slices.IndexFunc(list, func(have any) bool { return a.same(have, o) })
		switch {
		case op.op == "remove":
			list = slices.DeleteFunc(list, func(have any) bool { return a.same(have, o) })
			continue
		case i < 0:
			i = len(list)
			list = append(list, o)
		default:
			merged := maps.Clone(list[i].(map[string]any))
			maps.Copy(merged, o)
			list[i] = merged
		}
		if o["primary"] == true {
			onlyPrimary(list, i)
		}
	}
	return list, nil
}

// same reports that a value is the one that was given: it has the same value, and the same type if one was given. A role
// is its value; what has no value is the same if all is.
func (a *attribute) same(have any, given map[string]any) bool {
	o, _ := have.(map[string]any)
	value, said := given["value"].(string)
	if !said {
		return reflect.DeepEqual(o, given)
	}
	is, _ := o["value"].(string)
	if is != value && (a.sub("value").CaseExact || !strings.EqualFold(is, value)) {
		return false
	}
	kind, said := given["type"].(string)
	of, typed := o["type"].(string)
	return !said || a.Name == "roles" && !typed || strings.EqualFold(of, kind)
}

// removePicked takes the picked values away, or a part of each; a value of which nothing is left that says anything goes too.
func removePicked(path Path, list []any) []any {
	kept := make([]any, 0, len(list))
	for _, v := range list {
		o, _ := v.(map[string]any)
		if !path.picks(o) {
			kept = append(kept, v)
			continue
		}
		if path.sub == nil || path.sub.Name == "value" {
			continue
		}
		o = maps.Clone(o)
		delete(o, path.sub.Name)
		for name := range o {
			if name != "type" && name != "primary" {
				kept = append(kept, o)
				break
			}
		}
	}
	return kept
}

func (p Path) picks(o map[string]any) bool { return o != nil && (p.of == nil || p.of.match(o)) }

// setPicked changes the picked values; without any it makes one of what the filter says.
func setPicked(op operation, path Path, list []any) ([]any, error) {
	a := path.attr
	terms, clear := termsOf(path.of)
	value, err := pickedValue(path, op.value)
	if err != nil {
		return nil, err
	}
	list = slices.Clone(list)
	primary := -1
	found := false
	for i, v := range list {
		o, _ := v.(map[string]any)
		if !path.picks(o) {
			continue
		}
		found = true
		next := maps.Clone(o)
		if path.sub == nil && op.op == "replace" {
			next = map[string]any{}
			maps.Copy(next, terms)
		}
		maps.Copy(next, value)
		list[i] = next
		if value["primary"] == true && primary < 0 {
			primary = i
		}
	}
	if !found {
		if !clear {
			return nil, bad(NoTarget, "No value of %s is as %s has it, and the filter does not say how one would be.", a.Name, path)
		}
		next := maps.Clone(terms)
		maps.Copy(next, value)
		list = append(list, next)
		if next["primary"] == true {
			primary = len(list) - 1
		}
	}
	if primary >= 0 {
		onlyPrimary(list, primary)
	}
	return list, nil
}

// pickedValue is what is set in each picked value.
func pickedValue(path Path, given any) (map[string]any, error) {
	if path.sub != nil {
		given = object{{path.sub.Name, given}}
	} else if list, ok := given.([]any); ok {
		if len(list) != 1 {
			return nil, bad(InvalidValue, "%s takes one value, not %d.", path, len(list))
		}
		given = list[0]
	}
	v, err := path.attr.coerceOne(given)
	if err != nil {
		return nil, err
	}
	o, _ := v.(map[string]any)
	if o == nil {
		return nil, bad(InvalidValue, "The value for %s is empty.", path)
	}
	return o, nil
}

// termsOf is a value of which a filter is true, when the filter is made of eq and and alone.
func termsOf(n node) (terms map[string]any, clear bool) {
	switch n := n.(type) {
	case nil:
		return map[string]any{}, true
	case compare:
		if n.op != "eq" || n.attr == nil || n.value == nil {
			return nil, false
		}
		return map[string]any{n.attr.Name: n.value}, true
	case allOf:
		terms = map[string]any{}
		for _, part := range n {
			more, clear := termsOf(part)
			if !clear {
				return nil, false
			}
			for name, v := range more {
				if had, twice := terms[name]; twice && had != v {
					return nil, false
				}
				terms[name] = v
			}
		}
		return terms, true
	}
	return nil, false
}

// onlyPrimary makes the value at i the only primary one (RFC 7644 §3.5.2).
func onlyPrimary(list []any, i int) {
	for j, v := range list {
		if o, ok := v.(map[string]any); ok && j != i && o["primary"] == true {
			o = maps.Clone(o)
			o["primary"] = false
			list[j] = o
		}
	}
}
