package doctor

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestFaults plants one fault after the other in a sound installation. Each is found, with what to do, and when it was
// mended nothing is found any more.
func TestFaults(t *testing.T) {
	w := newWorld(t, time.Now().AddDate(0, 0, 3), "lanyard.localhost")
	for _, fault := range []struct {
		name  string
		code  string // of the finding
		says  string
		plant func() (mend func())
	}{
		{"the site's certificate ends in three days, and is not for workspaces", "outside-ends", "expires at", func() func() { // it began with that
			if found := w.finds("outside-tls-name"); !strings.Contains(found.Says, "doctor.work.localhost") || !strings.Contains(found.Says, "it is for lanyard.localhost") {
				t.Errorf("it says %q", found.Says)
			}
			return func() { w.site(time.Now().AddDate(0, 3, 0), allHosts...) }
		}},
		{"the client secret is another", "credential-refused", "AADSTS7000215", func() func() {
			w.write("keys/client-secret", []byte("Wrong~secret"))
			return func() { w.write("keys/client-secret", []byte(secret)) }
		}},
		{"the client secret ends in three days", "credential-ends", "client secret", func() func() {
			made, err := w.tenant.AddSecret(entrasim.LanyardAppID, "short", 72*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			w.write("keys/client-secret", []byte(made.Value))
			return func() { w.write("keys/client-secret", []byte(secret)) }
		}},
		{"the certificate was taken from the app registration", "credential-refused", "AADSTS700027", func() func() {
			path := filepath.Join(w.dir, "keys", "app.pem")
			cert, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			key, err := os.ReadFile(filepath.Join(w.dir, "keys", "app.key"))
			if err != nil {
				t.Fatal(err)
			}
			other, otherKey, err := authority.forApp(time.Now().AddDate(0, 6, 0))
			if err != nil {
				t.Fatal(err)
			}
			w.write("keys/app.pem", other)
			w.write("keys/app.key", otherKey)
			return func() { w.write("keys/app.pem", cert); w.write("keys/app.key", key) }
		}},
		{"a permission was taken away", "permission-missing", "Group.Read.All", w.withoutPermission("Group.Read.All")},
		{"the redirect address is not registered", "redirect-sign-in", "/login/callback/entra", func() func() {
			w.change(http.MethodPatch, application, map[string]any{"web": map[string]any{"redirectUris": []string{w.url + "/login/callback/Entra", w.url + "/logout/done"}, "logoutUrl": w.url + "/logout/frontchannel"}})
			return w.registered
		}},
		{"the logout address is not registered", "redirect-front-channel", "/logout/frontchannel", func() func() {
			w.change(http.MethodPatch, application, map[string]any{"web": map[string]any{"redirectUris": []string{w.url + "/login/callback/entra", w.url + "/logout/done"}, "logoutUrl": nil}})
			return w.registered
		}},
		{"tokens do not carry the session's ID", "claim-sid", "sid", func() func() {
			w.claims("auth_time", "login_hint", "acrs")
			return func() { w.claims("sid", "auth_time", "login_hint", "acrs") }
		}},
		{"accounts of other tenants may sign in", "registration-audience", "AzureADMultipleOrgs", func() func() {
			w.change(http.MethodPatch, application, map[string]any{"signInAudience": "AzureADMultipleOrgs"})
			return func() { w.change(http.MethodPatch, application, map[string]any{"signInAudience": "AzureADMyOrg"}) }
		}},
		{"everybody may sign in", "registration-assignment", "Everybody", func() func() {
			w.change(http.MethodPatch, enterprise, map[string]any{"appRoleAssignmentRequired": false})
			return func() { w.change(http.MethodPatch, enterprise, map[string]any{"appRoleAssignmentRequired": true}) }
		}},
		{"nobody is admin", "roles-admin", "Nobody", func() func() {
			if err := w.tenant.RemoveMember("lanyard-admins", "margaret"); err != nil {
				t.Fatal(err)
			}
			return func() {
				if err := w.tenant.AddMember("lanyard-admins", "margaret"); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"notifications cannot be subscribed to", "notifications-failing", "cannot be subscribed to", func() func() {
			w.faults(entrasim.Fault{Kind: entrasim.FaultError, Path: "/v1.0/subscriptions", Status: http.StatusForbidden})
			return func() { w.faults() }
		}},
		{"a proxy does not pass notifications on", "outside-stranger", "notifications", func() func() {
			w.proxy.strange.Store(true)
			return func() { w.proxy.strange.Store(false) }
		}},
		{"Graph does not answer", "reading-failing", "503", func() func() {
			w.faults(entrasim.Fault{Kind: entrasim.FaultError})
			return func() { w.faults() }
		}},
		{"the directory is old", "directory-stale", "old", func() func() {
			w.faults(entrasim.Fault{Kind: entrasim.FaultError})
			return func() { w.faults() }
		}},
		{"the clocks differ", "clock", "differ by", func() func() {
			if err := w.tenant.SetFaults(entrasim.Faults{ClockOffsetSeconds: 200}); err != nil {
				t.Fatal(err)
			}
			return func() { w.faults() }
		}},
		{"provisioning maps another attribute", "provisioning", "mailNickname", func() func() { return w.provisioned("ada") }},
	} {
		t.Run(fault.name, func(t *testing.T) {
			mend := fault.plant()
			found := w.finds(fault.code)
			if !strings.Contains(found.Says, fault.says) {
				t.Errorf("it says %q and not %q", found.Says, fault.says)
			}
			if found.Do == "" && found.About != "provisioning" {
				t.Errorf("it does not say what to do: %+v", found)
			}
			mend()
			w.sound()
		})
	}
}

// faults makes requests go wrong; without any, all is well again.
func (w *world) faults(all ...entrasim.Fault) {
	w.Helper()
	if err := w.tenant.SetFaults(entrasim.Faults{Requests: all}); err != nil {
		w.Fatal(err)
	}
}

// registered puts the addresses of the app registration in order.
func (w *world) registered() {
	w.change(http.MethodPatch, application, map[string]any{"web": map[string]any{
		"redirectUris": []string{w.url + "/login/callback/entra", w.url + "/logout/done"}, "logoutUrl": w.url + "/logout/frontchannel"}})
}

// claims sets the optional claims of ID tokens.
func (w *world) claims(names ...string) {
	list := []map[string]any{}
	for _, n := range names {
		list = append(list, map[string]any{"name": n, "essential": false})
	}
	w.change(http.MethodPatch, application, map[string]any{"optionalClaims": map[string]any{"idToken": list, "accessToken": list, "saml2Token": []any{}}})
}

// withoutPermission takes an application permission at Graph away.
func (w *world) withoutPermission(name string) func() func() {
	return func() func() {
		app := w.change(http.MethodGet, enterprise, nil)["id"].(string)
		graph := w.change(http.MethodGet, "/servicePrincipals(appId='"+entrasim.GraphAppID+"')", nil)
		role := ""
		for _, r := range graph["appRoles"].([]any) {
			if r := r.(map[string]any); r["value"] == name {
				role = r["id"].(string)
			}
		}
		for _, a := range w.change(http.MethodGet, "/servicePrincipals/"+app+"/appRoleAssignments", nil)["value"].([]any) {
			if a := a.(map[string]any); a["appRoleId"] == role {
				w.change(http.MethodDelete, "/servicePrincipals/"+app+"/appRoleAssignments/"+a["id"].(string), nil)
			}
		}
		return func() {
			w.change(http.MethodPost, "/servicePrincipals/"+app+"/appRoleAssignments", map[string]string{"principalId": app, "resourceId": graph["id"].(string), "appRoleId": role})
		}
	}
}

// provisioned lets a provisioning service tell of a user by a name that is no object ID, and take that back.
func (w *world) provisioned(name string) (mend func()) {
	w.Helper()
	operator := w.operator()
	defer operator.Close()
	made, err := operator.NewProvisioningSecret(w.Context(), api.NewProvisioningSecret{Name: "test", Kind: "bearer", Days: 100})
	if err != nil {
		w.Fatal(err)
	}
	id := w.scim(http.MethodPost, "/Users", made.Secret, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+name+`@contoso.example","externalId":"`+name+`","active":true}`)
	return func() {
		w.scim(http.MethodDelete, "/Users/"+id, made.Secret, "")
		operator := w.operator()
		defer operator.Close()
		if _, err := operator.RevokeProvisioningSecret(w.Context(), made.ID); err != nil {
			w.Fatal(err)
		}
	}
}
