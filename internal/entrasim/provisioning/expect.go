package provisioning

import "github.com/lanyardhq/lanyard/internal/entrasim"

// User is what an endpoint should say of a user: attribute paths with their values, without what the tenant says nothing
// about.
func (m Mapping) User(u entrasim.User, active bool) map[string]any {
	return said(m.ofUser(entrasim.ExtractedUser{User: u}, active))
}

// Group is what an endpoint should say of a group, apart from its members.
func (m Mapping) Group(g entrasim.Group) map[string]any { return said(m.ofGroup(g)) }

func said(values []value) map[string]any {
	out := map[string]any{}
	for _, v := range values {
		if v.is != nil {
			out[v.path] = v.is
		}
	}
	return out
}

// At is what a resource says at an attribute path of a mapping; nil: nothing.
func At(resource map[string]any, path string) any { return get(resource, path) }
