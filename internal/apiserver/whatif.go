package apiserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	maxFiles    = 16 << 20 // bytes of projects and policies that a question may carry
	maxOutcomes = 5000     // of each list
)

// Preview reads files of projects and policies as they would be put in force, without doing so; nil stands for those
// that are in force. An error that is a source.Findings says what is wrong with them.
type Preview func(ctx context.Context, projects, policies map[string]string) (*project.Set, *policy.Set, error)

func (s *server) whatIfEndpoints() []endpoint {
	return []endpoint{{method: http.MethodPost, path: "/whatif", access: web.Asks(inBody), serve: s.under(everything, s.whatIf),
		in: api.WhatIf{}, out: api.Outcome{},
		says: "What a change would do, without making it: roles gained and lost, open accesses that would close. Takes the role auditor"}}
}

// everything chooses the right to have everybody's decisions explained.
func everything(*http.Request, identity.Principal) (identity.Action, identity.Resource, error) {
	return identity.DecisionExplain, identity.Installation(), nil
}

func (s *server) whatIf(w http.ResponseWriter, r *http.Request) error {
	var q api.WhatIf
	if err := readUpTo(r, &q, maxFiles); err != nil {
		return err
	}
	if q.Change == api.WhatIfConfig {
		return s.whatIfFiles(w, r, q)
	}
	if q.Projects != nil || q.Policies != nil {
		return problem.New(problem.Invalid, "Files belong to the change %q, not to %q.", api.WhatIfConfig, q.Change)
	}
	change, err := supposed(s.c.Access.Facts().Directory, q)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, outcome(s.c.Access.Facts(), nil, s.c.Access.WhatIf(func(f access.Facts) (access.Facts, access.Touched) {
		next, touched := f.Directory.With(change)
		f.Directory = next
		return f, access.Touched{All: touched.All, Users: touched.Users}
	})))
}

// supposed is a change of the directory. A membership that is there cannot be added, one that is not, not removed.
func supposed(d *directory.Snapshot, q api.WhatIf) (c directory.Change, err error) {
	user, ok := d.FindUser(q.User)
	if !ok {
		return c, problem.New(problem.NotFound, "There is no single user %q in the directory.", q.User)
	}
	if q.Change == api.WhatIfDisable {
		if q.Group != "" {
			return c, problem.New(problem.Invalid, "A user is disabled as a whole; leave the group out.")
		}
		off := *user
		off.Enabled = false
		c.Users = []directory.User{off}
		return c, nil
	}
	if q.Change != api.WhatIfAdd && q.Change != api.WhatIfRemove {
		return c, problem.New(problem.Invalid, "The change %q is not known; there are add, remove, disable and config.", q.Change)
	}
	group, ok := d.FindGroup(q.Group)
	if !ok {
		return c, problem.New(problem.NotFound, "There is no single group %q in the directory; give its object ID.", q.Group)
	}
	m := directory.Membership{Group: group.ID, Member: directory.Member{User: user.ID}, Removed: q.Change == api.WhatIfRemove}
	path := d.Path(user.ID, group.ID)
	switch {
	case q.Change == api.WhatIfRemove && path == nil:
		return c, problem.New(problem.Conflict, "%s is not in the group %s.", user.Name, group.Name)
	case q.Change == api.WhatIfRemove && len(path) > 1:
		within, _ := d.Group(path[0])
		return c, problem.New(problem.Conflict, "%s is in the group %s only through %s; it is there that they can be removed.", user.Name, group.Name, within.Name)
	}
	c.Members = []directory.Membership{m}
	return c, nil
}

// whatIfFiles compares other files of projects and policies with those in force.
func (s *server) whatIfFiles(w http.ResponseWriter, r *http.Request, q api.WhatIf) error {
	if q.User != "" || q.Group != "" {
		return problem.New(problem.Invalid, "The change %q is about files; leave user and group out.", api.WhatIfConfig)
	}
	if q.Projects == nil && q.Policies == nil {
		return problem.New(problem.Invalid, "Send projects, policies or both: the texts of the files by name.")
	}
	projects, policies, err := s.c.Preview(r.Context(), q.Projects, q.Policies)
	if wrong, ok := errors.AsType[source.Findings](err); ok {
		return answer(w, http.StatusOK, api.Outcome{Gained: []api.Right{}, Lost: []api.Right{}, Closes: []api.Lease{}, Findings: findings(wrong)})
	}
	if err != nil {
		return err
	}
	after := *s.c.Access.Facts()
	after.Projects = projects // for names: projects that are new
	o := outcome(&after, s.c.Access.Facts(), s.c.Access.WhatIf(func(f access.Facts) (access.Facts, access.Touched) {
		f.Projects, f.Policies = projects, policies
		return f, access.Touched{All: true}
	}))
	o.Findings = findings(projects.Findings())
	return answer(w, http.StatusOK, o)
}

// outcome says a difference in names. Projects are named as in f, or else as in other, which may be nil.
func outcome(f, other *access.Facts, d access.Difference) api.Outcome {
	o := api.Outcome{Valid: true, Closes: []api.Lease{}, Findings: []api.Finding{}}
	o.Gained, o.MoreGained = rights(f, other, d.Gained)
	o.Lost, o.MoreLost = rights(f, other, d.Lost)
	closing := d.Closing[:min(len(d.Closing), maxOutcomes)]
	o.MoreCloses = len(d.Closing) - len(closing)
	for _, c := range closing {
		x := leaseOf(f, c.Lease.ID, c.Lease.Request, c.Lease.Decision(), c.Lease.Opened)
		x.Until, x.Reason, x.Code = time.Time{}, c.Reason.Text, string(c.Reason.Code)
		o.Closes = append(o.Closes, x)
	}
	return o
}

func rights(f, other *access.Facts, all []access.Right) (list []api.Right, more int) {
	kept := all[:min(len(all), maxOutcomes)]
	list = []api.Right{}
	for _, r := range kept {
		x := api.Right{User: r.User.String(), UserName: userName(f, r.User), Role: string(r.Role)}
		if p, ok := f.Projects.Project(r.Project); ok {
			x.Project = p.Name
		} else if other != nil {
			p, _ := other.Projects.Project(r.Project)
			x.Project = p.Name
		}
		list = append(list, x)
	}
	return list, len(all) - len(kept)
}

func findings(all []source.Finding) []api.Finding {
	list := []api.Finding{}
	for _, f := range all {
		list = append(list, api.Finding{File: f.File, Line: f.Line, Column: f.Column, Message: f.Message})
	}
	return list
}
