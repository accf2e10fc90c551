package apiserver

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

func (w *world) decree(text string) {
	w.t.Helper()
	set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "decree.cedar", Text: text}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.Publish(func(f access.Facts) access.Facts { f.Policies = set; return f }, access.Touched{All: true})
}

// Why says the outcome, every policy that was true with its place and text, what would help, and the circumstances.
func TestWhyIsComplete(t *testing.T) {
	w := newWorld(t)
	w.decree("// pushes\n@step_up(\"c1\")\n@id(\"pushes-need-c1\")\nforbid (principal, action == Action::\"repo:write\", resource)\nunless { context.contexts.contains(\"c1\") };\n" +
		"@approval(\"" + viewers.Object + "\") @id(\"calls\") forbid (principal, action == Action::\"app:call\", resource);\n")
	x, err := w.as(ada).Why(t.Context(), "repo:write", apiURL, "")
	if err != nil || x.Decision != "step up" || x.Context != "c1" || x.Code != "step-up-needed" {
		t.Errorf("%+v, %v", x, err)
	}
	found := map[string]bool{}
	for _, r := range x.Rules {
		found[r.Effect+" "+r.ID] = r.File != "" && r.Line > 0 && strings.Contains(r.Text, string(identity.RepoWrite))
		if r.ID == "pushes-need-c1" && (r.File != "decree.cedar" || r.Line != 2) {
			t.Errorf("%s is at %s:%d", r.ID, r.File, r.Line)
		}
	}
	if !found["permit developers-write"] || !found["forbid pushes-need-c1"] || len(x.Rules) != 2 {
		t.Errorf("policies: %+v", x.Rules)
	}
	if len(x.Needs) != 1 || !strings.Contains(x.Needs[0], "authentication context c1") || x.Circumstances["session"] != "browser" ||
		x.Circumstances["strength"] != "mfa" || x.Circumstances["ip"] != "127.0.0.1" || x.Circumstances["signed_in"] == nil {
		t.Errorf("needs %q, known %v", x.Needs, x.Circumstances)
	}

	x, err = w.as(edith).Why(t.Context(), "app:call", "payments/ledger", "ada")
	if err != nil || x.Decision != "request" || x.Approvers != "payments-viewers" || !strings.HasPrefix(x.Run, "lanyard request app:call payments/ledger") {
		t.Errorf("%+v, %v", x, err)
	}
	if x.Circumstances != nil {
		t.Errorf("the auditor's own circumstances are given as ada's: %v", x.Circumstances)
	}
	g := grant.Grant{ID: identity.NewGrantID(), Kind: grant.Approval, User: ada, Group: viewers, By: linus, Why: "month's end", From: time.Now(), Until: time.Now().Add(time.Hour),
		Allowed: []grant.Allowed{{Action: identity.AppCall, Kind: identity.KindApp, Project: projectID}}}
	w.engine.Publish(func(f access.Facts) access.Facts { f.Grants = grant.NewSet([]grant.Grant{g}); return f }, access.Touched{Users: []identity.UserID{ada}})
	x, err = w.as(ada).Why(t.Context(), "app:call", "payments/ledger", "")
	if err != nil || x.Decision != "allow" || x.Grant == nil || x.Grant.ID != string(g.ID) || x.Grant.By != "Linus Torvalds" || x.Grant.Why != g.Why || len(x.Needs) != 0 {
		t.Errorf("%+v, grant %+v, %v", x, x.Grant, err)
	}

	x, err = w.as(edith).Why(t.Context(), "repo:write", apiURL, "linus")
	if err != nil || x.Decision != "deny" || len(x.Needs) != 2 || !strings.Contains(x.Needs[0], "developer in project payments, which comes with the group payments-engineers") ||
		!strings.Contains(x.Needs[1], "pushes-need-c1 (decree.cedar:2)") {
		t.Errorf("%+v, %v", x, err)
	}
}

// Whoever may not know of a resource learns nothing more by asking why: no policy, no fact, no need.
func TestWhyTellsAStrangerNothing(t *testing.T) {
	w := newWorld(t)
	w.decree(`@id("secret") forbid (principal, action == Action::"repo:read", resource) when { resource.url == "` + apiURL + `" };`)
	there, err := w.as(mallory).Why(t.Context(), "repo:read", apiURL, "")
	if err != nil {
		t.Fatal(err)
	}
	absent, err := w.as(mallory).Why(t.Context(), "repo:read", "https://git.example.test/payments/none", "")
	if err != nil {
		t.Fatal(err)
	}
	if len(there.Rules)+len(there.Needs)+len(there.Facts)+len(there.Policies)+len(there.Circumstances) != 0 || there.Code != absent.Code ||
		there.Decision != absent.Decision || there.Project != absent.Project || !there.Until.Equal(absent.Until) {
		t.Errorf("there: %+v\nabsent: %+v", there, absent)
	}
	for _, u := range []identity.UserID{ada, mallory} {
		if _, err := w.as(u).Why(t.Context(), "repo:read", apiURL, "linus"); status(err) != http.StatusForbidden {
			t.Errorf("%s asks about somebody else: %v", u, err)
		}
	}
}
