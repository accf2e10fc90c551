package entrasim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixture decodes a file of testdata.
func fixture[T any](t *testing.T, name string) (v T) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

// lacks lists the paths of names that stand in the sample but not in ours, lists being merged, and
// the places where the kinds of value differ.
func lacks(sample, ours any, at string) []string {
	switch s := sample.(type) {
	case map[string]any:
		o, ok := ours.(map[string]any)
		if !ok {
			return []string{at + " is not an object"}
		}
		var missing []string
		for name, value := range s {
			have, there := o[name]
			if !there {
				missing = append(missing, at+"/"+name)
				continue
			}
			missing = append(missing, lacks(value, have, at+"/"+name)...)
		}
		return missing
	case []any:
		o, ok := ours.([]any)
		if !ok {
			return []string{at + " is not a list"}
		}
		return lacks(merged(s), merged(o), at+"[]")
	case string:
		if _, ok := ours.(string); !ok {
			return []string{at + " is not a string"}
		}
	case float64:
		if _, ok := ours.(float64); !ok {
			return []string{at + " is not a number"}
		}
	case bool:
		if _, ok := ours.(bool); !ok {
			return []string{at + " is not a boolean"}
		}
	}
	return nil
}

// merged puts the objects of a list into one, so that samples of different entries can be compared.
func merged(list []any) any {
	out := map[string]any{}
	for _, entry := range list {
		object, ok := entry.(map[string]any)
		if !ok {
			return entry
		}
		for name, value := range object {
			if inner, ok := value.([]any); ok {
				if before, ok := out[name].([]any); ok {
					value = append(slices.Clone(before), inner...)
				}
			}
			out[name] = value
		}
	}
	return out
}

// same fails when ours lacks something of the sample, apart from what excused names with a reason.
func same(t *testing.T, what string, sample, ours any, excused map[string]string) {
	t.Helper()
	var plain any
	data, err := json.Marshal(ours)
	if err == nil {
		err = json.Unmarshal(data, &plain)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, missing := range lacks(sample, plain, "") {
		if _, ok := excused[missing]; !ok {
			t.Errorf("%s lacks %s", what, missing)
		}
	}
}

func (w *world) fetch(link string) map[string]any {
	w.t.Helper()
	answer, err := w.http.Get(link)
	if err != nil {
		w.t.Fatal(err)
	}
	return decodeBody(w.t, answer)
}

func TestDiscoveryIsAsRecorded(t *testing.T) {
	w := newWorld(t, contoso())
	sample := fixture[map[string]any](t, "openid-configuration.json")
	for _, tenant := range []string{w.TenantID(), "contoso.example"} {
		ours := w.fetch(w.url + "/" + tenant + "/v2.0/.well-known/openid-configuration")
		same(t, "discovery", sample, ours, nil)
		same(t, "the sample", ours, sample, nil) // nothing more either: what is absent there is absent here
		for name, value := range sample {
			if list, ok := value.([]any); ok && !slices.Equal(list, ours[name].([]any)) {
				t.Errorf("%s is %v, recorded %v", name, ours[name], list)
			}
		}
		if ours["issuer"] != w.Issuer() {
			t.Errorf("issuer %v", ours["issuer"])
		}
	}
	keys := w.fetch(w.url + "/" + w.TenantID() + "/discovery/v2.0/keys")
	same(t, "keys", any(fixture[map[string]any](t, "jwks.json")), keys, nil)
	key := keys["keys"].([]any)[0].(map[string]any)
	if key["kid"] != key["x5t"] || key["alg"] != nil || key["issuer"] != w.Issuer() {
		t.Errorf("key %v", key)
	}
	if common := w.fetch(w.url + "/common/v2.0/.well-known/openid-configuration"); common["issuer"] != w.url+"/{tenantid}/v2.0" || common["tenant_region_scope"] != nil {
		t.Errorf("common: %v", common)
	}
	recorded := fixture[map[string]any](t, "openid-configuration-common.json")
	for _, tenant := range []string{"common", "organizations"} {
		ours := w.fetch(w.url + "/" + tenant + "/v2.0/.well-known/openid-configuration")
		same(t, tenant, recorded, ours, nil)
		same(t, "the sample of "+tenant, ours, recorded, nil)
		for name, value := range recorded {
			text, isText := value.(string)
			_, path, host := strings.Cut(text, "login.microsoftonline.com")
			if got, _ := ours[name].(string); isText && host && !strings.HasSuffix(got, strings.ReplaceAll(path, "/common/", "/"+tenant+"/")) {
				t.Errorf("%s of %s is %s, recorded %s", name, tenant, got, text)
			}
		}
	}
	if unknown := w.fetch(w.url + "/" + newGUID() + "/v2.0/.well-known/openid-configuration"); unknown["error"] != "invalid_tenant" {
		t.Errorf("another tenant: %v", unknown)
	}
	if err := w.RotateKeys(); err != nil {
		t.Fatal(err)
	}
	if rotated := w.fetch(w.url + "/" + w.TenantID() + "/discovery/v2.0/keys"); len(rotated["keys"].([]any)) != 2 {
		t.Errorf("after rotation: %v", rotated)
	}
}

func TestTokensAreAsSampled(t *testing.T) {
	w := newWorld(t, contoso())
	type sample struct{ Header, Payload map[string]any }
	token := w.signIn("ada")
	_, answer := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {ContosoGitAppID + "/user_impersonation"}})
	for name, jwt := range map[string]string{
		"id-token-v2.decoded.json": token.Extra("id_token").(string), "access-token-v2.decoded.json": answer["access_token"].(string),
	} {
		want := fixture[sample](t, name)
		same(t, name, want.Payload, claims(t, jwt), nil)
		var header map[string]any
		if err := json.Unmarshal(unbase64(t, strings.Split(jwt, ".")[0]), &header); err != nil {
			t.Fatal(err)
		}
		same(t, name, want.Header, header, nil)
		same(t, name+" header", header, want.Header, nil)
	}
	for _, c := range fixture[[]struct {
		Case string
		Body map[string]any
	}](t, "token-endpoint-responses.json") {
		if strings.HasPrefix(c.Case, "error") {
			_, ours := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {"nothing"}})
			same(t, c.Case, c.Body, ours, nil)
			if c.Body["error"] != ours["error"] {
				t.Errorf("error %v", ours)
			}
			continue
		}
		_, ours := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}})
		same(t, c.Case, c.Body, ours, nil)
	}
}

// exchange is a documented request with its answer.
type exchange struct {
	Case    string
	Request struct {
		Method, URL string
		Body        any
	}
	Response struct {
		Status int
		Body   map[string]any
	}
}

func TestDeltaIsAsDocumented(t *testing.T) {
	w := newWorld(t, contoso())
	// Every object that the documents' sequences show: full, changed, removed, members come and gone.
	_, users := w.round("users/delta?$select=displayName,givenName,surname")
	_, groups := w.round("groups/delta")
	w.DeleteUser("leo")
	w.must("Directory tools", "PATCH", "users/"+AdaID, map[string]any{"jobTitle": "Countess"})
	w.RemoveMember("payments-engineers", "ada")
	w.AddMember("payments-engineers", "joy")
	userPage := w.must("Lanyard", "GET", users, nil)
	groupPage := w.must("Lanyard", "GET", groups, nil)
	paged := w.must("Lanyard", "GET", "users/delta", nil, "Prefer", "odata.maxpagesize=2")
	for name, ours := range map[string]map[string]any{"graph-users-delta-sequence.json": userPage, "graph-groups-delta-sequence.json": groupPage} {
		for i, e := range fixture[[]exchange](t, name) {
			answer := ours
			if e.Response.Body["@odata.nextLink"] != nil {
				answer = map[string]any{"@odata.context": paged["@odata.context"], "@odata.nextLink": paged["@odata.nextLink"], "value": ours["value"]}
			}
			same(t, name+" "+string(rune('0'+i)), e.Response.Body, answer, map[string]string{
				"/value[]/mail is not a string":         "the documented group is a Microsoft 365 group with an address; these are security groups",
				"/value[]/groupTypes[] is not a string": "and these have no group types",
			})
		}
	}
}

func TestGraphIsAsDocumented(t *testing.T) {
	w, r := newWorld(t, contoso()), newReceiver(t)
	for _, e := range fixture[[]exchange](t, "graph-membership-lookups.json") {
		var ours map[string]any
		switch {
		case strings.Contains(e.Request.URL, "getMemberObjects"):
			ours = w.must("Lanyard", "POST", "users/"+AdaID+"/getMemberObjects", e.Request.Body)
		case strings.Contains(e.Request.URL, "revokeSignInSessions"):
			ours = w.must("Directory tools", "POST", "users/"+AdaID+"/revokeSignInSessions", nil)
		case strings.HasSuffix(e.Request.URL, "transitiveMemberOf"):
			ours = w.must("Lanyard", "GET", "users/"+AdaID+"/transitiveMemberOf", nil)
		case strings.Contains(e.Request.URL, "$top=100"):
			ours = w.must("Lanyard", "GET", "users/"+AdaID+"/transitiveMemberOf?$select=id&$top=1", nil)
		default: // $count and $search need the eventual index, which is not for authorization
			continue
		}
		same(t, e.Request.URL, e.Response.Body, ours, nil)
	}
	sub := w.subscribeTo(r, "groups")
	for _, e := range fixture[[]exchange](t, "graph-subscription-create.json") {
		if e.Case == "api reference" {
			same(t, "subscription", e.Response.Body, sub, nil)
		}
	}
	w.RemoveMember("payments-engineers", "ada")
	eventually(t, "a notification", func() bool { return r.count() == 1 })
	same(t, "notification", fixture[map[string]any](t, "graph-notification-basic.json"), map[string]any{"value": r.all()}, map[string]string{
		"/value[]/resourceData/@odata.etag": "users and groups have no etag in a notification",
	})
	if err := w.RequireReauthorization(t.Context()); err != nil {
		t.Fatal(err)
	}
	same(t, "lifecycle", fixture[map[string]any](t, "graph-notification-lifecycle.json"), map[string]any{"value": r.all()[1:]}, nil)

	assigned := fixture[exchange](t, "graph-approleassignedto.json")
	principal, _ := w.App("Lanyard")
	body := assigned.Request.Body.(map[string]any)
	body["principalId"], body["resourceId"], body["appRoleId"] = AllEmployeesID, principal.PrincipalID, DefaultAccess
	status, ours, _ := w.call("Directory tools", "POST", "servicePrincipals/"+principal.PrincipalID+"/appRoleAssignedTo", body)
	if status != assigned.Response.Status {
		t.Errorf("assignment: %d", status)
	}
	same(t, "assignment", assigned.Response.Body, ours, nil)

	gone := fixture[[]struct {
		Status int
		Body   map[string]any
	}](t, "graph-errors.json")[0]
	status, ours, _ = w.call("Lanyard", "GET", "users/delta?$deltatoken=x", nil)
	if status != http.StatusGone || status != gone.Status || ours["error"].(map[string]any)["code"] != gone.Body["error"].(map[string]any)["code"] {
		t.Errorf("lost state: %d %v", status, ours)
	}
	same(t, "lost state", gone.Body, ours, nil)
}
