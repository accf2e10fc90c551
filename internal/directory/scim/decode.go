package scim

import (
	"encoding/base64"
	"maps"
	"reflect"
	"strings"
)

// Decode reads a resource from the body of a POST or PUT. Members of a group come apart; nil says that the body has
// none of that attribute, an empty list that it is empty. Unknown attributes, null and what only the server says are left
// out; booleans may be strings; attributes of the enterprise extension may stand without its URN. Errors are *Error.
func (r *Registry) Decode(k Kind, body []byte) (Resource, []Member, error) {
	o, err := parseObject(body)
	if err != nil {
		return nil, nil, err
	}
	res := Resource{}
	var members []Member
	for _, f := range o {
		urn, name, known := r.cutURN(k, f.name)
		switch inner, isObject := f.value.(object); {
		case !known:
		case name != "":
			err = r.decodeInto(k, res, &members, urn, name, f.value)
		case isObject:
			for _, g := range inner {
				if err = r.decodeInto(k, res, &members, urn, g.name, g.value); err != nil {
					break
				}
			}
		case f.value != nil:
			err = bad(InvalidValue, "The value of %s is not an object.", urn)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return res, members, r.complete(k, res)
}

func (r *Registry) decodeInto(k Kind, res Resource, members *[]Member, urn, name string, value any) error {
	a, extension := r.find(k, urn, name)
	if a == nil || a.Mutability == readOnly {
		return nil
	}
	if a.isMembers() {
		list, err := membersOf(value)
		*members = list
		return err
	}
	v, err := a.coerce(value)
	if err == nil {
		res.put(extension, a.Name, v)
	}
	return err
}

// complete says what is missing of a resource.
func (r *Registry) complete(k Kind, res Resource) error {
	for _, a := range r.schemas(k)[0].Attributes {
		if a.Required && strings.TrimSpace(res.Text(a.Name)) == "" {
			return bad(InvalidValue, "A %s needs %s.", k, a.Name)
		}
	}
	return nil
}

// Replace is what a PUT makes of old: all of next. An account that is disabled is not enabled by not saying so: without
// `active` that of old stays. changed is false when nothing differs. Neither is altered.
func (r *Registry) Replace(k Kind, old, next Resource) (res Resource, changed bool) {
	res = maps.Clone(next)
	if active, said := old["active"]; said && res["active"] == nil {
		res["active"] = active
	}
	return res, !reflect.DeepEqual(old, res)
}

func (a *attribute) isMembers() bool { return a.Name == "members" }

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

// put sets an attribute, or takes it away when the value is nil.
func (res Resource) put(extension, name string, value any) {
	at := map[string]any(res)
	if extension != "" {
		inner, _ := res[extension].(map[string]any)
		inner = maps.Clone(inner)
		if inner == nil {
			inner = map[string]any{}
		}
		at = inner
	}
	if value == nil {
		delete(at, name)
	} else {
		at[name] = value
	}
	if extension == "" {
		return
	}
	if len(at) == 0 {
		delete(res, extension)
	} else {
		res[extension] = at
	}
}

// at is an attribute's value, or nil.
func (res Resource) at(extension, name string) any {
	if extension == "" {
		return res[name]
	}
	inner, _ := res[extension].(map[string]any)
	return inner[name]
}

// membersOf reads a value of members: objects with a value, or the values themselves; one or several.
func membersOf(v any) ([]Member, error) {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	members := make([]Member, 0, len(list))
	for _, one := range list {
		m, err := memberOf(one)
		if err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	return members, nil
}

func memberOf(v any) (Member, error) {
	if id, ok := v.(string); ok {
		v = object{{"value", id}}
	}
	o, _ := v.(object)
	id, _ := o.get("value")
	value, ok := id.(string)
	if !ok || value == "" {
		return Member{}, bad(InvalidValue, `A member is an object with the member's id: {"value": "…"}.`)
	}
	m := Member{Value: value}
	kind, _ := o.get("type")
	ref, _ := o.get("$ref")
	named, _ := kind.(string)
	address, _ := ref.(string)
	for _, k := range []Kind{User, Group} {
		if strings.EqualFold(named, string(k)) || named == "" && strings.Contains(address, k.Endpoint()+"/") {
			m.Type = k
		}
	}
	return m, nil
}
