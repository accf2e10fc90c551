package registration_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/registration"
)

// patch changes an object as somebody else does.
func (w *world) patch(path string, body any) {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPatch, w.url+"/v1.0"+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: w.transport}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("%s: %d", path, resp.StatusCode)
	}
}

// What somebody changed is changed back, what somebody added stays and is told of.
func TestDiffers(t *testing.T) {
	w := newWorld(t)
	done, err := w.apply(w.wanted())
	if err != nil {
		t.Fatal(err)
	}
	app := "/applications(appId='" + done.ClientID + "')"
	var now struct {
		AppRoles       []map[string]any
		OptionalClaims struct{ IDToken []map[string]any }
	}
	w.get(app, &now)
	lead := map[string]any{"id": "a9211844-b8ba-4006-a4fe-32cabc1ec2c1", "value": "Payments.Lead", "displayName": "Payments lead", "description": "Leads", "isEnabled": true, "allowedMemberTypes": []string{"User"}}
	own := "https://own.contoso.example/callback"
	w.patch(app, map[string]any{
		"web":                   map[string]any{"redirectUris": []string{own}, "logoutUrl": "https://elsewhere.contoso.example/", "implicitGrantSettings": map[string]bool{"enableIdTokenIssuance": true}},
		"appRoles":              append(now.AppRoles, lead),
		"optionalClaims":        map[string]any{"idToken": []map[string]any{{"name": "upn", "essential": true}}, "accessToken": []any{}, "saml2Token": []any{}},
		"api":                   map[string]any{"requestedAccessTokenVersion": 1},
		"groupMembershipClaims": "ApplicationGroup", "requiredResourceAccess": []any{},
	})
	w.patch("/servicePrincipals(appId='"+done.ClientID+"')", map[string]any{"appRoleAssignmentRequired": false})
	plan := w.plan(w.wanted())
	for _, want := range []string{"redirect address " + url0 + "/login/callback/entra", "told of sign-outs at " + url0, "no tokens in addresses", "tokens of version 2", "claims in ID tokens: acrs, sid",
		"asks at Microsoft Graph for User.Read.All", "let nobody sign in who is not assigned"} {
		if !strings.Contains(says(plan), want) {
			t.Errorf("the plan does not say %q:\n%s", want, says(plan))
		}
	}
	if len(plan.Steps) != 2 || !strings.Contains(strings.Join(plan.Notes, "\n"), own) {
		t.Errorf("the plan is\n%s\nwith %q", says(plan), plan.Notes)
	}
	if _, err := w.apply(w.wanted()); err != nil {
		t.Fatal(err)
	}
	got, _ := w.App(done.ClientID)
	if !slices.Contains(got.RedirectURIs, own) || len(got.RedirectURIs) != 3 || len(got.AppRoles) != 3 || !slices.Contains(got.OptionalClaims, "upn") ||
		!slices.Contains(got.OptionalClaims, "acrs") || got.GroupMembershipClaims != "ApplicationGroup" || !got.AssignmentRequired {
		t.Errorf("then the app is %+v", got)
	}
	if plan := w.plan(w.wanted()); len(plan.Steps) != 0 {
		t.Errorf("then there is left\n%s", says(plan))
	}
}

// Where Lanyard may not read the directory, it asks for no application permission, and tokens name groups.
func TestBySignIn(t *testing.T) {
	w := newWorld(t)
	wanted := w.wanted()
	wanted.GroupClaims = true
	wanted.Application, wanted.Delegated = registration.Permissions(registration.Reads{People: true})
	done, err := w.apply(wanted)
	if err != nil {
		t.Fatal(err)
	}
	if app, _ := w.App(done.ClientID); app.GroupMembershipClaims != "SecurityGroup" {
		t.Errorf("the app is %+v", app)
	}
	var granted struct{ Value []any }
	w.get("/servicePrincipals(appId='"+done.ClientID+"')/appRoleAssignments", &granted)
	if len(granted.Value) != 0 {
		t.Errorf("granted are %v", granted.Value)
	}
	// Later it may: consent is added to what there is.
	wanted.Application, _ = registration.Permissions(registration.Reads{Users: true, Groups: true})
	wanted.Delegated = append(wanted.Delegated, "User.Read.All")
	if _, err := w.apply(wanted); err != nil {
		t.Fatal(err)
	}
	// What it needs no more is told of, and stays.
	less := wanted
	less.Application = nil
	if plan := w.plan(less); len(plan.Steps) != 0 || !strings.Contains(strings.Join(plan.Notes, "\n"), "also has the permission Group.Read.All") {
		t.Errorf("of superfluous permissions is said %q, and to do is\n%s", plan.Notes, says(plan))
	}
	var consents struct{ Value []struct{ Scope string } }
	w.get("/servicePrincipals(appId='"+done.ClientID+"')/oauth2PermissionGrants", &consents)
	if len(consents.Value) != 1 || !strings.Contains(consents.Value[0].Scope, "User.Read.All") || !strings.Contains(consents.Value[0].Scope, "offline_access") {
		t.Errorf("consented is to %+v", consents.Value)
	}
}

func federatedToken(t *testing.T, aud any) string {
	t.Helper()
	payload, err := json.Marshal(map[string]any{"iss": "https://issuer.example.test/", "sub": "system:serviceaccount:lanyard:lanyard", "aud": aud})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("e30."+base64.RawURLEncoding.EncodeToString(payload)+".c2ln\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A federated token is registered by what it says, to the letter.
func TestFederated(t *testing.T) {
	w := newWorld(t)
	wanted := w.wanted()
	wanted.Credentials = []registration.Credential{{Files: credential.Files{FederatedToken: federatedToken(t, []string{"api://AzureADTokenExchange"})}}}
	done, err := w.apply(wanted)
	if err != nil {
		t.Fatal(err)
	}
	app, _ := w.App(done.ClientID)
	if len(app.Federated) != 1 || app.Federated[0].Issuer != "https://issuer.example.test/" || app.Federated[0].Subject != "system:serviceaccount:lanyard:lanyard" ||
		app.Federated[0].Audience != "api://AzureADTokenExchange" || len(app.Certificates) != 0 {
		t.Errorf("the app is %+v", app)
	}
	if plan := w.plan(wanted); len(plan.Steps) != 0 {
		t.Errorf("then there is left\n%s", says(plan))
	}
	for name, path := range map[string]string{"another audience": federatedToken(t, "api://other"), "two": federatedToken(t, []string{"api://AzureADTokenExchange", "b"}), "no file": filepath.Join(t.TempDir(), "token")} {
		wanted.Credentials[0].FederatedToken = path
		if _, err := w.setup(wanted).Plan(t.Context()); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A second certificate works beside the first one, whose entry stays.
func TestNextCertificate(t *testing.T) {
	w := newWorld(t)
	wanted := w.wanted()
	done, err := w.apply(wanted)
	if err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(w.files, "next")
	wanted.Credentials = append(wanted.Credentials, registration.Credential{Files: credential.Files{Certificate: next + ".crt", Key: next + ".key"}})
	if _, err := w.apply(wanted); err != nil {
		t.Fatal(err)
	}
	if app, _ := w.App(done.ClientID); len(app.Certificates) != 2 {
		t.Errorf("there are %d certificates", len(app.Certificates))
	}
	if info, err := os.Stat(next + ".key"); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	if plan := w.plan(wanted); len(plan.Steps) != 0 {
		t.Errorf("then there is left\n%s", says(plan))
	}
}

// What cannot be is said, with what to do, before anything is changed.
func TestNotPossible(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		change func(*registration.Wanted)
		kind   problem.Kind
		says   string
	}{
		"no such client": {func(r *registration.Wanted) { r.ClientID = adaID }, problem.NotFound, "take client_id out"},
		"no such user":   {func(r *registration.Wanted) { r.Assign[0].Who = "nobody@contoso.example" }, problem.NotFound, "nobody@contoso.example"},
		"no such group":  {func(r *registration.Wanted) { r.Assign[1].Who = "nowhere" }, problem.NotFound, "no group"},
		"nobody is me":   {func(r *registration.Wanted) { r.Me = registration.AdminRole }, problem.Invalid, "--admin"},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := w.wanted()
			c.change(&wanted)
			_, err := w.setup(wanted).Plan(t.Context())
			if problem.KindOf(err) != c.kind || !strings.Contains(fmt.Sprint(err), c.says) {
				t.Errorf("%v", err)
			}
		})
	}
	token := w.token
	w.token = "no token"
	if _, err := w.setup(w.wanted()).Plan(t.Context()); problem.KindOf(err) != problem.Denied || strings.Contains(fmt.Sprint(err), w.token) {
		t.Errorf("a bad token: %v", err)
	}
	w.token = token
	weak := newWorld(t, "Application.Read.All", "Directory.Read.All")
	if _, err := weak.apply(weak.wanted()); problem.KindOf(err) != problem.Denied || !strings.Contains(fmt.Sprint(err), "Cloud Application Administrator") {
		t.Errorf("without the right to register: %v", err)
	}
}

// Whatever names hold, the script is one that bash reads, and runs none of them.
func TestAttack35TheScriptRunsNoName(t *testing.T) {
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed on this machine")
	}
	w := newWorld(t)
	wanted := w.wanted()
	made := filepath.Join(t.TempDir(), "made")
	wanted.Name = "La'nyard $(touch " + made + ") `touch " + made + "`\n touch " + made + " #\""
	script, err := w.plan(wanted).Script("https://graph.microsoft.com/v1.0")
	if err != nil {
		t.Fatal(err)
	}
	// az answers with nothing: all that a name could do is done by the shell.
	stub := t.TempDir()
	if err := os.WriteFile(filepath.Join(stub, "az"), []byte("#!/bin/sh\necho id\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	script = strings.ReplaceAll(script, w.files, stub)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Env = append(os.Environ(), "PATH="+stub+":"+os.Getenv("PATH"))
	if out, err := cmd.CombinedOutput(); err != nil && !bytes.Contains(out, []byte("openssl")) {
		t.Errorf("%v\n%s\n%s", err, out, script)
	}
	if _, err := os.Stat(made); err == nil {
		t.Errorf("a name ran:\n%s", script)
	}
}
