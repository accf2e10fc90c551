package policy

import (
	"slices"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Slice is the policies that one kind of question can meet: an action, a kind of resource, a kind of principal. It is
// immutable and stays the same value as long as its Set is.
type Slice struct {
	rules     []sliced
	byProject map[identity.ProjectID][]sliced // those that name one project, by its ID; nil when there are none
	byName    map[string][]sliced             // by its name
	byThing   map[types.EntityUID][]sliced    // those about one resource
	grouped   []sliced                        // the others whose principal is in one group
	byGroup   map[string][]sliced             // the same by the group's object ID; nil when there are few
	groups    []types.EntityUID               // that policies name
	roles     []types.EntityUID
	reads     reads
}

// rule is a policy with all that is known of it.
type rule struct {
	id     string
	alone  []string // the ID as a list
	number int      // its place among all
	file   string
	line   int
	forbid bool
	lift   lift
	policy *cedar.Policy
	body   *ast.Policy
	names  []types.EntityUID // entities that it mentions
	reads  reads
}

// sliced is a rule as one slice evaluates it.
type sliced struct {
	*rule
	compiled bool // by test; otherwise Cedar evaluates it
	test     test
	clock    bool // it reads the clock in a way that only Cedar knows
}

// Slice finds the policies that a question can meet. It is nil where the schema does not let the action be asked for
// such a resource; Decide denies there. Who remembers a verdict remembers it for the slice, the principal, the resource,
// what Reads leaves of the circumstances, and the facts that were asked for; until Verdict.Until.
func (s *Set) Slice(action identity.Action, r identity.Resource, p identity.PrincipalKind) *Slice {
	of := s.slices[action]
	if of == nil {
		return nil
	}
	one := of[place(resourceType(r.Kind))][place(principalType(p))]
	if one == nil {
		return nil
	}
	one.once.Do(func() { one.slice = newSlice(one.key, s.all) })
	return one.slice
}

// Reads is c without what no policy of the slice reads. Circumstances that it makes equal get the same verdict.
func (sl *Slice) Reads(c Circumstances) Circumstances { return sl.reads.only(c) }

type sliceKey struct {
	action    identity.Action
	resource  types.EntityType
	principal types.EntityType
}

// sliceTable holds the slices of one action, by the places of resource and principal.
type sliceTable [places][places]*lazySlice

// lazySlice is made when it is first asked for: most questions are never asked.
type lazySlice struct {
	key   sliceKey
	once  sync.Once
	slice *Slice
}

const places = 12

// place is the row or column of an entity type; 0 for what is neither asked for nor asks.
func place(t types.EntityType) int {
	switch t {
	case typeUser:
		return 1
	case typeOperator:
		return 2
	case typeAnonymous:
		return 3
	case typeService:
		return 4
	case typeRepo:
		return 5
	case typeApp:
		return 6
	case typeWorkspace:
		return 7
	case typeProject:
		return 8
	case typeInstallation:
		return 9
	case typeGrant:
		return 10
	}
	return 0
}

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
			return t == typeProject || t == typeRepo || t == typeApp || t == typeWorkspace || t == typeGrant
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
