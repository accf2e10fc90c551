package policy

import (
	"fmt"
	"strings"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// party is an entity of a condition.
type party struct {
	eval func(*view) (types.EntityUID, error)
	kind types.EntityType
	sure bool                                // eval does not fail
	user func(*view) (identity.UserID, bool) // for a user of the request; false when missing
	asks bool                                // it is the principal
	role Role                                // for a role of the resource's project
	uid  types.EntityUID                     // for one that the policy names
}

func (c compiler) entity(n ast.IsNode) (party, bool) {
	switch n := n.(type) {
	case ast.NodeValue:
		uid, ok := n.Value.(types.EntityUID)
		return party{kind: uid.Type, uid: uid, sure: true, eval: func(*view) (types.EntityUID, error) { return uid, nil }}, ok
	case ast.NodeTypeVariable:
		switch n.Name {
		case "principal":
			p := party{kind: c.key.principal, sure: true, asks: true, eval: func(v *view) (types.EntityUID, error) { return v.principal, nil }}
			if p.kind == typeUser {
				p.user = func(v *view) (identity.UserID, bool) { return v.in.Principal.User, true }
			}
			return p, true
		case "resource":
			p := party{kind: c.key.resource, sure: true, eval: func(v *view) (types.EntityUID, error) { return v.resource, nil }}
			if p.kind == typeUser {
				p.user = owner
			}
			return p, true
		}
	case ast.NodeTypeAccess:
		if !isNamed(n.Arg, "resource") {
			return party{}, false
		}
		if n.Value == "owner" && (c.key.resource == typeWorkspace || c.key.resource == typeGrant) {
			return party{kind: typeUser, user: owner, eval: func(v *view) (types.EntityUID, error) {
				if v.in.Resource.Owner.IsZero() {
					return types.EntityUID{}, v.missing("owner")
				}
				return v.set.userUID(v.in.Resource.Owner), nil
			}}, true
		}
		if role := roleAttribute(string(n.Value)); role != NoRole && inProject(c.key.resource) {
			return party{kind: typeRole, role: role, sure: true, eval: func(v *view) (types.EntityUID, error) {
				return roleUID(v.project, role), nil
			}}, true
		}
	}
	return party{}, false
}

func owner(v *view) (identity.UserID, bool) {
	return v.in.Resource.Owner, v.in.Resource.Kind == identity.KindUser || !v.in.Resource.Owner.IsZero()
}

func roleAttribute(name string) Role {
	switch name {
	case "viewers":
		return Viewer
	case "developers":
		return Developer
	case "maintainers":
		return Maintainer
	}
	return NoRole
}

// inProject reports whether entities of the type have the attributes of their project's roles.
func inProject(t types.EntityType) bool {
	return t == typeProject || t == typeRepo || t == typeApp || t == typeRegistry || t == typeEgress || t == typeAudience || t == typeWorkspace || t == typeGrant
}

func isNamed(n ast.IsNode, variable types.String) bool {
	v, ok := n.(ast.NodeTypeVariable)
	return ok && v.Name == variable
}

// missing is the error of an attribute that the resource should have.
func (v *view) missing(attribute string) error {
	return fmt.Errorf("%s has no attribute `%s`", v.resource, attribute)
}

// kind compiles `left is Type`.
func (c compiler) kind(left ast.IsNode, t types.EntityType) (test, bool) {
	p, ok := c.entity(left)
	if !ok {
		return test{}, false
	}
	if p.sure {
		return always(p.kind == t), true
	}
	return test{eval: func(v *view) (bool, error) {
		_, err := p.eval(v)
		return err == nil && p.kind == t, err
	}}, true
}

func (c compiler) kindWithin(left ast.IsNode, t types.EntityType, right ast.IsNode) (test, bool) {
	is, ok := c.kind(left, t)
	if !ok || is.is(false) {
		return is, ok
	}
	in, ok := c.within(left, right)
	return and(is, in), ok
}

// within compiles `left in right`.
func (c compiler) within(left, right ast.IsNode) (test, bool) {
	p, ok := c.entity(left)
	if !ok {
		return test{}, false
	}
	if literal, ok := right.(ast.NodeTypeSet); ok {
		return c.withinAny(p, literal.Elements)
	}
	if literal, ok := right.(ast.NodeValue); ok {
		if set, ok := literal.Value.(types.Set); ok {
			var elements []ast.IsNode
			for one := range set.All() {
				elements = append(elements, ast.NodeValue{Value: one})
			}
			return c.withinAny(p, elements)
		}
	}
	of, ok := c.entity(right)
	if !ok {
		return test{}, false
	}
	return c.member(p, of), true
}

func (c compiler) withinAny(p party, elements []ast.IsNode) (test, bool) {
	among := always(false)
	for _, e := range elements {
		of, ok := c.entity(e)
		if !ok || !of.sure { // all elements are evaluated before any is compared
			return test{}, false
		}
		among = or(among, c.member(p, of))
	}
	if len(elements) == 0 && !p.sure {
		return test{}, false
	}
	return among, true
}

// member compiles whether p is of, or below it.
func (c compiler) member(p, of party) test {
	if p.user != nil && of.sure {
		if below := c.userIn(p, of); below != nil {
			return test{eval: func(v *view) (bool, error) {
				u, ok := p.user(v)
				if !ok {
					return false, v.missing("owner")
				}
				return below(v, u), nil
			}}
		}
	}
	if p.sure && of.sure && p.kind != of.kind && !(of.kind == typeProject && inProject(p.kind)) && p.kind != typeUser {
		return always(false)
	}
	return test{eval: func(v *view) (bool, error) {
		a, err := p.eval(v)
		if err != nil {
			return false, err
		}
		b, err := of.eval(v)
		if err != nil {
			return false, err
		}
		return v.below(a, b), nil
	}}
}

// userIn asks the facts whether a user of the request is in a group or holds a role; nil for other questions.
func (c compiler) userIn(p, of party) func(*view, identity.UserID) bool {
	switch {
	case of.role != NoRole && p.asks:
		return func(v *view, _ identity.UserID) bool { return v.heldRole().Includes(of.role) }
	case of.role != NoRole:
		return func(v *view, u identity.UserID) bool {
			return v.project != "" && v.facts.ProjectRole(u, v.project).Includes(of.role)
		}
	case of.uid.Type == typeGroup:
		object := string(of.uid.ID)
		return func(v *view, u identity.UserID) bool {
			return v.facts.InGroup(u, identity.GroupID{Tenant: v.set.tenant, Object: object})
		}
	case of.uid.Type == typeRole:
		project, role := splitRole(of.uid)
		if project == "" {
			return func(v *view, u identity.UserID) bool { return v.facts.GlobalRole(u, role) }
		}
		return func(v *view, u identity.UserID) bool { return v.facts.ProjectRole(u, project).Includes(role) }
	}
	return nil
}

// splitRole reads a role's entity; project is empty for a role of the installation.
func splitRole(uid types.EntityUID) (identity.ProjectID, Role) {
	project, role, ok := strings.Cut(string(uid.ID), "/")
	if !ok {
		return "", Role(uid.ID)
	}
	return identity.ProjectID(project), Role(role)
}

// heldRole is the principal's role in the resource's project.
func (v *view) heldRole() Role {
	if !v.roleKnown {
		if v.project != "" {
			v.role = v.facts.ProjectRole(v.in.Principal.User, v.project)
		}
		v.roleKnown = true
	}
	return v.role
}

// below is Cedar's `a in b` for any two entities.
func (v *view) below(a, b types.EntityUID) bool {
	if a == b {
		return true
	}
	switch {
	case a.Type == typeUser && b.Type == typeGroup:
		return v.facts.InGroup(v.userOf(a), identity.GroupID{Tenant: v.set.tenant, Object: string(b.ID)})
	case a.Type == typeUser && b.Type == typeRole:
		project, role := splitRole(b)
		if project == "" {
			return v.facts.GlobalRole(v.userOf(a), role)
		}
		return v.facts.ProjectRole(v.userOf(a), project).Includes(role)
	case a == v.resource && b.Type == typeProject && a.Type != typeProject && inProject(a.Type):
		return string(b.ID) == string(v.project)
	}
	return false
}
