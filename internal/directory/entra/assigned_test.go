package entra_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// TestAppRoleThatGoesAway: a role that is disabled, or has no value, or is there no more, is no group; its holders hold
// it again when it is back. Who is assigned without a role, and service principals, hold none.
func TestAppRoleThatGoesAway(t *testing.T) {
	f, config := newFakeGraph(t, 4)
	for range 40 {
		f.shake()
	}
	roles := ""
	f.fault = func(r *http.Request) http.HandlerFunc {
		switch {
		case strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo") && !r.URL.Query().Has("$skiptoken"):
			return status(200, "", fmt.Sprintf(`{"value":[{"principalId":"u1","principalType":"User","appRoleId":"R-1"},
				{"principalId":"s1","principalType":"ServicePrincipal","appRoleId":"r-1"}],"@odata.nextLink":"http://%s%s?$skiptoken=1"}`, r.Host, r.URL.Path))
		case strings.HasSuffix(r.URL.Path, "/appRoleAssignedTo"):
			return status(200, "", `{"value":[{"principalId":"U2","principalType":"User","appRoleId":"r-1"},
				{"principalId":"u3","principalType":"User","appRoleId":"00000000-0000-0000-0000-000000000000"},
				{"principalId":"g1","principalType":"Group","appRoleId":"r-2"}]}`)
		case strings.HasPrefix(r.URL.Path, "/v1.0/servicePrincipals"):
			return status(200, "", `{"id":"sp","appRoles":[`+roles+`]}`)
		}
		return nil
	}
	role := identity.AppRole(tenant, "Payments.Lead")
	h := open(t, newRows(), config)
	h.ready(t)
	for _, step := range []struct{ roles, holders string }{
		{`{"id":"r-1","value":"Payments.Lead","isEnabled":true}`, "u1 u2"},
		{`{"id":"r-1","value":"Payments.Lead","isEnabled":false}`, "none"},
		{`{"id":"r-1","value":"Payments.Lead","isEnabled":true},{"id":"r-2","value":"Payments.Lead","isEnabled":true}`, "g1 u1 u2"},
		{`{"id":"r-1","value":null,"isEnabled":true}`, "none"},
		{`{"id":"r-1","value":"Payments.Lead","isEnabled":true}`, "u1 u2"},
		{``, "none"},
	} {
		f.mu.Lock()
		roles = step.roles
		f.mu.Unlock()
		must(t, h.source.Sync(t.Context()))
		got := "none"
		if _, there := h.Snapshot().Group(role); there {
			got = strings.Join(membersOf(h.Snapshot(), role), " ")
		}
		if got != step.holders {
			t.Errorf("with the roles %s it is held by %s, want %s", step.roles, got, step.holders)
		}
	}
}
