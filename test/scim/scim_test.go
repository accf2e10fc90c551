// Package scim tests the tenant's provisioning service against a whole server: from its secret to what closes because of
// what it says.
package scim

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// service is a client of the server's SCIM side.
type service struct {
	w      *harness.World
	secret api.MadeProvisioningSecret
}

func newService(w *harness.World) *service {
	w.T.Helper()
	said := w.Lanyard("scim", "secret", "create", "--name", "entra", "--json")
	s := &service{w: w}
	if err := json.Unmarshal([]byte(said.Out), &s.secret); err != nil || said.Status != 0 {
		w.T.Fatalf("%+v %v", said, err)
	}
	return s
}

// send returns the answer's status and body. path begins below the tenant URL, or is an address.
func (s *service) send(method, path string, body any) (int, map[string]any) {
	s.w.T.Helper()
	if strings.HasPrefix(path, "/") {
		path = s.secret.TenantURL + path
	}
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			s.w.T.Fatal(err)
		}
		sent = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(s.w.Context(), method, path, sent)
	if err != nil {
		s.w.T.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.secret.Secret)
	if body != nil {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	status, text := s.w.Curl(r)
	var doc map[string]any
	_ = json.Unmarshal([]byte(text), &doc) // pages are no JSON
	return status, doc
}

func (s *service) want(status int, method, path string, body any) map[string]any {
	s.w.T.Helper()
	got, doc := s.send(method, path, body)
	if got != status {
		s.w.T.Fatalf("%s %s: %d, want %d: %v", method, path, got, status, doc)
	}
	return doc
}

type object = map[string]any

func active(value any) object {
	return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": "Replace", "path": "active", "value": value}}}
}

// What the provisioning service disables is closed when it has its answer, stays so over a kill, and is in the log with
// the credential's name.
func TestDisablingCloses(t *testing.T) {
	w := harness.Start(t)
	s := newService(w)
	oid := w.Tenant().User("ada")
	ws := w.Workspace("ada", payments)
	term := w.Terminal("ada", ws)
	id, _ := s.want(201, "POST", "/Users", object{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": "ada@contoso.example", "externalId": oid, "active": true})["id"].(string)
	if why, err := w.Operator.Why(w.Context(), "repo:read", payments, "ada"); err != nil || why.Decision != "allow" {
		t.Fatalf("before: %+v %v", why, err)
	}
	s.want(200, "PATCH", "/Users/"+id, active("False"))
	w.Eventually("the terminal ends", func() bool {
		select {
		case <-term.Ended():
			return true
		default:
			return false
		}
	})
	denied := func(when string) {
		t.Helper()
		if why, err := w.Operator.Why(w.Context(), "repo:read", payments, "ada"); err != nil || why.Decision == "allow" {
			t.Errorf("%s: %+v %v", when, why, err)
		}
	}
	denied("disabled")
	w.Kill()
	w.Run()
	denied("after a kill")
	s.want(200, "PATCH", "/Users/"+id, active(true))
	if why, err := w.Operator.Why(w.Context(), "repo:read", payments, "ada"); err != nil || why.Decision != "allow" {
		t.Errorf("enabled again: %+v %v", why, err)
	}
	s.want(204, "DELETE", "/Users/"+id, nil)
	denied("deleted")
	if said := w.Lanyard("scim", "status"); said.Status != 0 || !strings.Contains(said.Out, "1 users were deleted") {
		t.Errorf("status: %+v", said)
	}
	if said := w.Lanyard("scim", "forget", "ada"); said.Status != 0 {
		t.Errorf("forget: %+v", said)
	}
	if why, err := w.Operator.Why(w.Context(), "repo:read", payments, "ada"); err != nil || why.Decision != "allow" {
		t.Errorf("forgotten: %+v %v", why, err)
	}
	w.Eventually("the log tells it", func() bool {
		said := w.Lanyard("audit", "search", "--action", "scim:write", "--json")
		return strings.Contains(said.Out, `"change":"disabled"`) && strings.Contains(said.Out, `"credential_name":"entra"`) && strings.Contains(said.Out, "service:provisioning")
	})
	if said := w.Lanyard("audit", "search", "--json"); strings.Contains(said.Out, s.secret.Secret) || strings.Contains(w.Log(), s.secret.Secret) {
		t.Error("the secret is in a log")
	}
}

// TestAttack10WhatOpensSCIMOpensNothingElse shows a provisioning credential at every other door, and a person's session at
// SCIM's.
func TestAttack10WhatOpensSCIMOpensNothingElse(t *testing.T) {
	w := harness.Start(t)
	s := newService(w)
	s.want(200, "GET", "/Users?count=0", nil)
	for _, path := range []string{"/api/v1/me", "/api/v1/leases?user=*", "/api/v1/provisioning", "/api/v1/users", "/r/ledger/", "/git/git.example.test/payments/api/info/refs?service=git-upload-pack"} {
		if status, doc := s.send("GET", w.Info.URL+path, nil); status < 400 {
			t.Errorf("%s answers %d: %v", path, status, doc)
		}
	}
	person := w.As("grace")
	defer person.Close()
	r, err := http.NewRequestWithContext(w.Context(), "GET", w.Info.URL+"/scim/v2/Users", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := person.HTTP.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
		t.Errorf("a person's session at SCIM: %d", resp.StatusCode)
	}
	if said := w.Lanyard("scim", "secret", "revoke", "entra"); said.Status != 0 {
		t.Errorf("%+v", said)
	}
	s.want(401, "GET", "/Users?count=0", nil)
	if said := w.Lanyard("scim", "secret", "list"); !strings.Contains(said.Out, "revoked") || strings.Contains(said.Out, s.secret.Secret) {
		t.Errorf("%+v", said)
	}
}
