package policy

import (
	"fmt"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// clockStep is how long a verdict stands that Cedar's own evaluation took from the clock: it does not say when the
// answer changes.
const clockStep = time.Second

// Decide answers in from the facts. What is not permitted is denied; so is what cannot be evaluated.
func (s *Set) Decide(in Input, facts Facts) Verdict {
	v, verdict := s.view(in, facts)
	if v == nil {
		return verdict
	}
	return v.decide(nil)
}

// Watch decides as Decide does, and tells of every policy that it looked at whether its condition held.
func (s *Set) Watch(in Input, facts Facts, seen func(id string, held bool)) Verdict {
	v, verdict := s.view(in, facts)
	if v == nil {
		return verdict
	}
	return v.decide(func(r *rule, held bool) { seen(r.id, held) })
}

// view prepares a question. It is nil, and the verdict a denial, where the schema does not know such a question.
func (s *Set) view(in Input, facts Facts) (*view, Verdict) {
	if in.Principal.User.IsZero() && principalType(in.Principal.Kind) == typeUser {
		return nil, Verdict{Errors: []string{"who asks has no ID"}}
	}
	slice := s.Slice(in.Action, in.Resource, in.Principal.Kind)
	if slice == nil { // the policies were checked for what the schema knows, and for nothing else
		if s.slices[in.Action] == nil {
			return nil, Verdict{Errors: []string{fmt.Sprintf("no policy knows the action %q", in.Action)}}
		}
		return nil, Verdict{Errors: []string{fmt.Sprintf("%s cannot be asked for a resource of kind %q", in.Action, in.Resource.Kind)}}
	}
	project := in.Resource.Project
	if in.Resource.Kind == identity.KindProject {
		if project == "" {
			project = identity.ProjectID(in.Resource.Name)
		} else if string(project) != in.Resource.Name {
			return nil, Verdict{Errors: []string{fmt.Sprintf("the project %s was asked for as a part of %s", in.Resource.Name, project)}}
		}
	}
	return &view{set: s, slice: slice, in: in, facts: facts, project: project, until: never,
		principal: s.principalUID(in.Principal), resource: s.resourceUID(in.Resource)}, Verdict{}
}

// found are the rules that are true of a question, and what failed.
type found struct {
	permits, forbids []*rule
	errors           []string
}

// decide evaluates all policies that the question can meet. It does not stop at the first: one that fails denies,
// wherever it stands. watch, when set, is told of every rule whether it was true.
func (v *view) decide(watch func(*rule, bool)) Verdict {
	f := found{permits: v.room[:0:2], forbids: v.room[2:2]}
	v.each(v.slice.rules, &f, watch)
	if v.slice.byProject != nil {
		v.each(v.slice.byProject[v.project], &f, watch)
	}
	if v.slice.byName != nil {
		v.each(v.slice.byName[v.projectName()], &f, watch)
	}
	if v.slice.byThing != nil {
		v.each(v.slice.byThing[v.resource], &f, watch)
	}
	if v.slice.byGroup != nil {
		v.eachOfGroups(&f, watch)
	}
	verdict := v.verdict(&f)
	verdict.Until = v.approved
	if v.until != never {
		if at := time.UnixMilli(v.until).UTC(); v.approved.IsZero() || at.Before(v.approved) {
			verdict.Until = at
		}
	}
	return verdict
}

// eachOfGroups looks at the policies of the groups that the user is in. For who is in more groups than there are
// policies, it is shorter to ask each.
func (v *view) eachOfGroups(f *found, watch func(*rule, bool)) {
	groups := v.facts.Groups(v.in.Principal.User)
	if len(groups) > len(v.slice.grouped) {
		v.each(v.slice.grouped, f, watch)
		return
	}
	for _, g := range groups {
		if g.Tenant == v.set.tenant {
			v.each(v.slice.byGroup[g.Object], f, watch)
		}
	}
}

func (v *view) each(rules []sliced, f *found, watch func(*rule, bool)) {
	for i := range rules {
		r := &rules[i]
		is, err := r.holds(v)
		if err != nil {
			f.errors = append(f.errors, fmt.Sprintf("policy %s (%s:%d): %s", r.id, r.file, r.line, err))
			continue
		}
		if watch != nil {
			watch(r.rule, is)
		}
		switch {
		case !is:
		case r.forbid:
			f.forbids = append(f.forbids, r.rule)
		default:
			f.permits = append(f.permits, r.rule)
		}
	}
}

// verdict weighs what was found. A forbid that an approval lifts is as if it were not there.
func (v *view) verdict(f *found) Verdict {
	if len(f.errors) > 0 {
		return Verdict{Errors: f.errors}
	}
	if len(f.forbids) == 0 {
		return Verdict{Allow: len(f.permits) > 0, Policies: names(f.permits)}
	}
	hard := false
	var verdict Verdict
	standing := f.forbids[:0]
	for _, r := range f.forbids {
		switch {
		case r.lift.approval != "" && principalType(v.in.Principal.Kind) == typeUser:
			group := identity.GroupID{Tenant: v.set.tenant, Object: r.lift.approval}
			if until, ok := v.facts.Approved(v.in.Principal.User, v.in.Action, v.in.Resource, group); ok {
				if v.approved.IsZero() || until.Before(v.approved) {
					v.approved = until
				}
				continue
			}
			if verdict.Approval.IsZero() {
				verdict.Approval = group
			}
		case r.lift.stepsUp() && principalType(v.in.Principal.Kind) == typeUser:
			if verdict.StepUp == "" {
				verdict.StepUp = r.lift.context(v)
			}
		default:
			hard = true
		}
		standing = append(standing, r)
	}
	if len(standing) == 0 {
		return Verdict{Allow: len(f.permits) > 0, Policies: names(f.permits)}
	}
	if hard || len(f.permits) == 0 {
		verdict = Verdict{}
	}
	verdict.Policies = names(standing)
	return verdict
}

// names lists rules in the order in which they were written.
func names(rules []*rule) []string {
	switch len(rules) {
	case 0:
		return nil
	case 1:
		return rules[0].alone
	}
	slices.SortFunc(rules, func(a, b *rule) int { return a.number - b.number })
	out := make([]string, len(rules))
	for i, r := range rules {
		out[i] = r.id
	}
	return out
}

// holds reports whether a rule is true of the question.
func (r *sliced) holds(v *view) (bool, error) {
	if r.compiled {
		return r.test.ask(v)
	}
	if r.clock {
		v.changes(v.in.Now.Add(clockStep).UnixMilli())
	}
	return v.cedar(r.rule)
}
