package policy

import (
	"strings"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// The entity types of the schema.
const (
	typeAction       types.EntityType = "Action"
	typeUser         types.EntityType = "User"
	typeGroup        types.EntityType = "Group"
	typeRole         types.EntityType = "Role"
	typeService      types.EntityType = "Service"
	typeOperator     types.EntityType = "Operator"
	typeAnonymous    types.EntityType = "Anonymous"
	typeInstallation types.EntityType = "Installation"
	typeProject      types.EntityType = "Project"
	typeRepo         types.EntityType = "Repo"
	typeApp          types.EntityType = "App"
	typeWorkspace    types.EntityType = "Workspace"
	typeGrant        types.EntityType = "Grant"
)

// userUID names a user as policies do: by object ID within the installation's tenant. Whoever is of another tenant,
// or has an ID that could be read as such a name, goes by the full key and so equals nobody that a policy names.
func (s *Set) userUID(u identity.UserID) types.EntityUID {
	if u.Tenant == s.tenant && !strings.Contains(u.Object, "/") {
		return types.EntityUID{Type: typeUser, ID: types.String(u.Object)}
	}
	return types.EntityUID{Type: typeUser, ID: types.String(u.Key())}
}

func (s *Set) principalUID(p identity.Principal) types.EntityUID {
	switch p.Kind {
	case identity.Person, identity.AIAgent:
		if !p.User.IsZero() {
			return s.userUID(p.User)
		}
	case identity.Service:
		return types.EntityUID{Type: typeService, ID: types.String(p.Service)}
	case identity.Operator:
		return types.EntityUID{Type: typeOperator, ID: "operator"}
	}
	return types.EntityUID{Type: typeAnonymous, ID: "anonymous"}
}

func principalType(k identity.PrincipalKind) types.EntityType {
	switch k {
	case identity.Person, identity.AIAgent: // an AI agent appears as the user it acts for, with context.agent
		return typeUser
	case identity.Service:
		return typeService
	case identity.Operator:
		return typeOperator
	}
	return typeAnonymous
}

// resourceType is empty for what the schema does not know.
func resourceType(k identity.ResourceKind) types.EntityType {
	switch k {
	case identity.KindInstallation:
		return typeInstallation
	case identity.KindProject:
		return typeProject
	case identity.KindRepo:
		return typeRepo
	case identity.KindApp:
		return typeApp
	case identity.KindWorkspace:
		return typeWorkspace
	case identity.KindGrant:
		return typeGrant
	case identity.KindUser:
		return typeUser
	}
	return ""
}

func (s *Set) resourceUID(r identity.Resource) types.EntityUID {
	switch r.Kind {
	case identity.KindInstallation:
		return types.EntityUID{Type: typeInstallation, ID: "installation"}
	case identity.KindUser:
		return s.userUID(r.Owner)
	}
	return types.EntityUID{Type: resourceType(r.Kind), ID: types.String(r.Name)}
}

// view shows the facts to Cedar as entities, made when they are first looked at and for one question only.
type view struct {
	set       *Set
	slice     *Slice
	in        *Input
	facts     Facts
	project   identity.ProjectID // the resource's
	principal types.EntityUID
	resource  types.EntityUID
	asker     types.Entity // the principal, once made
	target    types.Entity // the resource, once made
	haveAsker bool
	haveThing bool
}

// Get implements types.EntityGetter.
func (v *view) Get(uid types.EntityUID) (types.Entity, bool) {
	switch {
	case uid == v.principal:
		if !v.haveAsker {
			v.asker, v.haveAsker = v.party(uid), true
		}
		return v.asker, true
	case uid == v.resource:
		if !v.haveThing {
			v.target, v.haveThing = v.thing(uid), true
		}
		return v.target, true
	case uid.Type == typeUser:
		return v.party(uid), true
	case uid.Type == typeProject:
		return v.projectEntity(uid), true
	default:
		return types.Entity{}, false // roles and groups have neither attributes nor parents
	}
}

// party is a user with the groups and roles that the policies at hand can ask for. Others have no parents.
func (v *view) party(uid types.EntityUID) types.Entity {
	if uid.Type != typeUser {
		return types.Entity{UID: uid}
	}
	user := v.userOf(uid)
	var room [8]types.EntityUID
	parents := room[:0]
	if v.project != "" {
		held := v.facts.ProjectRole(user, v.project)
		for _, r := range projectRoles {
			if held.Includes(r) {
				parents = append(parents, roleUID(v.project, r))
			}
		}
	}
	for _, m := range v.slice.roles {
		switch {
		case m.project == "" && v.facts.GlobalRole(user, m.role),
			m.project != "" && m.project != v.project && v.facts.ProjectRole(user, m.project).Includes(m.role):
			parents = append(parents, m.uid)
		}
	}
	for _, m := range v.slice.groups {
		if v.facts.InGroup(user, m.group) {
			parents = append(parents, m.uid)
		}
	}
	if len(parents) == 0 {
		return types.Entity{UID: uid}
	}
	return types.Entity{UID: uid, Parents: types.NewEntityUIDSet(parents...)}
}

func (v *view) userOf(uid types.EntityUID) identity.UserID {
	if p := v.in.Principal; !p.User.IsZero() && uid == v.principal {
		return p.User
	}
	if o := v.in.Resource.Owner; !o.IsZero() && uid == v.set.userUID(o) {
		return o
	}
	return identity.UserID{Tenant: v.set.tenant, Object: string(uid.ID)}
}

func roleUID(p identity.ProjectID, r Role) types.EntityUID {
	return types.EntityUID{Type: typeRole, ID: types.String(p) + "/" + types.String(r)}
}

// thing is what is asked for.
func (v *view) thing(uid types.EntityUID) types.Entity {
	r := v.in.Resource
	attributes := types.RecordMap{}
	switch uid.Type {
	case typeUser:
		return v.party(uid)
	case typeProject:
		return v.projectEntity(uid)
	case typeRepo:
		attributes["url"] = types.String(r.Name)
		if needs := v.facts.Sensitive(r); needs != "" {
			attributes["sensitive"] = types.String(needs)
		}
	case typeApp:
		attributes["name"] = types.String(r.Name)
	case typeWorkspace, typeGrant:
		if !r.Owner.IsZero() {
			attributes["owner"] = v.set.userUID(r.Owner)
		}
	default:
		return types.Entity{UID: uid}
	}
	attributes["project"] = types.String(v.facts.ProjectName(v.project))
	addRoles(attributes, v.project)
	return types.Entity{
		UID:        uid,
		Parents:    types.NewEntityUIDSet(types.EntityUID{Type: typeProject, ID: types.String(v.project)}),
		Attributes: types.NewRecord(attributes),
	}
}

func (v *view) projectEntity(uid types.EntityUID) types.Entity {
	id := identity.ProjectID(uid.ID)
	attributes := types.RecordMap{"name": types.String(v.facts.ProjectName(id))}
	addRoles(attributes, id)
	return types.Entity{UID: uid, Attributes: types.NewRecord(attributes)}
}

func addRoles(attributes types.RecordMap, p identity.ProjectID) {
	attributes["viewers"] = roleUID(p, Viewer)
	attributes["developers"] = roleUID(p, Developer)
	attributes["maintainers"] = roleUID(p, Maintainer)
}
