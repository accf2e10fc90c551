package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestApplicationGroups: with ApplicationGroup a token names assigned groups of which the user is a
// direct member, and nothing through nesting.
func TestApplicationGroups(t *testing.T) {
	org := contoso()
	org.Apps[0].GroupMembershipClaims = "ApplicationGroup"
	w := newWorld(t, org)
	if c := claims(t, w.signIn("barbara").Extra("id_token").(string)); !sameSet(c["groups"], PaymentsAPITeamID) {
		t.Errorf("barbara: %v", c["groups"])
	}
	if c := claims(t, w.signIn("mallory").Extra("id_token").(string)); c["groups"] != nil { // in all-employees, which is not assigned
		t.Errorf("mallory: %v", c["groups"])
	}
}

// TestAssignmentRequired: an app may turn away whoever is not assigned, nested members too.
func TestAssignmentRequired(t *testing.T) {
	org := contoso()
	org.Apps[0].AssignmentRequired = true
	w := newWorld(t, org)
	w.signIn("ada")
	answer, err := w.http.PostForm(w.lanyard().AuthCodeURL("s"), url.Values{"action": {"signin"}, "username": {"mallory"}, "password": {"lanyard-mallory"}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, _ := io.ReadAll(answer.Body)
	if answer.StatusCode != http.StatusBadRequest || !strings.Contains(string(page), "AADSTS50105") {
		t.Errorf("mallory: %s", answer.Status)
	}
}

// TestDelegatedGraph: a user's token for Graph reads that user, and nobody else.
func TestDelegatedGraph(t *testing.T) {
	w := newWorld(t, contoso())
	token := w.signIn("ada").AccessToken
	for path, want := range map[string]int{
		"me": 200, "me/transitiveMemberOf": 200, "users/" + AdaID: 200, "users/" + GraceID: 403, "users": 403, "groups/delta": 403, "subscriptions": 403,
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", w.GraphURL()+"/"+path, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		answer, err := w.http.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := decodeBody(t, answer)
		if answer.StatusCode != want || want == 200 && path == "me" && body["id"] != AdaID {
			t.Errorf("%s: %d %v", path, answer.StatusCode, body)
		}
	}
}
