package projects

import (
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

// A group that appears makes a project; one that goes away closes it, and what was open with it; its workspace is kept.
// Another group of its name is no way in. The same group coming back brings the project back.
func TestProjectsFollowGroups(t *testing.T) {
	t.Parallel()
	w := harness.StartOn(t, func(data string) {
		write(t, data, "projects", "shop.yaml", "project: spare\n")
		write(t, data, "from-groups.yaml", "projects: {store: {repositories: [{url: '"+web+"', credential: {entra: '"+entrasim.ContosoGitAppID+"/.default'}}]}}\n")
	}, "--keep", "720h")
	tenant := w.Tenant()
	ada, mallory := tenant.User("ada"), tenant.User("mallory")
	group := tenant.CreateGroup("ws-store-developer", ada)
	tenant.Assign(group, "")
	w.Eventually("the project is there", func() bool { p, _ := project(w, "store"); return p.FromGroups && len(p.Roles) == 1 })
	made, _ := project(w, "store")
	ws := w.Workspace("ada", web)
	term := w.Terminal("ada", ws)

	tenant.Rename(group, "ws-warehouse-developer")
	closes(t, term, "project store is closed", "is now called")
	w.Eventually("the workspace is stopped and kept", func() bool {
		row, err := w.Operator.Workspace(w.Context(), ws.ID)
		return err == nil && row.Phase == "stopped"
	})
	w.Eventually("the closing is in the log", func() bool { return logged(w, "project:closed", "is now called") })

	thief := tenant.CreateGroup("ws-store-developer", mallory)
	tenant.Assign(thief, "")
	w.Eventually("the other group is reported", func() bool {
		p, found := project(w, "store")
		return p.Closed != "" && len(p.Roles) == 0 && contains(found, thief, "is closed and kept")
	})
	if _, err := w.As("mallory").CreateWorkspace(w.Context(), order(web)); err == nil {
		t.Error("another group of the project's name took it over")
	}

	tenant.Rename(thief, "nothing")
	tenant.Rename(group, "ws-store-developer")
	w.Eventually("the project is back", func() bool { p, _ := project(w, "store"); return p.Closed == "" && p.ID == made.ID })
	if _, err := w.As("ada").StartWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the workspace runs again", func() bool {
		row, err := w.Operator.Workspace(w.Context(), ws.ID)
		return err == nil && row.Phase == "running"
	})

	w.Again("--keep", "2s")
	tenant = w.Tenant()
	tenant.DeleteGroup(group)
	w.Eventually("the project is forgotten with its workspace", func() bool {
		p, _ := project(w, "store")
		_, err := w.Operator.Workspace(w.Context(), ws.ID)
		return p.Name == "" && err != nil
	})
	w.Eventually("that is in the log", func() bool {
		return logged(w, "project:forgotten", "was closed") && logged(w, "workspace:delete", "it was kept for 2s")
	})
}

// Who is assigned an app role holds what a project's file gives to it, and why says so.
func TestAppRoles(t *testing.T) {
	t.Parallel()
	w := harness.StartOn(t, func(data string) {
		write(t, data, "projects", "shop.yaml", "project: shop\nroles: {maintainer: ['app-role:Payments.Lead']}\nrepositories: [{url: '"+web+"'}]\n")
	})
	tenant := w.Tenant()
	assignment := tenant.Assign(tenant.User("mallory"), "")
	tenant.Unassign(assignment)
	tenant.Assign(tenant.User("mallory"), leadRole)
	w.Eventually("the app role counts", func() bool {
		why, err := w.Operator.Why(w.Context(), "repo:write", web, "mallory")
		return err == nil && why.Decision == "allow" && why.Role == "maintainer" && why.Via == "app role Payments.Lead"
	})
	said := w.Lanyard("why", "repo:write", web, "--user", "mallory")
	if !contains(said.Out, "they hold the app role Payments.Lead", "maintainer") {
		t.Errorf("why says:\n%s", said.Out)
	}
	if said := w.Lanyard("directory", "show", "mallory"); !contains(said.Out, "app role Payments.Lead", "app-role:Payments.Lead", "maintainer") {
		t.Errorf("directory show says:\n%s%s", said.Out, said.Err)
	}
	if said := w.Lanyard("directory", "status"); !contains(said.Out, "Microsoft Graph", "fresh", "1 app roles") {
		t.Errorf("directory status says:\n%s%s", said.Out, said.Err)
	}
}
