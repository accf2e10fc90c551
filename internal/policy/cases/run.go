package cases

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/source"
)

// Report is what a run found.
type Report struct {
	Cases    int             // cases played; one with three actions and two people counts six
	Failures source.Findings // with the place of the case
	Rules    []Covered       // every policy, in the order of the files
}

// Covered says what the cases showed of one policy.
type Covered struct {
	policy.Rule
	Held    int // questions of which its condition was true
	Decided int // questions that it decided: it stands among the verdict's policies
}

// Missing are the policies that never decided a question.
func (r Report) Missing() []Covered {
	return slices.DeleteFunc(slices.Clone(r.Rules), func(c Covered) bool { return c.Decided > 0 })
}

// Run plays all cases against the policies.
func Run(set *policy.Set, files []*File) Report {
	var r Report
	at := map[string]int{}
	for i, rule := range set.Rules() {
		r.Rules = append(r.Rules, Covered{Rule: rule})
		at[rule.ID] = i
	}
	for _, f := range files {
		for i := range f.cases {
			c := &f.cases[i]
			for _, id := range c.unknown(at) {
				r.Failures = append(r.Failures, c.finding(fmt.Sprintf("%s: there is no policy %q", c.Name, id)))
			}
			for _, who := range c.askers {
				for _, action := range c.actions {
					r.Cases++
					in := policy.Input{Principal: who.principal, Action: action, Resource: c.resource, Context: c.context, Now: c.now}
					in.Context.Agent = who.principal.Agent
					verdict := set.Watch(in, world{f, c}, func(id string, held bool) {
						if held {
							r.Rules[at[id]].Held++
						}
					})
					for _, id := range verdict.Policies {
						r.Rules[at[id]].Decided++
					}
					if wrong := c.compare(verdict); wrong != "" {
						r.Failures = append(r.Failures, c.finding(fmt.Sprintf("%s: %s %s: %s", c.Name, who.name, action, wrong)))
					}
				}
			}
		}
	}
	return r
}

func (c *Case) unknown(known map[string]int) []string {
	if c.policies == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(*c.policies), func(id string) bool { _, ok := known[id]; return ok })
}

// compare says how a verdict differs from what the case wants; empty when it does not.
func (c *Case) compare(v policy.Verdict) string {
	if len(v.Errors) > 0 && c.expect == Deny && c.policies == nil {
		return "denied because a policy failed: " + strings.Join(v.Errors, "; ")
	}
	got := of(v)
	told := string(got)
	switch got {
	case StepUp:
		told += " with " + v.StepUp
	case Request:
		told += " to group " + v.Approval.Object
	}
	by := " by no policy"
	if len(v.Policies) > 0 {
		by = " by " + strings.Join(v.Policies, ", ")
	}
	if len(v.Errors) > 0 {
		by = " because a policy failed: " + strings.Join(v.Errors, "; ")
	}
	wants := string(c.expect)
	switch {
	case c.stepUp != "":
		wants += " with " + c.stepUp
	case c.approval != "":
		wants += " to group " + c.approval
	}
	different := got != c.expect || c.stepUp != "" && v.StepUp != c.stepUp || c.approval != "" && v.Approval.Object != c.approval
	if c.policies != nil && !sameElements(*c.policies, v.Policies) {
		different = true
		wants += " by " + strings.Join(*c.policies, ", ")
		if len(*c.policies) == 0 {
			wants += "no policy"
		}
	}
	if !different {
		return ""
	}
	return "wanted " + wants + ", got " + told + by
}

func sameElements(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}
