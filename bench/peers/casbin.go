package main

import (
	"time"

	"github.com/casbin/casbin/v2"
	"github.com/casbin/casbin/v2/model"

	"github.com/lanyardhq/lanyard/bench/world"
	"github.com/lanyardhq/lanyard/internal/access"
)

// rbac is the world's meaning as a Casbin model: cheap comparisons stand first, since they decide most lines.
const rbac = `
[request_definition]
r = sub, project, act, session
[policy_definition]
p = sub, project, act, session, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.project == p.project && r.act == p.act && (p.session == "-" || p.session == r.session) && (p.sub == "-" || g(r.sub, p.sub))
`

func newCasbin(w *world.World, _ time.Time) (engine, error) {
	m, err := model.NewModelFromString(rbac)
	if err != nil {
		return nil, err
	}
	e, err := casbin.NewEnforcer(m)
	if err != nil {
		return nil, err
	}
	e.EnableAutoBuildRoleLinks(false)
	var lines [][]string
	orDash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	for _, p := range w.Projects {
		for _, g := range []string{p.Developers[0].Object, p.Developers[1].Object, p.Maintainer.Object} {
			lines = append(lines, []string{g, string(p.ID), "app:call", "-", "allow"})
		}
	}
	for _, r := range w.Rules {
		effect := "allow"
		if r.Forbid {
			effect = "deny"
		}
		lines = append(lines, []string{orDash(r.Group.Object), string(r.Project), string(r.Action), orDash(r.Session), effect})
	}
	if _, err := e.AddPolicies(lines); err != nil {
		return nil, err
	}
	var links [][]string
	for _, m := range w.Members {
		who := m.Member.User.Object
		if who == "" {
			who = m.Member.Group.Object
		}
		links = append(links, []string{who, m.Group.Object})
	}
	if _, err := e.AddGroupingPolicies(links); err != nil {
		return nil, err
	}
	if err := e.BuildRoleLinks(); err != nil {
		return nil, err
	}
	return func(q access.Request) (bool, error) {
		return e.Enforce(q.Principal.User.Object, string(q.Resource.Project), string(q.Action), "browser")
	}, nil
}
