package entrasim

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRestart stops a tenant and starts it again on its folder and address.
func TestRestart(t *testing.T) {
	folder, r := t.TempDir(), newReceiver(t)
	w := startWorld(t, contoso(), folder, "")
	addr := w.server.Listener.Addr().String()
	secret, _ := w.App("Lanyard")
	token := w.signIn("ada")
	browser := w.http
	_, link := w.round("groups/delta?$select=displayName,members")
	w.subscribeTo(r, "groups")
	w.RemoveMember("payments-engineers", "ada")
	made, _ := w.CreateUser(User{UserPrincipalName: "nia", AccountEnabled: true})
	eventually(t, "the first notification", func() bool { return r.count() == 1 })
	w.shut()

	w = startWorld(t, contoso(), folder, addr)
	if again, _ := w.App("Lanyard"); again.Secret != secret.Secret || again.Secret == "" {
		t.Error("the client secret changed")
	}
	if w.in("payments-engineers", AdaID) {
		t.Error("a removed member came back")
	}
	if u, ok := w.User("nia"); !ok || u.ID != made.ID {
		t.Error("the joiner is lost")
	}
	if _, err := w.verify(token.AccessToken); err != nil {
		t.Errorf("the signing key changed: %v", err)
	}
	status, body := w.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}, "scope": {"openid profile"}})
	if status != http.StatusOK || claims(t, body["id_token"].(string))["sub"] != claims(t, token.Extra("id_token").(string))["sub"] {
		t.Errorf("refresh: %d %v", status, body)
	}
	w.http.Jar = browser.Jar
	if answer, _ := w.open("prompt", "none"); answer.StatusCode != http.StatusFound {
		t.Errorf("the browser's session: %s", answer.Status)
	}
	if changed, _ := w.round(link); len(changed) != 1 || changed[0]["id"] != PaymentsEngineersID {
		t.Errorf("the delta goes on with %v", changed)
	}
	w.AddMember("payments-engineers", "ada")
	eventually(t, "the subscription goes on", func() bool { return r.count() == 2 })
}

// TestStateIsPrivate: files of the state are for their owner, and hold no token that works.
func TestStateIsPrivate(t *testing.T) {
	folder := t.TempDir()
	w := startWorld(t, contoso(), folder, "")
	token := w.signIn("ada")
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 4 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
		file, err := os.Open(filepath.Join(folder, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(file)
		file.Close()
		if err != nil || strings.Contains(string(data), token.RefreshToken) {
			t.Errorf("%s holds a refresh token", f.Name())
		}
	}
}
