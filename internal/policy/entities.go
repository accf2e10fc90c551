package policy

import (
	"strings"
	"time"

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
	typeAudience     types.EntityType = "Audience"
	typeWorkspace    types.EntityType = "Workspace"
	typeGrant        types.EntityType = "Grant"
	typeRegistry     types.EntityType = "Registry"
	typeEgress       types.EntityType = "Egress"
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
		return s.userUID(p.User)
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
	case identity.KindAudience:
		return typeAudience
	case identity.KindWorkspace:
		return typeWorkspace
	case identity.KindGrant:
		return typeGrant
	case identity.KindRegistry:
		return typeRegistry
	case identity.KindEgress:
		return typeEgress
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

// view is one question with what was learned on the way to its answer.
type view struct {
	set       *Set
	slice     *Slice
	in        Input
	facts     Facts
	project   identity.ProjectID // the resource's
	principal types.EntityUID
	resource  types.EntityUID
	until     int64     // when time will change the answer, in milliseconds; see never
	approved  time.Time // when the first approval ends that the answer rests on; zero for none
	room      [4]*rule  // for what is found

	role       Role // the principal's in the resource's project
	roleKnown  bool
	name       string // the project's
	nameKnown  bool
	needs      string // the authentication context of a sensitive resource
	needsKnown bool

	asker, target *types.Entity // for Cedar's own evaluation
	record        types.Record
	recordKnown   bool
}
