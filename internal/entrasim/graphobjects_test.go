package entrasim

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func ids(t *testing.T, body map[string]any) (list []string) {
	t.Helper()
	for _, v := range body["value"].([]any) {
		if id, plain := v.(string); plain {
			list = append(list, id)
		} else {
			list = append(list, v.(map[string]any)["id"].(string))
		}
	}
	slices.Sort(list)
	return list
}

func sorted(list ...string) []string { return slices.Sorted(slices.Values(list)) }

func TestObjectsByID(t *testing.T) {
	w := newWorld(t, contoso())
	in := url.QueryEscape("id in ('" + AdaID + "','" + GraceID + "','" + newGUID() + "')")
	if got := ids(t, w.must("Lanyard", "GET", "users?$select=id,signInSessionsValidFromDateTime&$filter="+in, nil)); !slices.Equal(got, sorted(AdaID, GraceID)) {
		t.Errorf("id in: %v", got)
	}
	either := url.QueryEscape("id eq '" + AdaID + "' or id eq '" + GraceID + "'")
	if got := ids(t, w.must("Lanyard", "GET", "users?$filter="+either, nil)); len(got) != 2 {
		t.Errorf("id eq or id eq: %v", got)
	}
	if got := ids(t, w.must("Lanyard", "GET", "users?$filter="+url.QueryEscape("accountEnabled eq false and startswith(displayName,'leo')"), nil)); !slices.Equal(got, []string{LeoID}) {
		t.Errorf("and: %v", got)
	}
	sixteen := url.QueryEscape("id in ('" + strings.Repeat("x','", 15) + AdaID + "')")
	if status, body, _ := w.call("Lanyard", "GET", "users?$filter="+sixteen, nil); status != http.StatusBadRequest || body["error"].(map[string]any)["code"] != "Request_UnsupportedQuery" {
		t.Errorf("sixteen: %d %v", status, body)
	}
	found := w.must(directoryTools, "POST", "directoryObjects/getByIds", map[string]any{"ids": []string{AdaID, PaymentsLeadsID, newGUID()}, "types": []string{"user"}})
	if got := ids(t, found); !slices.Equal(got, []string{AdaID}) || values(t, found)[0]["@odata.type"] != "#microsoft.graph.user" {
		t.Errorf("getByIds: %v", found)
	}
	if status, _, _ := w.call(directoryTools, "POST", "directoryObjects/getByIds", map[string]any{"ids": make([]string, 1001)}); status != http.StatusBadRequest {
		t.Errorf("a thousand and one: %d", status)
	}
	if e := w.must(directoryTools, "GET", "directoryObjects/"+PaymentsLeadsID+"?$select=id,displayName", nil); e["displayName"] != "payments-leads" {
		t.Errorf("one object: %v", e)
	}
	if got := ids(t, w.must(directoryTools, "POST", "directoryObjects/"+BarbaraID+"/getMemberObjects", map[string]any{"securityEnabledOnly": true})); !slices.Contains(got, PaymentsEngineersID) {
		t.Errorf("through nesting: %v", got)
	}
	check := w.must(directoryTools, "POST", "users/"+BarbaraID+"/checkMemberGroups", map[string]any{"groupIds": []string{PaymentsEngineersID, ShopLeadsID}})
	if got := ids(t, check); !slices.Equal(got, []string{PaymentsEngineersID}) {
		t.Errorf("checkMemberGroups: %v", got)
	}
	if status, _, _ := w.call("Lanyard", "GET", "users?$select=id,skills", nil); status != http.StatusNotImplemented {
		t.Errorf("a property of another service: %d", status)
	}
	filter := url.QueryEscape("id eq '" + AdaID + "'")
	only, next := w.round("users/delta?$select=displayName&$filter=" + filter)
	w.SetEnabled("grace", false)
	w.ChangeUser("ada", func(u *User) { u.DisplayName = "Countess" })
	if again, _ := w.round(next); len(only) != 1 || len(again) != 1 || again[0]["displayName"] != "Countess" {
		t.Errorf("a delta of one: %v, %v", only, again)
	}
}

func TestRecycleBin(t *testing.T) {
	org := contoso()
	org.RecycleGroups = true
	w := newWorld(t, org)
	_, users := w.round("users/delta?$select=displayName,accountEnabled")
	_, groups := w.round("groups/delta?$select=displayName,members")
	reason := func(list []map[string]any, id string) string {
		for _, o := range list {
			if removed, _ := o["@removed"].(map[string]any); o["id"] == id && removed != nil {
				return removed["reason"].(string)
			}
		}
		return ""
	}
	w.must(directoryTools, "DELETE", "users/"+AdaID, nil)
	w.must(directoryTools, "DELETE", "groups/"+PaymentsLeadsID, nil)
	gone, users := w.round(users)
	goneGroups, groups := w.round(groups)
	if reason(gone, AdaID) != "changed" || reason(goneGroups, PaymentsLeadsID) != "changed" {
		t.Errorf("deleted: %v %v", gone, goneGroups)
	}
	if got := ids(t, w.must(directoryTools, "GET", "directory/deletedItems/microsoft.graph.user", nil)); !slices.Equal(got, []string{AdaID}) {
		t.Errorf("in the bin: %v", got)
	}
	if got := ids(t, w.must(directoryTools, "GET", "directory/deletedItems/microsoft.graph.group", nil)); !slices.Equal(got, []string{PaymentsLeadsID}) {
		t.Errorf("in the bin: %v", got)
	}
	w.must(directoryTools, "POST", "directory/deletedItems/"+AdaID+"/restore", nil)
	w.must(directoryTools, "POST", "directory/deletedItems/"+PaymentsLeadsID+"/restore", nil)
	back, users := w.round(users, "Prefer", "return=minimal")
	if len(back) != 1 || back[0]["displayName"] != "Ada Lovelace" || back[0]["accountEnabled"] != true {
		t.Errorf("restored: %v", back)
	}
	backGroups, groups := w.round(groups)
	if !w.in("payments-engineers", AdaID) || !w.in("payments-leads", GraceID) || len(backGroups) < 2 {
		t.Errorf("memberships of what was restored: %v", backGroups)
	}
	w.must(directoryTools, "DELETE", "users/"+AdaID, nil)
	w.must(directoryTools, "DELETE", "directory/deletedItems/"+AdaID, nil)
	w.must(directoryTools, "DELETE", "groups/"+PaymentsLeadsID, nil)
	w.must(directoryTools, "DELETE", "directory/deletedItems/"+PaymentsLeadsID, nil)
	gone, _ = w.round(users)
	goneGroups, _ = w.round(groups)
	if reason(gone, AdaID) != "deleted" || reason(goneGroups, PaymentsLeadsID) != "deleted" {
		t.Errorf("for good: %v %v", gone, goneGroups)
	}
	for _, id := range []string{AdaID, PaymentsLeadsID} {
		if status, _, _ := w.call(directoryTools, "POST", "directory/deletedItems/"+id+"/restore", nil); status != http.StatusNotFound {
			t.Errorf("restoring what is gone: %d", status)
		}
	}
	if status, _, _ := w.call("Lanyard", "DELETE", "directory/deletedItems/"+AdaID, nil); status != http.StatusForbidden {
		t.Errorf("without the permission: %d", status)
	}
}

func TestAppRoleAssignmentsOfUsersAndGroups(t *testing.T) {
	w := newWorld(t, contoso())
	app, _ := w.App("Lanyard")
	roles := func() []any {
		token := w.signIn("joy")
		list, _ := claims(t, token.Extra("id_token").(string))["roles"].([]any)
		return list
	}
	post := func(kind, id string) string {
		t.Helper()
		made := w.must(directoryTools, "POST", kind+"/"+id+"/appRoleAssignments", map[string]any{"principalId": id, "resourceId": app.PrincipalID, "appRoleId": PaymentsLeadRoleID})
		return made["id"].(string)
	}
	made := post("users", JoyID)
	list := values(t, w.must("Lanyard", "GET", "users/"+JoyID+"/appRoleAssignments?$filter="+url.QueryEscape("resourceId eq "+app.PrincipalID), nil))
	if len(list) != 1 || list[0]["principalType"] != "User" || list[0]["appRoleId"] != PaymentsLeadRoleID {
		t.Errorf("listed: %v", list)
	}
	if got := roles(); len(got) != 1 || got[0] != "Payments.Lead" {
		t.Errorf("roles %v", got)
	}
	if status, _, _ := w.call(directoryTools, "POST", "users/"+JoyID+"/appRoleAssignments",
		map[string]any{"principalId": JoyID, "resourceId": app.PrincipalID, "appRoleId": PaymentsLeadRoleID}); status != http.StatusBadRequest {
		t.Errorf("twice: %d", status)
	}
	w.must(directoryTools, "DELETE", "users/"+JoyID+"/appRoleAssignments/"+made, nil)
	if got := roles(); len(got) != 0 {
		t.Errorf("roles after the end: %v", got)
	}
	group, err := w.CreateGroup(Group{DisplayName: "outer", Members: []string{PaymentsAPITeamID, JoyID}})
	if err != nil {
		t.Fatal(err)
	}
	post("groups", group.ID)
	if got := roles(); len(got) != 1 {
		t.Errorf("of a direct member: %v", got)
	}
	w.RemoveMember("outer", "joy")
	w.AddMember("payments-api-team", "joy") // nested in the assigned group
	if got := roles(); len(got) != 0 {
		t.Errorf("of a nested member: %v", got)
	}
	w.AddMember("outer", "joy")
	declared := slices.Clone(app.AppRoles)
	declared[slices.IndexFunc(declared, func(r AppRole) bool { return r.ID == PaymentsLeadRoleID })].Disabled = true
	_, delta := w.round("servicePrincipals/delta?$select=appRoles")
	if err := w.SetAppRoles(app.ClientID, declared); err != nil {
		t.Fatal(err)
	}
	if changed, _ := w.round(delta); len(changed) != 1 || changed[0]["id"] != app.PrincipalID {
		t.Errorf("the service principal's delta: %v", changed)
	}
	if got := roles(); len(got) != 0 {
		t.Errorf("of a role that is switched off: %v", got)
	}
}

func TestGroupClaimsOverTheLimit(t *testing.T) {
	org := contoso()
	for i := range 300 {
		org.Groups = append(org.Groups, Group{ID: newGUID(), DisplayName: fmt.Sprintf("many-%d", i), Members: []string{JoyID}})
	}
	at := slices.IndexFunc(org.Apps, func(a App) bool { return a.ClientID == LanyardAppID })
	org.Apps[at].GroupMembershipClaims = "SecurityGroup"
	w := newWorld(t, org)
	token := w.signIn("joy")
	c := claims(t, token.Extra("id_token").(string))
	same(t, "overage", fixture[map[string]any](t, "groups-overage.claims.json"), c, nil)
	source, _ := c["_claim_names"].(map[string]any)["groups"].(string)
	if c["groups"] != nil || c["_claim_sources"].(map[string]any)[source] == nil {
		t.Errorf("overage: %v", c)
	}
	status, form := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {"https://graph.microsoft.com/User.Read"}})
	if status != http.StatusOK {
		t.Fatal(form)
	}
	req, _ := http.NewRequestWithContext(t.Context(), "POST", w.GraphURL()+"/me/getMemberObjects", strings.NewReader(`{"securityEnabledOnly":true}`))
	req.Header.Set("Authorization", "Bearer "+form["access_token"].(string))
	answer, err := w.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(t, decodeBody(t, answer)); len(got) < 300 {
		t.Errorf("getMemberObjects gave %d", len(got))
	}
	w.changeApp(LanyardAppID, func(a *App) { a.ImplicitTokens = true })
	if c := claims(t, w.signIn("joy").Extra("id_token").(string)); c["hasgroups"] != true || c["groups"] != nil || c["_claim_names"] != nil {
		t.Errorf("hasgroups: %v", c)
	}
}

func TestReplaysAndSilentRevocations(t *testing.T) {
	w := newWorld(t, contoso())
	w.SetFaults(Faults{Replays: 0.5, SilentRevocations: true})
	known := replica{}
	objects, _ := w.round("groups/delta?$select=displayName,members", "Prefer", "odata.maxpagesize=3")
	known.apply(objects)
	if d := known.differs(w); d != "" || len(objects) <= len(w.Groups()) {
		t.Errorf("%d objects; %s", len(objects), d)
	}
	_, next := w.round("users/delta?$select=signInSessionsValidFromDateTime")
	before := w.must("Lanyard", "GET", "users/"+AdaID+"?$select=signInSessionsValidFromDateTime", nil)
	w.clock.Add(time.Hour)
	w.must(directoryTools, "POST", "users/"+AdaID+"/revokeSignInSessions", nil)
	after := w.must("Lanyard", "GET", "users/"+AdaID+"?$select=signInSessionsValidFromDateTime", nil)
	if before["signInSessionsValidFromDateTime"] == after["signInSessionsValidFromDateTime"] {
		t.Error("nothing was revoked")
	}
	if told, _ := w.round(next); len(told) != 0 {
		t.Errorf("the delta told: %v", told)
	}
	w.SetFaults(Faults{})
	w.must(directoryTools, "POST", "users/"+AdaID+"/revokeSignInSessions", nil)
	if told, _ := w.round(next); len(told) != 1 {
		t.Errorf("the delta tells: %v", told)
	}
}

func TestSubscriptionQuotaAndReauthorization(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	sub := w.subscribeTo(r, "users")
	id := sub["id"].(string)
	if status, _, _ := w.call("Lanyard", "PATCH", "subscriptions/"+id, map[string]any{"lifecycleNotificationUrl": r.URL + "/another",
		"expirationDateTime": w.clock.Now().Add(time.Hour).Format(time.RFC3339)}); status != http.StatusBadRequest {
		t.Errorf("another lifecycle URL: %d", status)
	}
	if err := w.RequireReauthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.SetEnabled("ada", false)
	eventually(t, "the event, and a change in time", func() bool { return r.count() == 2 })
	w.clock.Add(reauthorizeWithin + time.Minute)
	w.SetEnabled("ada", true) // told to nobody
	w.must("Lanyard", "POST", "subscriptions/"+id+"/reauthorize", nil)
	w.SetEnabled("grace", false)
	eventually(t, "what happened after", func() bool { return r.count() == 3 })
	if n := r.all()[2]; n["resource"] != "Users/"+GraceID {
		t.Errorf("told of %v", n)
	}
	for range subscriptionsOfApp - 1 {
		w.subscribeTo(r, "users")
	}
	body := map[string]any{"changeType": "updated", "notificationUrl": r.URL, "resource": "users", "expirationDateTime": w.clock.Now().Add(time.Hour).Format(time.RFC3339)}
	if status, answer, _ := w.call("Lanyard", "POST", "subscriptions", body); status != http.StatusForbidden {
		t.Errorf("one too many: %d %v", status, answer)
	}
}
