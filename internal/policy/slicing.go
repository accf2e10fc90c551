package policy

import (
	"slices"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func newSlice(key sliceKey, rules []*rule) *Slice {
	sl := &Slice{}
	c := compiler{key}
	action := types.EntityUID{Type: typeAction, ID: types.String(key.action)}
	seen := map[types.EntityUID]bool{}
	for _, r := range rules {
		if !concerns(r.body, action) || !meets(r.body.Principal, key.principal) || !meets(r.body.Resource, key.resource) {
			continue
		}
		one := sliced{rule: r}
		if one.test, one.compiled = c.policy(r.body); one.compiled && one.test.is(false) {
			continue // it cannot be true of any question of this slice
		}
		one.clock = !one.compiled && r.reads&readsNow != 0
		sl.add(one)
		sl.reads |= r.reads
		for _, uid := range r.names {
			if !seen[uid] {
				seen[uid] = true
				sl.mention(uid)
			}
		}
	}
	sl.index()
	return sl
}

// add files a rule under the resource or the project that it is about, if it is about one only. It is then looked at for
// no other, where it could not be true.
func (sl *Slice) add(one sliced) {
	if scope, ok := one.body.Resource.(ast.ScopeTypeEq); ok && scope.Entity.Type != typeProject {
		if sl.byThing == nil {
			sl.byThing = map[types.EntityUID][]sliced{}
		}
		sl.byThing[scope.Entity] = append(sl.byThing[scope.Entity], one)
		return
	}
	id, name := projectOf(one.body)
	switch {
	case id != "":
		if sl.byProject == nil {
			sl.byProject = map[identity.ProjectID][]sliced{}
		}
		sl.byProject[id] = append(sl.byProject[id], one)
	case name != "":
		if sl.byName == nil {
			sl.byName = map[string][]sliced{}
		}
		sl.byName[name] = append(sl.byName[name], one)
	case groupOf(one.body) != "":
		sl.grouped = append(sl.grouped, one)
	default:
		sl.rules = append(sl.rules, one)
	}
}

// manyGroups is from how many policies about groups on a slice looks at those of the user's groups only.
const manyGroups = 32

// index finds the rules of a group by its ID, where there are many.
func (sl *Slice) index() {
	if len(sl.grouped) < manyGroups {
		sl.rules, sl.grouped = append(sl.rules, sl.grouped...), nil
		return
	}
	sl.byGroup = map[string][]sliced{}
	for _, one := range sl.grouped {
		object := groupOf(one.body)
		sl.byGroup[object] = append(sl.byGroup[object], one)
	}
}

// groupOf is the object ID of the group that a policy's principal must be in; empty where there is none.
func groupOf(p *ast.Policy) string {
	var uid types.EntityUID
	switch s := p.Principal.(type) {
	case ast.ScopeTypeIn:
		uid = s.Entity
	case ast.ScopeTypeIsIn:
		uid = s.Entity
	}
	if uid.Type != typeGroup {
		return ""
	}
	return string(uid.ID)
}

// projectOf is the one project that a policy can be about, by ID or by name; both empty where there is none.
func projectOf(p *ast.Policy) (identity.ProjectID, string) {
	switch s := p.Resource.(type) {
	case ast.ScopeTypeIn:
		if s.Entity.Type == typeProject {
			return identity.ProjectID(s.Entity.ID), ""
		}
	case ast.ScopeTypeIsIn:
		if s.Entity.Type == typeProject {
			return identity.ProjectID(s.Entity.ID), ""
		}
	case ast.ScopeTypeEq:
		if s.Entity.Type == typeProject {
			return identity.ProjectID(s.Entity.ID), ""
		}
	}
	for _, part := range conjuncts(p) {
		switch n := part.(type) {
		case ast.NodeTypeIn:
			uid, ok := n.Right.(ast.NodeValue)
			if !ok || !isNamed(n.Left, "resource") {
				continue
			}
			if project, ok := uid.Value.(types.EntityUID); ok && project.Type == typeProject {
				return identity.ProjectID(project.ID), ""
			}
		case ast.NodeTypeEquals:
			for _, side := range [][2]ast.IsNode{{n.Left, n.Right}, {n.Right, n.Left}} {
				a, ok := side[0].(ast.NodeTypeAccess)
				if !ok || a.Value != "project" || !isNamed(a.Arg, "resource") {
					continue
				}
				if v, ok := side[1].(ast.NodeValue); ok {
					if name, ok := v.Value.(types.String); ok && name != "" {
						return "", string(name)
					}
				}
			}
		}
	}
	return "", ""
}

// meets reports whether a scope lets a policy apply to an entity of the type.
func meets(scope ast.IsScopeNode, t types.EntityType) bool {
	switch s := scope.(type) {
	case ast.ScopeTypeIs:
		return s.Type == t
	case ast.ScopeTypeIsIn:
		return s.Type == t
	case ast.ScopeTypeEq:
		return s.Entity.Type == t
	case ast.ScopeTypeIn:
		switch s.Entity.Type {
		case typeGroup, typeRole:
			return t == typeUser || t == s.Entity.Type
		case typeProject:
			return t == typeProject || inProject(t)
		}
		return s.Entity.Type == t
	}
	return true
}

func (sl *Slice) mention(uid types.EntityUID) {
	switch uid.Type {
	case typeGroup:
		sl.groups = append(sl.groups, uid)
	case typeRole:
		sl.roles = append(sl.roles, uid)
	}
}

// concerns reports whether a policy's scope lets it apply to the action. The schema has no groups of actions, so
// "in" means the same as "==".
func concerns(p *ast.Policy, action types.EntityUID) bool {
	switch scope := p.Action.(type) {
	case ast.ScopeTypeEq:
		return scope.Entity == action
	case ast.ScopeTypeIn:
		return scope.Entity == action
	case ast.ScopeTypeInSet:
		return slices.Contains(scope.Entities, action)
	default:
		return true
	}
}
