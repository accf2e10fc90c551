package entrasim

import (
	"net/http"
	"testing"
	"time"
)

func TestGraphDirectory(t *testing.T) {
	w := newWorld(t, contoso())
	const tools = "Directory tools"
	made := w.must(tools, "POST", "users", map[string]any{
		"accountEnabled": true, "displayName": "Nia Newcomer", "userPrincipalName": "nia@contoso.example", "mailNickname": "nia",
		"passwordProfile": map[string]any{"password": "first", "forceChangePasswordNextSignIn": false},
	})
	id := made["id"].(string)
	if u, _ := w.User("nia"); u.ID != id || u.Password != "first" || !u.AccountEnabled {
		t.Errorf("made %v", u)
	}
	group := w.must(tools, "POST", "groups", map[string]any{"displayName": "newcomers", "mailEnabled": false, "mailNickname": "n", "securityEnabled": true})
	gid := group["id"].(string)
	w.must(tools, "POST", "groups/"+gid+"/members/$ref", map[string]any{"@odata.id": w.GraphURL() + "/directoryObjects/" + id})
	w.must(tools, "POST", "groups/"+PaymentsAPITeamID+"/members/$ref", map[string]any{"@odata.id": "https://graph.microsoft.com/v1.0/groups/" + gid})
	member := w.must("Lanyard", "POST", "users/"+id+"/getMemberObjects", map[string]any{"securityEnabledOnly": true})
	if !sameSet(member["value"], gid, PaymentsAPITeamID, PaymentsEngineersID, AllEmployeesID) {
		t.Errorf("getMemberObjects %v", member)
	}
	if all := w.must("Lanyard", "GET", "users/nia@contoso.example/transitiveMemberOf?$select=id&$top=3", nil); len(values(t, all)) != 3 || all["@odata.nextLink"] == nil {
		t.Errorf("transitiveMemberOf %v", all)
	} else if rest := w.must("Lanyard", "GET", all["@odata.nextLink"].(string), nil); len(values(t, rest)) != 1 || rest["@odata.nextLink"] != nil {
		t.Errorf("its second page %v", rest)
	}
	w.must(tools, "PATCH", "users/"+id, map[string]any{"accountEnabled": false, "jobTitle": "Guest"})
	if got := w.must("Lanyard", "GET", "users/"+id+"?$select=accountEnabled,jobTitle", nil); got["accountEnabled"] != false || got["jobTitle"] != "Guest" {
		t.Errorf("after PATCH %v", got)
	}
	w.must(tools, "PATCH", "groups/"+gid, map[string]any{"displayName": "joiners"})
	if got := w.must("Lanyard", "GET", "groups?$filter=displayName%20eq%20'joiners'&$select=id", nil); len(values(t, got)) != 1 {
		t.Errorf("by name %v", got)
	}
	w.must(tools, "DELETE", "groups/"+gid+"/members/"+id+"/$ref", nil)
	if got := w.must("Lanyard", "GET", "groups/"+gid+"/members", nil); len(values(t, got)) != 0 {
		t.Errorf("members %v", got)
	}
	w.must(tools, "DELETE", "groups/"+gid, nil)
	w.must(tools, "DELETE", "users/"+id, nil)
	for _, path := range []string{"users/" + id, "groups/" + gid, "users/nobody@contoso.example", "users/ada"} {
		if status, body, _ := w.call("Lanyard", "GET", path, nil); status != http.StatusNotFound {
			t.Errorf("%s: %d %v", path, status, body)
		}
	}
}

func TestGraphRefusals(t *testing.T) {
	w := newWorld(t, contoso())
	for _, c := range []struct {
		app, method, path string
		body              any
		status            int
		code              string
	}{
		{"Lanyard", "PATCH", "users/" + AdaID, map[string]any{"accountEnabled": false}, 403, "Authorization_RequestDenied"},
		{"Lanyard", "DELETE", "groups/" + PaymentsEngineersID, nil, 403, "Authorization_RequestDenied"},
		{"Lanyard", "POST", "users/" + AdaID + "/revokeSignInSessions", nil, 403, "Authorization_RequestDenied"},
		{"Contoso Git", "GET", "users", nil, 403, "Authorization_RequestDenied"},
		{"Directory tools", "POST", "groups/" + PaymentsEngineersID + "/members/$ref", map[string]any{"@odata.id": "x/" + AdaID}, 400, "Request_BadRequest"},
		{"Directory tools", "DELETE", "groups/" + PaymentsEngineersID + "/members/" + AlanID + "/$ref", nil, 404, "Request_ResourceNotFound"},
		{"Directory tools", "POST", "users", map[string]any{"accountEnabled": true, "displayName": "x", "userPrincipalName": "ADA@contoso.example", "passwordProfile": map[string]string{"password": "p"}}, 400, "Request_BadRequest"},
		{"Directory tools", "PATCH", "users/" + AdaID, map[string]any{"shoeSize": 38}, 400, "Request_BadRequest"},
		{"Lanyard", "GET", "users?$top=1000", nil, 400, "Request_UnsupportedQuery"},
		{"Lanyard", "GET", "planner", nil, 400, "BadRequest"},
		{"Lanyard", "GET", "me", nil, 400, "Request_BadRequest"},
	} {
		status, body, header := w.call(c.app, c.method, c.path, c.body)
		failed, _ := body["error"].(map[string]any)
		if status != c.status || failed["code"] != c.code || failed["innerError"] == nil || header.Get("Request-Id") == "" {
			t.Errorf("%s %s: %d %v", c.method, c.path, status, body)
		}
	}
	if u, _ := w.User("ada"); !u.AccountEnabled || u.DisplayName != "Ada Lovelace" {
		t.Errorf("ada was changed: %v", u)
	}
}

func TestGraphPasswordAndRevocation(t *testing.T) {
	w := newWorld(t, contoso())
	w.clock.Add(time.Hour)
	answer := w.must("Directory tools", "POST", "users/"+AdaID+"/revokeSignInSessions", nil)
	if answer["value"] != true {
		t.Errorf("revokeSignInSessions %v", answer)
	}
	got := w.must("Lanyard", "GET", "users/"+AdaID+"?$select=signInSessionsValidFromDateTime", nil)
	if got["signInSessionsValidFromDateTime"] != w.clock.Now().UTC().Format(time.RFC3339) {
		t.Errorf("valid from %v", got)
	}
	w.must("Directory tools", "PATCH", "users/"+AdaID, map[string]any{"passwordProfile": map[string]string{"password": "second"}})
	if _, err := SignIn(t.Context(), w.http, w.lanyard().AuthCodeURL("s"), "ada", "second"); err != nil {
		t.Error(err)
	}
}

func TestAssignedGroups(t *testing.T) {
	w := newWorld(t, contoso())
	principal := w.must("Lanyard", "GET", "servicePrincipals(appId='"+LanyardAppID+"')", nil)
	if principal["appId"] != LanyardAppID || len(principal["appRoles"].([]any)) != 1 {
		t.Errorf("service principal %v", principal)
	}
	path := "servicePrincipals/" + principal["id"].(string) + "/appRoleAssignedTo"
	first := w.must("Lanyard", "GET", path+"?$top=5", nil)
	all := values(t, first)
	for first["@odata.nextLink"] != nil {
		first = w.must("Lanyard", "GET", first["@odata.nextLink"].(string), nil)
		all = append(all, values(t, first)...)
	}
	names := map[any]bool{}
	for _, a := range all {
		names[a["principalDisplayName"]] = a["principalType"] == "Group"
	}
	if len(all) != 11 || !names["payments-engineers"] || names["all-employees"] {
		t.Errorf("assigned: %v", names)
	}
	made := w.must("Directory tools", "POST", path, map[string]any{"principalId": AllEmployeesID, "resourceId": principal["id"], "appRoleId": DefaultAccess})
	w.must("Directory tools", "DELETE", path+"/"+made["id"].(string), nil)
	w.DeleteGroup("contractors")
	if again := w.must("Lanyard", "GET", "servicePrincipals(appId='"+LanyardAppID+"')/appRoleAssignedTo", nil); len(values(t, again)) != 10 {
		t.Errorf("after deleting a group: %d", len(values(t, again)))
	}
}

func TestOffline(t *testing.T) {
	w := newWorld(t, contoso())
	w.Offline(true)
	for _, path := range []string{"/portal", "/v1.0/users", "/" + w.TenantID() + "/v2.0/.well-known/openid-configuration"} {
		answer, err := w.http.Get(w.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
	w.Offline(false)
	w.signIn("ada")
}
