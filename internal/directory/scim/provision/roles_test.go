package provision_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// Each of Entra's three ways of mapping app roles gives what it says; of those that only add, the doctor says that they
// never take a role away.
func TestAppRoleMappings(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), members)
	w.graph(people(ada))
	path := "/scim/v2/Users/" + w.user("ada", ada)
	roles := func(op string, values ...string) object {
		list := []object{}
		for _, v := range values {
			if op == "Add" {
				v = `{"id":"06b07648-ecfe-589f-9d2f-6325724a46ee","value":"` + v + `","displayName":"D"}`
			}
			list = append(list, object{"value": v})
		}
		return patchOf(object{"op": op, "path": "roles", "value": list})
	}
	holds := func(what string, want ...string) {
		t.Helper()
		for _, role := range []string{"Lead", "Viewer"} {
			if got := w.directory.Snapshot().InGroup(userID(ada), identity.AppRole(tenant, role)); got != slices.Contains(want, role) {
				t.Errorf("%s: holds %s: %v", what, role, got)
			}
		}
	}
	w.want(200, "PATCH", path, roles("replace", "Lead", "Viewer"))
	holds("asserted", "Lead", "Viewer")
	w.want(200, "PATCH", path, roles("replace", "Viewer"))
	holds("asserted with one less", "Viewer")
	w.want(200, "PATCH", path, roles("Add", "Viewer", "Lead"))
	holds("added, all that there are", "Viewer", "Lead")
	if said := w.findings(); strings.Contains(said, "Assertive") {
		t.Errorf("nothing stayed: %s", said)
	}
	w.want(200, "PATCH", path, patchOf(object{"op": "Replace", "path": `roles[value eq "Lead"]`, "value": nil}))
	holds("taken away by name", "Viewer")
	w.want(200, "PATCH", path, roles("Add", "Lead"))
	holds("added, with another that stays", "Viewer", "Lead")
	if said := w.findings(); !strings.Contains(said, "AssertiveAppRoleAssignmentsComplex") {
		t.Errorf("a role stayed: %s", said)
	}
}
