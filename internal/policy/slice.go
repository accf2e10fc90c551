package policy

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Slice is the policies that one kind of question can meet: an action, a kind of resource, a kind of principal. It is
// immutable and stays the same value as long as its Set is.
type Slice struct {
	policies []rule
	groups   []groupMention
	roles    []roleMention
	reads    reads
	rests    Rests
}

// Rests says what a decision of a slice may rest on, beside the circumstances that Reads leaves, the principal's own
// groups, and the resource with its project and its roles.
type Rests struct {
	Clock     bool // context.now
	Others    bool // groups and roles of other users than the principal, or roles of other projects than the resource's
	Global    bool // the roles of the installation
	Approvals bool // the grants of the principal
}

// Slice finds the policies that a question can meet. It is nil where the schema does not let the action be asked for
// such a resource; Decide denies there. Who remembers a verdict remembers it for the slice, the principal's user, the
// resource, what Reads leaves of the circumstances, and the facts that Rests names; until Verdict.Until.
func (s *Set) Slice(action identity.Action, r identity.Resource, p identity.PrincipalKind) *Slice {
	return s.slices[sliceKey{action, resourceType(r.Kind), principalType(p)}]
}

// Reads is c without what no policy of the slice reads. Circumstances that it makes equal get the same verdict.
func (sl *Slice) Reads(c Circumstances) Circumstances { return sl.reads.only(c) }

// Rests says what else a verdict rests on.
func (sl *Slice) Rests() Rests { return sl.rests }

type sliceKey struct {
	action    identity.Action
	resource  types.EntityType
	principal types.EntityType
}

func newSlice(key sliceKey, rules []rule, tenant identity.TenantID) *Slice {
	sl := &Slice{}
	action := types.EntityUID{Type: typeAction, ID: types.String(key.action)}
	seen := map[types.EntityUID]bool{}
	for _, r := range rules {
		body := (*ast.Policy)(r.policy.AST())
		if !concerns(r.policy, action) || !meets(body.Principal, key.principal) || !meets(body.Resource, key.resource) {
			continue
		}
		sl.policies = append(sl.policies, r)
		sl.reads |= contextReads(body)
		sl.rests.Others = sl.rests.Others || readsOthers(body, key.resource)
		for _, m := range mentioned(body) {
			if !seen[m] {
				seen[m] = true
				sl.mention(m, tenant)
			}
		}
	}
	sl.rests.Clock = sl.reads&readsNow != 0
	return sl
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

// readsOthers reports whether a policy may ask for groups or roles of somebody else than the principal, such as the
// resource's owner or a user it names, or for attributes of something that it names.
func readsOthers(p *ast.Policy, resource types.EntityType) bool {
	found := false
	whose := func(n ast.IsNode) {
		v, ok := n.(ast.NodeTypeVariable)
		found = found || !ok || v.Name != "principal" && (v.Name != "resource" || resource == typeUser)
	}
	switch p.Resource.(type) {
	case ast.ScopeTypeIn, ast.ScopeTypeIsIn:
		found = resource == typeUser
	}
	for _, c := range p.Conditions {
		ast.Inspect(ast.NewNode(c.Body), func(n ast.IsNode) bool {
			switch n := n.(type) {
			case ast.NodeTypeIn:
				whose(n.Left)
			case ast.NodeTypeIsIn:
				whose(n.Left)
			case ast.NodeTypeAccess:
				found = found || !isVariable(n.Arg)
			case ast.NodeTypeHas:
				found = found || !isVariable(n.Arg)
			}
			return true
		})
	}
	return found
}

func isVariable(n ast.IsNode) bool {
	_, ok := n.(ast.NodeTypeVariable)
	return ok
}

func (sl *Slice) mention(uid types.EntityUID, tenant identity.TenantID) {
	switch uid.Type {
	case typeGroup:
		sl.groups = append(sl.groups, groupMention{uid, identity.GroupID{Tenant: tenant, Object: string(uid.ID)}})
	case typeRole:
		project, role, ok := strings.Cut(string(uid.ID), "/")
		if !ok {
			project, role = "", string(uid.ID)
		}
		sl.rests.Global = sl.rests.Global || project == ""
		sl.rests.Others = sl.rests.Others || project != ""
		sl.roles = append(sl.roles, roleMention{uid, identity.ProjectID(project), Role(role)})
	}
}

// concerns reports whether a policy's scope lets it apply to the action. The schema has no groups of actions, so
// "in" means the same as "==".
func concerns(p *cedar.Policy, action types.EntityUID) bool {
	switch scope := (*ast.Policy)(p.AST()).Action.(type) {
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
