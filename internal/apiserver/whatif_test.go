package apiserver

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
)

// preview reads files as the server does, over the sample's names.
func preview(_ context.Context, projects, policies map[string]string) (*project.Set, *policy.Set, error) {
	if projects == nil {
		projects = map[string]string{"payments.yaml": payments}
	}
	r := project.Revision{Number: 2, Projects: projects, Policies: policies}
	result, err := project.Parse(project.Input{Revision: r, Names: []project.Name{{Name: "payments", ID: projectID}}, Tenant: tenant,
		Global: map[project.Role][]source.Located{project.Auditor: {{Text: auditors.Object}}}})
	if err != nil {
		return nil, nil, err
	}
	set, err := project.ParsePolicies(tenant, r)
	return result.Set, set, err
}

func TestWhatIf(t *testing.T) {
	w := newWorld(t)
	_, lease, err := w.engine.Open(t.Context(), access.Request{Principal: person(ada), Action: identity.RepoRead,
		Resource: identity.Resource{Kind: identity.KindRepo, Name: apiURL, Project: projectID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.End()
	for name, q := range map[string]api.WhatIf{
		"leaves":   {Change: api.WhatIfRemove, User: "ada", Group: "payments-engineers"},
		"disabled": {Change: api.WhatIfDisable, User: "ada"},
		"files":    {Change: api.WhatIfConfig, Projects: map[string]string{"payments.yaml": "project: payments\nroles:\n  developer: [" + `"` + apiTeam.Object + `"` + "]\n"}},
	} {
		o, err := w.as(edith).WhatIf(t.Context(), q)
		if err != nil || !o.Valid || len(o.Gained) != 0 || !slices.Contains(o.Lost, api.Right{User: ada.String(), UserName: "Ada Lovelace", Project: "payments", Role: "developer"}) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		if len(o.Closes) != 1 || o.Closes[0].ID != string(lease.ID) || o.Closes[0].Reason == "" {
			t.Errorf("%s closes %+v", name, o.Closes)
		}
	}
	o, err := w.as(operator).WhatIf(t.Context(), api.WhatIf{Change: api.WhatIfAdd, User: "mallory", Group: viewers.Object})
	if err != nil || len(o.Gained) != 1 || o.Gained[0].Role != "viewer" || len(o.Lost)+len(o.Closes) != 0 {
		t.Errorf("joins: %+v, %v", o, err)
	}
	if !lease.Reason().IsZero() || !w.engine.May(lease.Request) {
		t.Error("supposing it made it so")
	}
	o, err = w.as(edith).WhatIf(t.Context(), api.WhatIf{Change: api.WhatIfConfig, Policies: map[string]string{"new.cedar": "\nforbid (principal, action == Action::\"repo:raed\", resource);"}})
	if err != nil || o.Valid || len(o.Findings) == 0 || o.Findings[0].File != "new.cedar" || o.Findings[0].Line != 2 {
		t.Errorf("a bad policy: %+v, %v", o, err)
	}

	for name, c := range map[string]struct {
		q      api.WhatIf
		status int
		says   string
	}{
		"nested":         {api.WhatIf{Change: api.WhatIfRemove, User: "barbara", Group: "payments-engineers"}, http.StatusConflict, "only through payments-api-team"},
		"not in it":      {api.WhatIf{Change: api.WhatIfRemove, User: "mallory", Group: "payments-engineers"}, http.StatusConflict, "is not in the group"},
		"no such user":   {api.WhatIf{Change: api.WhatIfDisable, User: "nobody"}, http.StatusNotFound, "no single user"},
		"no such group":  {api.WhatIf{Change: api.WhatIfAdd, User: "ada", Group: "nowhere"}, http.StatusNotFound, "no single group"},
		"no such change": {api.WhatIf{Change: "promote", User: "ada"}, http.StatusBadRequest, "not known"},
		"no files":       {api.WhatIf{Change: api.WhatIfConfig}, http.StatusBadRequest, "texts of the files"},
	} {
		if _, err := w.as(edith).WhatIf(t.Context(), c.q); status(err) != c.status || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, u := range []identity.UserID{ada, mallory} {
		if _, err := w.as(u).WhatIf(t.Context(), api.WhatIf{Change: api.WhatIfDisable, User: "linus"}); status(err) != http.StatusForbidden {
			t.Errorf("%s asks what if: %v", u, err)
		}
	}
	w.change(directory.Change{Users: []directory.User{{ID: edith, Name: "Edith Clarke"}}})
	if _, err := w.as(edith).WhatIf(t.Context(), api.WhatIf{Change: api.WhatIfDisable, User: "linus"}); status(err) != http.StatusForbidden {
		t.Errorf("a disabled auditor asks what if: %v", err)
	}
}
