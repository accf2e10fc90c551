package registration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/registration"
)

const customTemplate = "8adf8e6e-67b2-4cf2-a259-e3dc5476c621"

// post makes an object as somebody else does.
func (w *world) post(path string, body, into any) {
	w.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+"/v1.0"+path, bytes.NewReader(text))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: w.transport}).Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		w.t.Fatalf("%s: %d", path, resp.StatusCode)
	}
	if into != nil {
		if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
			w.t.Fatal(err)
		}
	}
}

// An app registration that has our name and address is not taken for ours, whoever made it: it is when the configuration
// names it, and then its secrets, certificates, federated credentials and owners are told of.
func TestPlantedAppIsNotTaken(t *testing.T) {
	w := newWorld(t)
	var planted struct{ ID, AppID string }
	w.post("/applications", map[string]any{"displayName": "Lanyard", "tags": []string{"lanyard:" + url0}, "web": map[string]any{"redirectUris": []string{"https://evil.example.test/"}}}, &planted)
	w.post("/applications/"+planted.ID+"/addPassword", map[string]any{"passwordCredential": map[string]any{"displayName": "mine"}}, nil)
	w.post("/applications/"+planted.ID+"/federatedIdentityCredentials", map[string]any{"name": "mine", "issuer": "https://evil.example.test/", "subject": "me", "audiences": []string{"api://AzureADTokenExchange"}}, nil)
	if _, err := w.apply(w.wanted()); problem.KindOf(err) != problem.Conflict || !strings.Contains(fmt.Sprint(err), planted.AppID) || !strings.Contains(fmt.Sprint(err), "--name") {
		t.Fatalf("a planted registration: %v", err)
	}
	if app, _ := w.App(planted.AppID); len(app.Certificates) != 0 || len(w.Assignments(planted.AppID)) != 0 {
		t.Errorf("it was given %+v", app)
	}
	wanted := w.wanted()
	wanted.ClientID = planted.AppID
	notes := strings.Join(w.plan(wanted).Notes, "\n")
	for _, want := range []string{`client secret "mine"`, "https://evil.example.test/ for me", "owns the app registration", "return to https://evil.example.test/"} {
		if !strings.Contains(notes, want) {
			t.Errorf("of %s nothing is said:\n%s", want, notes)
		}
	}
	// Under another name one is made, and an interrupted run is not led astray by what bears that name by then.
	wanted = w.wanted()
	wanted.Name = "Lanyard of Contoso"
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c := &cut{at: 0, how: "after", ends: cancel}
	if _, err := w.setupBy(wanted, c).Apply(ctx, func(registration.Step) {}); err == nil {
		t.Fatal("it was not interrupted")
	}
	w.post("/applications", map[string]any{"displayName": wanted.Name, "tags": []string{"lanyard:" + url0}}, &planted)
	done, err := w.apply(wanted)
	if err != nil || done.ClientID == planted.AppID {
		t.Fatalf("registered is %s, %v", done.ClientID, err)
	}
	if plan := w.plan(wanted); len(plan.Steps) != 0 || slices.ContainsFunc(plan.Notes, func(n string) bool { return strings.Contains(n, "sign in as Lanyard") }) {
		t.Errorf("then there is left\n%s\n%q", says(plan), plan.Notes)
	}
}

// The secret for provisioning goes to the application that setup made, and to none that only has its name.
func TestPlantedProvisioningAppGetsNoSecret(t *testing.T) {
	w := newWorld(t)
	wanted := w.wanted()
	asked := 0
	wanted.Provisioning = &registration.Provisioning{
		Name: "Lanyard provisioning", TenantURL: url0 + "/scim/v2", Secret: func(context.Context) (string, error) { asked++; return "a-secret", nil },
	}
	w.post("/applicationTemplates/"+customTemplate+"/instantiate", map[string]string{"displayName": wanted.Provisioning.Name}, nil)
	if _, err := w.apply(wanted); problem.KindOf(err) != problem.Conflict || !strings.Contains(fmt.Sprint(err), "Lanyard provisioning") || asked != 0 {
		t.Fatalf("a planted application: %v, and %d secrets", err, asked)
	}
	wanted.Provisioning.Name = "Lanyard of Contoso provisioning"
	done, err := w.apply(wanted)
	if err != nil {
		t.Fatal(err)
	}
	// Another of that name, later, is no other's: the registration says which one it is.
	w.post("/applicationTemplates/"+customTemplate+"/instantiate", map[string]string{"displayName": wanted.Provisioning.Name}, nil)
	if plan := w.plan(wanted); len(plan.Steps) != 0 || asked != 1 {
		t.Errorf("then there is left, after %d secrets\n%s", asked, says(plan))
	}
	var app struct{ Tags []string }
	w.get("/applications(appId='"+done.ClientID+"')", &app)
	if n := len(slices.DeleteFunc(app.Tags, func(tag string) bool { return !strings.HasPrefix(tag, "lanyard-provisioning:") })); n != 1 {
		t.Errorf("the registration names %d applications", n)
	}
}

// What stands in the tenant is no placeholder: it is written back as it was.
func TestTenantTextIsNotExpanded(t *testing.T) {
	w := newWorld(t)
	wanted := w.wanted()
	wanted.Provisioning = &registration.Provisioning{
		Name: "Lanyard provisioning", TenantURL: url0 + "/scim/v2", Secret: func(context.Context) (string, error) { return "a-secret", nil },
	}
	done, err := w.apply(wanted)
	if err != nil {
		t.Fatal(err)
	}
	app := "/applications(appId='" + done.ClientID + "')"
	var now struct {
		Tags     []string
		AppRoles []map[string]any
	}
	w.get(app, &now)
	text := "{{secret}} {{}} {{{app}}} {{nothing}}"
	role := map[string]any{"id": "a9211844-b8ba-4006-a4fe-32cabc1ec2c1", "value": "Lead", "displayName": text, "description": text, "isEnabled": true, "allowedMemberTypes": []string{"User"}}
	tags := append(slices.DeleteFunc(now.Tags, func(tag string) bool { return strings.HasPrefix(tag, "lanyard-provisioning:") }), text)
	disabled := slices.Clone(now.AppRoles)
	for _, r := range disabled {
		r["isEnabled"] = false
	}
	w.patch(app, map[string]any{"appRoles": disabled})
	w.patch(app, map[string]any{"appRoles": []any{role}, "tags": tags})
	// The notes still name the application for provisioning, so its tag is written anew beside the others.
	var list struct{ Value []struct{ ID string } }
	w.get("/servicePrincipals?$filter=displayName%20eq%20'Lanyard%20provisioning'", &list)
	if len(list.Value) != 1 {
		t.Fatalf("there are %d applications for provisioning", len(list.Value))
	}
	left := fmt.Sprintf(`{"tenant":%q,"url":%q,"mark":"A","made":{"provisioning":{"begun":"2026-01-01T00:00:00Z","id":%q}}}`, tenantID, url0, list.Value[0].ID)
	if err := os.WriteFile(filepath.Join(w.files, wanted.Name+" notes"), []byte(left), 0o600); err != nil {
		t.Fatal(err)
	}
	script, err := w.plan(wanted).Script("https://graph.microsoft.com/v1.0")
	if err != nil || !strings.Contains(script, text) {
		t.Errorf("the script does not hold %q: %v\n%s", text, err, script)
	}
	if _, err := w.apply(wanted); err != nil {
		t.Fatal(err)
	}
	w.get(app, &now)
	if !slices.Contains(now.Tags, text) || !slices.ContainsFunc(now.AppRoles, func(r map[string]any) bool { return r["displayName"] == text && r["description"] == text }) || len(now.AppRoles) != 3 {
		t.Errorf("then the app has %q and %v", now.Tags, now.AppRoles)
	}
}

// The notes go into a new file, whatever stands under a name that could be foreseen.
func TestNotesFollowNoLink(t *testing.T) {
	w := newWorld(t)
	victim := filepath.Join(t.TempDir(), "victim")
	if err := os.WriteFile(victim, []byte("theirs"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".Lanyard notes.new", "Lanyard notes"} {
		target := victim
		if name == "Lanyard notes" {
			target = filepath.Join(t.TempDir(), "nothing") // read before it is written
		}
		if err := os.Symlink(target, filepath.Join(w.files, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.apply(w.wanted()); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "theirs" {
		t.Errorf("another's file holds %q, %v", text, err)
	}
}
