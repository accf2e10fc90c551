package policy

import (
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// clockStep is how long a verdict stands that a policy took from the clock.
const clockStep = time.Second

type rule struct {
	id     types.PolicyID
	policy *cedar.Policy
}

type groupMention struct {
	uid   types.EntityUID
	group identity.GroupID
}

type roleMention struct {
	uid     types.EntityUID
	project identity.ProjectID // empty for a role of the installation
	role    Role
}

// All makes a slice a cedar.PolicyIterator.
func (s *Slice) All() iter.Seq2[types.PolicyID, *cedar.Policy] {
	return func(yield func(types.PolicyID, *cedar.Policy) bool) {
		for i := range s.policies {
			if !yield(s.policies[i].id, s.policies[i].policy) {
				return
			}
		}
	}
}

// Decide answers in from the facts. What is not permitted is denied; so is what cannot be evaluated.
func (s *Set) Decide(in Input, facts Facts) Verdict {
	slice := s.Slice(in.Action, in.Resource, in.Principal.Kind)
	if slice == nil { // the policies were checked for what the schema knows, and for nothing else
		if !s.actions[in.Action] {
			return Verdict{Errors: []string{fmt.Sprintf("no policy knows the action %q", in.Action)}}
		}
		return Verdict{Errors: []string{fmt.Sprintf("%s cannot be asked for a resource of kind %q", in.Action, in.Resource.Kind)}}
	}
	v := view{set: s, slice: slice, in: &in, facts: facts, project: in.Resource.Project}
	v.principal = s.principalUID(in.Principal)
	v.resource = s.resourceUID(in.Resource)
	if in.Resource.Kind == identity.KindProject {
		if v.project == "" {
			v.project = identity.ProjectID(in.Resource.Name)
		} else if string(v.project) != in.Resource.Name {
			return Verdict{Errors: []string{fmt.Sprintf("the project %s was asked for as a part of %s", in.Resource.Name, v.project)}}
		}
	}
	decision, diagnostic := cedar.Authorize(slice, &v, cedar.Request{
		Principal: v.principal,
		Action:    types.EntityUID{Type: typeAction, ID: types.String(in.Action)},
		Resource:  v.resource,
		Context:   in.Context.record(in.Now),
	})
	var verdict Verdict
	if slice.rests.Clock {
		verdict.Until = in.Now.Add(clockStep)
	}
	for _, e := range diagnostic.Errors {
		verdict.Errors = append(verdict.Errors, fmt.Sprintf("policy %s (%s:%d): %s", e.PolicyID, e.Position.Filename, e.Position.Line, e.Message))
	}
	if len(verdict.Errors) > 0 {
		return verdict
	}
	verdict.Allow = decision == cedar.Allow
	for _, r := range diagnostic.Reasons {
		verdict.Policies = append(verdict.Policies, string(r.PolicyID))
	}
	return verdict
}

// record is the circumstances as policies see them.
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
		r["ip"] = types.IPAddr(netip.PrefixFrom(c.IP.Unmap().WithZone(""), c.IP.Unmap().BitLen()))
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
