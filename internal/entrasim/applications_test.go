package entrasim

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"math/big"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// registrar is an app that may register others.
const registrar = "Registrar"

func withRegistrar() Organisation {
	org := contoso()
	org.Apps = append(org.Apps, App{
		ClientID: "6f0e6c70-6d5a-4df1-9a55-0c6e9b8f1e11", PrincipalID: "6f0e6c70-6d5a-4df1-9a55-0c6e9b8f1e12", Name: registrar,
		GraphRoles: []string{appWrite, assignWrite, consentWrite, syncWrite, "User.Read.All", "Group.Read.All"},
	})
	return org
}

// registered makes an application and its service principal.
func (w *world) registered(body map[string]any) (application, principal map[string]any) {
	w.t.Helper()
	application = w.must(registrar, "POST", "applications", body)
	return application, w.must(registrar, "POST", "servicePrincipals", map[string]any{"appId": application["appId"]})
}

func errorCode(body map[string]any) any {
	failed, _ := body["error"].(map[string]any)
	return failed["code"]
}

func certificate(t *testing.T, until time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lanyard"}, NotBefore: until.AddDate(-1, 0, 0), NotAfter: until}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func TestApplicationsAreAsDocumented(t *testing.T) {
	w := newWorld(t, withRegistrar())
	sample := fixture[exchange](t, "graph-application-create.json")
	made := w.must(registrar, "POST", "applications", sample.Request.Body)
	same(t, "an application", sample.Response.Body, made, map[string]string{
		"/isFallbackPublicClient": "",
	})
	principal := fixture[exchange](t, "graph-serviceprincipal-create.json")
	same(t, "a service principal", principal.Response.Body, w.must(registrar, "POST", "servicePrincipals", map[string]any{"appId": made["appId"]}), nil)
	federated := fixture[map[string]any](t, "graph-federatedidentitycredential.json")
	graph := federated["graph"].(map[string]any)
	body := graph["request"].(map[string]any)["body"].(map[string]any)
	got := w.must(registrar, "POST", "applications/"+made["id"].(string)+"/federatedIdentityCredentials/", body)
	same(t, "a federated credential", graph["response"].(map[string]any)["body"], got, map[string]string{"/@odata.id": "points to a service of Microsoft's"})
	for _, change := range fixture[[]map[string]any](t, "graph-application-updates.json") {
		request, _ := change["request"].(map[string]any)
		if address, _ := request["url"].(string); request["method"] != "PATCH" || !slices.Contains([]string{"applications"}, filepath.Base(filepath.Dir(filepath.Clean(address)))) {
			continue
		}
		w.must(registrar, "PATCH", "applications/"+made["id"].(string), request["body"])
	}
	after := w.must(registrar, "GET", "applications(appId='"+made["appId"].(string)+"')", nil)
	web := after["web"].(map[string]any)
	if web["logoutUrl"] != "https://www.contoso.com/frontchannel_logout" || web["implicitGrantSettings"] == nil || len(after["appRoles"].([]any)) != 1 {
		t.Errorf("after the changes: %v", after)
	}
}

func TestApplicationRules(t *testing.T) {
	w := newWorld(t, withRegistrar())
	role := map[string]any{"id": newGUID(), "allowedMemberTypes": []string{"User"}, "displayName": "Admin", "description": "Administers", "value": "Admin", "isEnabled": true}
	app := w.must(registrar, "POST", "applications", map[string]any{"displayName": "Rules", "signInAudience": "AzureADMyOrg", "appRoles": []any{role}})
	at := "applications/" + app["id"].(string)
	other := w.must(registrar, "POST", "applications", map[string]any{"displayName": "Other", "identifierUris": []string{"https://contoso.example/other"}})
	for _, c := range []struct {
		what, method, path string
		body               any
		status             int
		code               string
	}{
		{"no name", "POST", "applications", map[string]any{"description": "x"}, 400, "Request_BadRequest"},
		{"a secret at once", "POST", "applications", map[string]any{"displayName": "x", "passwordCredentials": []any{map[string]any{}}}, 400, "Request_BadRequest"},
		{"a property that is none", "PATCH", at, map[string]any{"colour": "red"}, 400, "Request_BadRequest"},
		{"a kind of value", "PATCH", at, map[string]any{"web": map[string]any{"redirectUris": "https://x.example"}}, 400, "Request_BadRequest"},
		{"http elsewhere", "PATCH", at, map[string]any{"web": map[string]any{"redirectUris": []string{"http://lanyard.example.test/x"}}}, 400, "Request_BadRequest"},
		{"version 1 for everybody", "PATCH", "applications/" + other["id"].(string), map[string]any{"api": map[string]any{"requestedAccessTokenVersion": 1}}, 400, "Request_BadRequest"},
		{"a groups claim", "PATCH", at, map[string]any{"groupMembershipClaims": "Some"}, 400, "Request_BadRequest"},
		{"somebody's name", "PATCH", at, map[string]any{"identifierUris": []string{"https://contoso.example/other"}}, 400, "Request_BadRequest"},
		{"an unverified domain", "PATCH", at, map[string]any{"identifierUris": []string{"https://elsewhere.test/x"}}, 400, "Request_BadRequest"},
		{"an enabled role", "PATCH", at, map[string]any{"appRoles": []any{}}, 400, "CannotDeleteOrUpdateEnabledEntitlement"},
		{"no certificate", "PATCH", at, map[string]any{"keyCredentials": []any{map[string]any{"key": "eA=="}}}, 400, "Request_BadRequest"},
		{"an unknown app", "POST", "servicePrincipals", map[string]any{"appId": newGUID()}, 400, "NoBackingApplicationObject"},
		{"provisioning of a registration", "GET", "servicePrincipals/6f0e6c70-6d5a-4df1-9a55-0c6e9b8f1e12/synchronization/templates", nil, 400, "UnsupportedApplication"},
		{"a name too short", "POST", at + "/federatedIdentityCredentials", map[string]any{"name": "x", "issuer": "https://i.test", "subject": "s", "audiences": []string{"a"}}, 400, "Request_BadRequest"},
		{"two audiences", "POST", at + "/federatedIdentityCredentials", map[string]any{"name": "xxx", "issuer": "https://i.test", "subject": "s", "audiences": []string{"a", "b"}}, 400, "Request_BadRequest"},
	} {
		if status, body, _ := w.call(registrar, c.method, c.path, c.body); status != c.status || errorCode(body) != c.code {
			t.Errorf("%s: %d %v", c.what, status, body)
		}
	}
	role["isEnabled"] = false
	w.must(registrar, "PATCH", at, map[string]any{"appRoles": []any{role}})
	w.must(registrar, "PATCH", at, map[string]any{"appRoles": []any{}})
	if status, _, _ := w.call("Lanyard", "POST", "applications", map[string]any{"displayName": "x"}); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
	w.must(registrar, "DELETE", at, nil)
	if status, _, _ := w.call(registrar, "GET", at, nil); status != http.StatusNotFound {
		t.Errorf("deleted: %d", status)
	}
}

func TestUpsertByUniqueName(t *testing.T) {
	w := newWorld(t, withRegistrar())
	path, body := "applications(uniqueName='lanyard')", map[string]any{"displayName": "Lanyard 2", "signInAudience": "AzureADMyOrg"}
	if status, _, _ := w.call(registrar, "PATCH", path, body); status != http.StatusNotFound {
		t.Errorf("without Prefer: %d", status)
	}
	status, made, _ := w.call(registrar, "PATCH", path, body, "Prefer", "create-if-missing")
	again, _, _ := w.call(registrar, "PATCH", path, map[string]any{"displayName": "Lanyard 3"}, "Prefer", "create-if-missing")
	if status != http.StatusCreated || again != http.StatusNoContent || made["uniqueName"] != "lanyard" {
		t.Errorf("%d, %d, %v", status, again, made)
	}
	list := values(t, w.must(registrar, "GET", "applications?$filter="+url.QueryEscape("uniqueName eq 'lanyard'")+"&$select=id,displayName", nil))
	if len(list) != 1 || list[0]["displayName"] != "Lanyard 3" || len(list[0]) != 2 {
		t.Errorf("listed: %v", list)
	}
	named := values(t, w.must(registrar, "GET", "servicePrincipals?$filter="+url.QueryEscape("servicePrincipalNames/any(n:n eq '"+LanyardAppID+"')"), nil))
	if len(named) != 1 || named[0]["appId"] != LanyardAppID {
		t.Errorf("by one of its names: %v", named)
	}
}

// An app that was registered through Graph does everything that a sample app does, and does it after a restart too.
func TestRegisteredAppWorks(t *testing.T) {
	folder := t.TempDir()
	w := startWorld(t, withRegistrar(), folder, "")
	role := newGUID()
	app, principal := w.registered(map[string]any{"displayName": "Second", "signInAudience": "AzureADMyOrg",
		"web": map[string]any{"redirectUris": []string{callback}, "logoutUrl": "http://lanyard.localhost/out"}, "api": map[string]any{"requestedAccessTokenVersion": 2},
		"groupMembershipClaims": "SecurityGroup", "optionalClaims": map[string]any{"idToken": []any{map[string]any{"name": "sid"}}},
		"appRoles": []any{map[string]any{"id": role, "allowedMemberTypes": []string{"User"}, "displayName": "Admin", "description": "Administers", "value": "Lanyard.Admin", "isEnabled": true}},
	})
	at, sp := "applications/"+app["id"].(string), "servicePrincipals/"+principal["id"].(string)
	w.must(registrar, "PATCH", sp, map[string]any{"appRoleAssignmentRequired": true, "tags": []string{"HideApp"}})
	w.must(registrar, "POST", sp+"/appRoleAssignedTo", map[string]any{"principalId": AdaID, "resourceId": principal["id"], "appRoleId": role})
	graph := w.must(registrar, "GET", "servicePrincipals(appId='"+GraphAppID+"')?$select=id,appRoles,oauth2PermissionScopes", nil)
	id := func(of, value string) string {
		for _, one := range graph[of].([]any) {
			if one := one.(map[string]any); one["value"] == value {
				return one["id"].(string)
			}
		}
		t.Fatalf("Graph has no %s", value)
		return ""
	}
	w.must(registrar, "POST", "servicePrincipals/"+graph["id"].(string)+"/appRoleAssignedTo",
		map[string]any{"principalId": principal["id"], "resourceId": graph["id"], "appRoleId": id("appRoles", "User.Read.All")})
	w.must(registrar, "POST", "oauth2PermissionGrants", map[string]any{"clientId": principal["id"], "consentType": "AllPrincipals", "resourceId": graph["id"], "scope": "User.Read openid"})
	secret := w.must(registrar, "POST", at+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "first"}})

	w.shut()
	w = startWorld(t, withRegistrar(), folder, w.host)
	clientID := app["appId"].(string)
	config := w.lanyard()
	config.ClientID, config.ClientSecret, config.Scopes = clientID, secret["secretText"].(string), []string{"openid", "profile", "User.Read"}
	back, err := SignIn(t.Context(), w.http, config.AuthCodeURL("st"), "ada", password("ada"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := config.Exchange(w.ctx(), back.Query().Get("code"))
	if err != nil {
		t.Fatal(err)
	}
	got := claims(t, token.Extra("id_token").(string))
	if roles, _ := got["roles"].([]any); len(roles) != 1 || roles[0] != "Lanyard.Admin" || got["sid"] == nil || got["groups"] == nil {
		t.Errorf("claims %v", got)
	}
	status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {config.ClientSecret}, "scope": {"https://graph.microsoft.com/.default"}})
	if status != http.StatusOK {
		t.Fatalf("client credentials: %d %v", status, body)
	}
	if roles := claims(t, body["access_token"].(string))["roles"]; len(roles.([]any)) != 1 {
		t.Errorf("roles at Graph: %v", roles)
	}
	if _, err := SignIn(t.Context(), newBrowser(), config.AuthCodeURL("st"), "grace", password("grace")); err == nil {
		t.Error("who is not assigned signed in")
	}
	listed := w.must(registrar, "GET", at, nil)
	if passwords := listed["passwordCredentials"].([]any); len(passwords) != 1 || passwords[0].(map[string]any)["secretText"] != nil {
		t.Errorf("secrets: %v", passwords)
	}
	w.clock.Add(secretLife + time.Hour)
	if status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {config.ClientSecret},
		"scope": {"https://graph.microsoft.com/.default"}}); status != http.StatusUnauthorized || body["error_codes"].([]any)[0] != 7000222.0 {
		t.Errorf("an expired secret: %d %v", status, body)
	}
	w.must(registrar, "POST", at+"/removePassword", map[string]any{"keyId": secret["keyId"]})
	w.must(registrar, "DELETE", sp, nil)
	if status, body := w.post(url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {"x"}, "scope": {"x/.default"}}); status != http.StatusBadRequest || body["error_codes"].([]any)[0] != 7000229.0 {
		t.Errorf("without a service principal: %d %v", status, body)
	}
}

func TestKeyCredentials(t *testing.T) {
	w := newWorld(t, withRegistrar())
	app := w.must(registrar, "POST", "applications", map[string]any{"displayName": "Keys"})
	at := "applications/" + app["id"].(string)
	end := time.Now().AddDate(1, 0, 0).Truncate(time.Second)
	der := certificate(t, end)
	w.must(registrar, "PATCH", at, map[string]any{"keyCredentials": []any{map[string]any{"type": "AsymmetricX509Cert", "usage": "Verify", "displayName": "first",
		"key": base64.StdEncoding.EncodeToString(der)}}})
	key := func(query string) map[string]any {
		return w.must(registrar, "GET", at+query, nil)["keyCredentials"].([]any)[0].(map[string]any)
	}
	shown := key("")
	if shown["key"] != nil || shown["displayName"] != "first" || shown["endDateTime"] != end.UTC().Format(time.RFC3339) {
		t.Errorf("shown: %v", shown)
	}
	w.must(registrar, "PATCH", at, map[string]any{"keyCredentials": []any{
		map[string]any{"keyId": shown["keyId"]}, map[string]any{"key": base64.StdEncoding.EncodeToString(certificate(t, end))}}})
	if got := key("?$select=keyCredentials"); got["key"] != base64.StdEncoding.EncodeToString(der) {
		t.Errorf("a key that was there before: %v", got)
	}
	if a, _ := w.App(app["appId"].(string)); len(a.Certificates) != 2 {
		t.Errorf("%d certificates", len(a.Certificates))
	}
}

func TestNewObjectsReplicateLate(t *testing.T) {
	w := newWorld(t, withRegistrar())
	if err := w.SetFaults(Faults{ReplicationLagSeconds: 10}); err != nil {
		t.Fatal(err)
	}
	app := w.must(registrar, "POST", "applications", map[string]any{"displayName": "Late", "signInAudience": "AzureADMyOrg"})
	filter := "applications?$filter=" + url.QueryEscape("displayName eq 'Late'")
	if list := values(t, w.must(registrar, "GET", filter, nil)); len(list) != 0 {
		t.Errorf("listed at once: %v", list)
	}
	if status, body, _ := w.call(registrar, "POST", "servicePrincipals", map[string]any{"appId": app["appId"]}); errorCode(body) != "NoBackingApplicationObject" {
		t.Errorf("%d %v", status, body)
	}
	if status, _, _ := w.call(registrar, "GET", "applications/"+app["id"].(string), nil); status != http.StatusNotFound {
		t.Errorf("read at once: %d", status)
	}
	w.clock.Add(11 * time.Second)
	principal := w.must(registrar, "POST", "servicePrincipals", map[string]any{"appId": app["appId"]})
	assign := map[string]any{"principalId": AdaID, "resourceId": principal["id"], "appRoleId": DefaultAccess}
	if status, _, _ := w.call(registrar, "POST", "servicePrincipals/"+principal["id"].(string)+"/appRoleAssignedTo", assign); status != http.StatusNotFound {
		t.Errorf("assigned at once: %d", status)
	}
	w.clock.Add(11 * time.Second)
	w.must(registrar, "POST", "servicePrincipals/"+principal["id"].(string)+"/appRoleAssignedTo", assign)
}

func TestProvisioningIsSetUpThroughGraph(t *testing.T) {
	w := newWorld(t, withRegistrar())
	made := w.must(registrar, "POST", "applicationTemplates/"+customTemplateID+"/instantiate", map[string]any{"displayName": "Lanyard provisioning"})
	principal := made["servicePrincipal"].(map[string]any)
	at := "servicePrincipals/" + principal["id"].(string) + "/synchronization"
	job := w.must(registrar, "POST", at+"/jobs", map[string]any{"templateId": "scim"})
	if status, _, _ := w.call(registrar, "POST", at+"/jobs/"+job["id"].(string)+"/start", nil); status != http.StatusBadRequest {
		t.Errorf("started without credentials: %d", status)
	}
	w.must(registrar, "PUT", at+"/secrets", map[string]any{"value": []any{
		map[string]any{"key": "BaseAddress", "value": "https://lanyard.example.test/scim/v2"}, map[string]any{"key": "SecretToken", "value": "s3cret"}}})
	w.must(registrar, "POST", at+"/jobs/"+job["id"].(string)+"/start", nil)
	if got := w.must(registrar, "GET", at+"/jobs/"+job["id"].(string), nil); got["status"].(map[string]any)["code"] != "Active" {
		t.Errorf("the job: %v", got)
	}
	if p, ok := w.Provisioning(made["application"].(map[string]any)["appId"].(string)); !ok || p != (Provisioning{TenantURL: "https://lanyard.example.test/scim/v2", SecretToken: "s3cret", Running: true}) {
		t.Errorf("set up: %v %v", p, ok)
	}
}

// Who forgets to ask for version 2 gets tokens that a verifier of version 2 refuses.
func TestAccessTokensOfVersionOne(t *testing.T) {
	w := newWorld(t, withRegistrar())
	app, principal := w.registered(map[string]any{"displayName": "Old", "signInAudience": "AzureADMyOrg"})
	if api := app["api"].(map[string]any); api["requestedAccessTokenVersion"] != nil || principal["id"] == nil {
		t.Fatalf("made: %v", api)
	}
	token := func() map[string]any {
		_, body := w.post(url.Values{"grant_type": {"client_credentials"}, "scope": {app["appId"].(string) + "/.default"}})
		return claims(t, body["access_token"].(string))
	}
	if c := token(); c["ver"] != "1.0" || c["iss"] != "https://sts.windows.net/"+w.TenantID()+"/" || c["appid"] != LanyardAppID || c["azp"] != nil {
		t.Errorf("version 1: %v", c)
	}
	w.must(registrar, "PATCH", "applications/"+app["id"].(string), map[string]any{"api": map[string]any{"requestedAccessTokenVersion": 2}})
	if c := token(); c["ver"] != "2.0" || c["iss"] != w.Issuer() || c["aud"] != app["appId"] {
		t.Errorf("version 2: %v", c)
	}
}
