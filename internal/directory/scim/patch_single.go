package scim

// single changes an attribute that has one value, or a part of it.
func (p *patching) single(op operation, path Path) error {
	a := path.attr
	if op.op == "remove" {
		p.removed = p.removed || a.Required
		op.value = nil
	} else if op.op == "add" && op.value == nil {
		return nil
	}
	if a.Type != typeComplex {
		v, err := a.coerce(op.value)
		if err == nil {
			p.res.put(path.extension, a.Name, v)
		}
		return err
	}
	given := op.value
	if path.sub != nil {
		given = object{{path.sub.Name, op.value}}
	} else if list, ok := given.([]any); ok { // as Entra sends a manager
		if len(list) > 1 {
			return bad(InvalidValue, "%s has one value, not %d.", a.Name, len(list))
		}
		given = nil
		if len(list) == 1 {
			given = list[0]
		}
	}
	if given == nil {
		p.res.put(path.extension, a.Name, nil)
		return nil
	}
	had, _ := p.res.at(path.extension, a.Name).(map[string]any)
	merged, err := a.merge(had, given)
	if err != nil {
		return err
	}
	if merged["value"] != had["value"] && merged["$ref"] == had["$ref"] {
		delete(merged, "$ref") // it was the other's
	}
	if len(merged) == 0 || a.sub("value") != nil && isEmpty(merged["value"]) {
		p.res.put(path.extension, a.Name, nil)
		return nil
	}
	p.res.put(path.extension, a.Name, merged)
	return nil
}

// merge is a complex value with what was given of it: null takes a part away.
func (a *attribute) merge(had map[string]any, given any) (map[string]any, error) {
	next, err := a.coerceOne(given)
	if err != nil {
		return nil, err
	}
	merged := map[string]any{}
	for name, v := range had {
		merged[name] = v
	}
	if set, ok := next.(map[string]any); ok {
		for name, v := range set {
			merged[name] = v
		}
	}
	if o, ok := given.(object); ok {
		for _, f := range o {
			if sub := a.subAs(f.name); sub != nil && f.value == nil {
				delete(merged, sub.Name)
			}
		}
	}
	return merged, nil
}
