package policy

import (
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// one makes a policy a cedar.PolicyIterator.
type one struct {
	id     types.PolicyID
	policy *cedar.Policy
}

func (o one) All() iter.Seq2[types.PolicyID, *cedar.Policy] {
	return func(yield func(types.PolicyID, *cedar.Policy) bool) { yield(o.id, o.policy) }
}

// cedar reports whether a rule is true of the question, by Cedar's own evaluation.
func (v *view) cedar(r *rule) (bool, error) {
	_, diagnostic := cedar.Authorize(one{types.PolicyID(r.id), r.policy}, v, cedar.Request{
		Principal: v.principal,
		Action:    types.EntityUID{Type: typeAction, ID: types.String(v.in.Action)},
		Resource:  v.resource,
		Context:   v.context(),
	})
	if len(diagnostic.Errors) > 0 {
		return false, errors.New(diagnostic.Errors[0].Message)
	}
	return len(diagnostic.Reasons) > 0, nil
}

// context is the circumstances as Cedar sees them.
func (v *view) context() types.Record {
	if !v.recordKnown {
		v.record, v.recordKnown = v.in.Context.record(v.in.Now), true
	}
	return v.record
}

func (c Circumstances) record(now time.Time) types.Record {
	session := c.Session
	if session == "" {
		session = "none"
	}
	r := types.RecordMap{"session": types.String(session), "now": types.NewDatetime(now)}
	for name, text := range map[types.String]string{"agent": c.Agent, "strength": c.Strength, "class": c.Class} {
		if text != "" {
			r[name] = types.String(text)
		}
	}
	if c.IP.IsValid() {
		r["ip"] = addressOf(c.IP)
	}
	if !c.SignedIn.IsZero() {
		r["signedIn"] = types.NewDatetime(c.SignedIn)
	}
	var contexts []types.Value
	for one := range strings.FieldsSeq(c.Contexts) {
		contexts = append(contexts, types.String(one))
	}
	r["contexts"] = types.NewSet(contexts...)
	return types.NewRecord(r)
}

// Get implements types.EntityGetter: the facts as Cedar's entities, made when they are first looked at.
func (v *view) Get(uid types.EntityUID) (types.Entity, bool) {
	switch {
	case uid == v.principal:
		if v.asker == nil {
			e := v.party(uid)
			v.asker = &e
		}
		return *v.asker, true
	case uid == v.resource:
		if v.target == nil {
			e := v.thing(uid)
			v.target = &e
		}
		return *v.target, true
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
	for _, uid := range v.slice.roles {
		project, role := splitRole(uid)
		switch {
		case project == "" && v.facts.GlobalRole(user, role),
			project != "" && project != v.project && v.facts.ProjectRole(user, project).Includes(role):
			parents = append(parents, uid)
		}
	}
	for _, uid := range v.slice.groups {
		if v.facts.InGroup(user, identity.GroupID{Tenant: v.set.tenant, Object: string(uid.ID)}) {
			parents = append(parents, uid)
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
		if needs := v.sensitive(); needs != "" {
			attributes["sensitive"] = types.String(needs)
		}
	case typeEgress:
		host, port := hostAndPort(r.Name)
		attributes["host"], attributes["port"] = types.String(host), types.Long(port)
	case typeApp, typeRegistry:
		attributes["name"] = types.String(r.Name)
	case typeAudience:
		attributes["name"] = types.String(r.Name)
		if needs := v.sensitive(); needs != "" {
			attributes["sensitive"] = types.String(needs)
		}
	case typeWorkspace, typeGrant:
		if !r.Owner.IsZero() {
			attributes["owner"] = v.set.userUID(r.Owner)
		}
	default:
		return types.Entity{UID: uid}
	}
	attributes["project"] = types.String(v.projectName())
	addRoles(attributes, v.project)
	return types.Entity{
		UID:        uid,
		Parents:    types.NewEntityUIDSet(types.EntityUID{Type: typeProject, ID: types.String(v.project)}),
		Attributes: types.NewRecord(attributes),
	}
}

// hostAndPort are those of an egress, whose resource's name was made of them.
func hostAndPort(name string) (host string, port int64) {
	colon := strings.LastIndexByte(name, ':')
	if colon < 0 {
		return name, 0
	}
	port, _ = strconv.ParseInt(name[colon+1:], 10, 32) // 0 is no port
	return strings.Trim(name[:colon], "[]"), port
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
