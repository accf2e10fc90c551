package scim

import (
	"encoding/base64"
	"strings"
)

// coerce makes of what a client sent a value as the schema has it; nil stands for no value.
func (a *attribute) coerce(v any) (any, error) {
	if !a.MultiValued {
		if list, ok := v.([]any); ok && a.Type == typeComplex { // as Entra sends a manager
			if len(list) > 1 {
				return nil, bad(InvalidValue, "%s has one value, not %d.", a.Name, len(list))
			}
			v = nil
			if len(list) == 1 {
				v = list[0]
			}
		}
		return a.coerceOne(v)
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	if len(list) > maxValues {
		return nil, bad(InvalidValue, "%s has %d values; at most %d are taken.", a.Name, len(list), maxValues)
	}
	values := []any{}
	primaries := 0
	for _, one := range list {
		value, err := a.coerceOne(one)
		if err != nil {
			return nil, err
		}
		if value == nil {
			continue
		}
		if o, ok := value.(map[string]any); ok && o["primary"] == true {
			primaries++
		}
		values = append(values, value)
	}
	if primaries > 1 {
		return nil, bad(InvalidValue, "More than one value of %s is primary.", a.Name)
	}
	if len(values) == 0 {
		return nil, nil
	}
	return values, nil
}

func (a *attribute) coerceOne(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	switch a.Type {
	case typeComplex:
		return a.coerceComplex(v)
	case typeBoolean:
		if s, ok := v.(string); ok {
			v, _ = boolean(s)
		}
		if b, ok := v.(bool); ok {
			return b, nil
		}
		return nil, bad(InvalidValue, "%s is true or false.", a.Name)
	}
	s, ok := v.(string)
	if !ok {
		return nil, bad(InvalidValue, "%s is a string.", a.Name)
	}
	if a.Type == typeBinary {
		if _, err := base64.StdEncoding.DecodeString(s); err != nil {
			return nil, bad(InvalidValue, "%s is not base64.", a.Name)
		}
	}
	return s, nil
}

// boolean reads what Entra sends for one: "True" and "False". It is nil for everything else.
func boolean(s string) (v any, ok bool) {
	switch {
	case strings.EqualFold(s, "true"):
		return true, true
	case strings.EqualFold(s, "false"):
		return false, true
	}
	return nil, false
}

func (a *attribute) coerceComplex(v any) (any, error) {
	if s, ok := v.(string); ok && a.sub("value") != nil {
		v = object{{"value", s}}
	}
	o, ok := v.(object)
	if !ok {
		return nil, bad(InvalidValue, "%s is an object.", a.Name)
	}
	o, err := a.unpacked(o)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for _, f := range o {
		sub := a.subAs(f.name)
		if sub == nil || sub.Mutability == readOnly {
			continue
		}
		value, err := sub.coerce(f.value)
		if err != nil {
			return nil, bad(InvalidValue, "%s: %s", a.Name, err)
		}
		if value != nil {
			values[sub.Name] = value
		}
	}
	if len(values) == 0 {
		return nil, nil
	}
	return values, nil
}

// subAs is the sub-attribute of this name; Entra calls a role's display displayName.
func (a *attribute) subAs(name string) *attribute {
	if sub := a.sub(name); sub != nil || !strings.EqualFold(name, "displayName") {
		return sub
	}
	return a.sub("display")
}

// unpacked is a role of which Entra sent the value as JSON in a string: {"id":…,"value":…,"displayName":…}. Everything else
// stays as it is.
func (a *attribute) unpacked(o object) (object, error) {
	if a.Name != "roles" {
		return o, nil
	}
	value, _ := o.get("value")
	packed, ok := value.(string)
	if !ok || !strings.HasPrefix(strings.TrimSpace(packed), "{") {
		return o, nil
	}
	inner, err := parseObject([]byte(packed))
	if err != nil {
		return nil, bad(InvalidValue, "The value of a role is JSON in a string, but not as it is expected: %s", err)
	}
	if v, _ := inner.get("value"); v == nil || v == "" {
		return nil, bad(InvalidValue, "The value of a role is JSON in a string, but has no value in it.")
	}
	for _, f := range o {
		if _, there := inner.get(f.name); !there {
			inner = append(inner, f)
		}
	}
	return inner, nil
}
