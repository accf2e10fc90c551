package provisioning

import (
	"strings"
)

// path is a SCIM attribute path of the few forms that mappings have.
type path struct {
	urn       string // of an extension
	attribute string
	filter    string // attribute of [filter eq "is"]; empty: none
	is        string
	sub       string
}

// parsePath reads name, name.sub, name[filter eq "is"].sub, and each with an extension's URN and a colon before it.
func parsePath(s string) path {
	var p path
	if strings.HasPrefix(strings.ToLower(s), "urn:") {
		// The URN ends at the last colon; a filter holds none in a mapping.
		at := strings.LastIndex(s, ":")
		p.urn, s = s[:at], s[at+1:]
	}
	if head, rest, found := strings.Cut(s, "["); found {
		inside, tail, _ := strings.Cut(rest, "]")
		p.attribute, p.sub = head, strings.TrimPrefix(tail, ".")
		name, is, _ := strings.Cut(inside, " eq ")
		p.filter, p.is = strings.TrimSpace(name), strings.Trim(strings.TrimSpace(is), `"`)
		return p
	}
	p.attribute, p.sub, _ = strings.Cut(s, ".")
	return p
}

// get finds what a resource says at a path; names are compared without regard to case (RFC 7643 §2.1).
func get(resource map[string]any, at string) any {
	p := parsePath(at)
	if p.urn != "" {
		resource, _ = field(resource, p.urn).(map[string]any)
	}
	v := field(resource, p.attribute)
	if p.filter != "" {
		list, _ := v.([]any)
		v = nil
		for _, e := range list {
			element, _ := e.(map[string]any)
			if is, _ := field(element, p.filter).(string); strings.EqualFold(is, p.is) {
				v = element
				break
			}
		}
	}
	if p.sub == "" {
		return v
	}
	inner, _ := v.(map[string]any)
	return field(inner, p.sub)
}

func field(m map[string]any, name string) any {
	if v, ok := m[name]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}

// put sets what a resource that is being built says at a path. The first e-mail address is the primary one.
func put(resource map[string]any, at string, v any) {
	p := parsePath(at)
	if p.urn != "" {
		inner, ok := resource[p.urn].(map[string]any)
		if !ok {
			inner = map[string]any{}
			resource[p.urn] = inner
		}
		resource = inner
	}
	switch {
	case p.filter != "":
		list, _ := resource[p.attribute].([]any)
		for _, e := range list {
			if element := e.(map[string]any); element[p.filter] == p.is {
				element[p.sub] = v
				return
			}
		}
		element := map[string]any{p.filter: p.is, p.sub: v}
		if p.attribute == "emails" && len(list) == 0 {
			element["primary"] = true
		}
		resource[p.attribute] = append(list, element)
	case p.sub != "":
		inner, ok := resource[p.attribute].(map[string]any)
		if !ok {
			inner = map[string]any{}
			resource[p.attribute] = inner
		}
		inner[p.sub] = v
	default:
		resource[p.attribute] = v
	}
}
