package scim

import (
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
