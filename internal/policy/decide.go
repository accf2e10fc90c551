package policy

import (
	"fmt"
	"iter"
	"time"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// clockStep is how long a verdict stands that a policy took from the clock.
const clockStep = time.Second

// slice is the policies that one action can meet, with what they mention.
type slice struct {
	policies []rule
	groups   []groupMention
	roles    []roleMention
	clock    bool                      // a policy reads context.now
	targets  map[types.EntityType]bool // what the schema lets the action be asked for
}

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
func (s *slice) All() iter.Seq2[types.PolicyID, *cedar.Policy] {
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
	slice, ok := s.slices[in.Action]
	if !ok {
		return Verdict{Errors: []string{fmt.Sprintf("no policy knows the action %q", in.Action)}}
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
	if !slice.targets[v.resource.Type] { // the policies were checked for what the schema knows, and for nothing else
		return Verdict{Errors: []string{fmt.Sprintf("%s cannot be asked for a resource of kind %q", in.Action, in.Resource.Kind)}}
	}
	decision, diagnostic := cedar.Authorize(slice, &v, cedar.Request{
		Principal: v.principal,
		Action:    types.EntityUID{Type: typeAction, ID: types.String(in.Action)},
		Resource:  v.resource,
		Context:   s.context(slice, in),
	})
	var verdict Verdict
	if slice.clock {
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

func (s *Set) context(sl *slice, in Input) types.Record {
	session := in.Context.Session
	if session == "" {
		session = "none"
	}
	if !sl.clock {
		if r, ok := s.contexts[session]; ok {
			return r
		}
	}
	return types.NewRecord(types.RecordMap{"session": types.String(session), "now": types.NewDatetime(in.Now)})
}
