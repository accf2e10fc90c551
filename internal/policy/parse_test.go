package policy

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// The files of testdata say themselves what is wrong with them: a line `//! 3:14 message` for each finding.
func TestBrokenFiles(t *testing.T) {
	entries, err := os.ReadDir("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			text, err := os.ReadFile("testdata/broken/" + e.Name())
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if w, ok := strings.CutPrefix(line, "//! "); ok {
					place, message, _ := strings.Cut(strings.TrimSpace(w), " ")
					want = append(want, e.Name()+":"+place+": "+message)
				}
			}
			_, err = Parse(Source{Tenant: tenant, Files: []File{{Name: e.Name(), Text: string(text)}}})
			if err == nil {
				t.Fatal("it was accepted")
			}
			if got := err.Error(); got != strings.Join(want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

func TestAllFilesAreReported(t *testing.T) {
	_, err := Parse(Source{Tenant: tenant, Files: []File{
		{"a.cedar", "permit (principal, action, resource)"},
		{"b.cedar", "\npermit (principal, action == Action::\"repo:reed\", resource);"},
		{"c.cedar", `@id("x") permit (principal, action, resource);`},
		{"d.cedar", `@id("x") permit (principal, action, resource);`},
		{"e.cedar", strings.Repeat("(", 5000)},
		{ShippedFile, ""},
	}})
	for _, want := range []string{"a.cedar:1:37:", "b.cedar:2:30:", "d.cedar:1:1:", "e.cedar:", "shipped.cedar:1:1:"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("missing %s in\n%v", want, err)
		}
	}
}

// Invariant 1: a policy that fails denies, whether it forbids or permits, and whatever stands beside it.
func TestAnErrorDenies(t *testing.T) {
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	in := Input{Principal: person(dev), Action: identity.RepoRead, Resource: repo}
	if v := mustParse(t).Decide(in, sample()); !v.Allow {
		t.Fatalf("without the failing policy: %+v", v)
	}
	for name, text := range map[string]string{
		// A sum beyond 64 bits fails when it is evaluated; no schema can see it.
		"forbid": `@id("fails") forbid (principal, action, resource) when { 9223372036854775807 + 1 == 0 };`,
		"permit": `@id("fails") permit (principal, action, resource) when { 9223372036854775807 + 1 == 0 };`,
		// The same, reached only through the facts.
		"forbid by attribute": `@id("fails") forbid (principal, action, resource is Repo)
			when { resource.project == "payments" && decimal("922337203685477.5807").lessThan(decimal("0.0")) || 9223372036854775807 * 2 > 0 };`,
	} {
		t.Run(name, func(t *testing.T) {
			v := mustParse(t, File{Name: "x.cedar", Text: text}).Decide(in, sample())
			if v.Allow || len(v.Errors) != 1 || !strings.Contains(v.Errors[0], "fails") || len(v.Policies) != 0 {
				t.Errorf("got %+v", v)
			}
		})
	}
}

func TestUnknownQuestionsAreDenied(t *testing.T) {
	set := mustParse(t, File{Name: "generous.cedar", Text: "permit (principal, action, resource);"})
	for _, in := range []Input{
		{},
		{Principal: person(dev), Action: "repo:burn", Resource: identity.Resource{Kind: identity.KindRepo, Project: payments}},
		{Principal: person(dev), Action: identity.RepoRead, Resource: identity.Resource{Kind: "planet", Name: "x"}},
		{Principal: person(dev), Action: identity.RepoRead, Resource: identity.Installation()},
		{Principal: identity.Principal{Kind: identity.Person}, Action: identity.RepoRead, Resource: identity.Resource{Kind: identity.KindRepo, Project: payments}},
		{Principal: identity.Principal{Kind: identity.AIAgent, Agent: "x"}, Action: identity.RepoRead, Resource: identity.Resource{Kind: identity.KindRepo, Project: payments}},
		{Principal: person(dev), Action: identity.ProjectView, Resource: identity.Resource{Kind: identity.KindProject, Name: string(ledger), Project: payments}},
	} {
		if v := set.Decide(in, sample()); v.Allow || len(v.Errors) == 0 {
			t.Errorf("%+v: %+v", in, v)
		}
	}
}

func TestAdministratorsPolicies(t *testing.T) {
	contractors := identity.GroupID{Tenant: tenant, Object: "cccccccc-0000-0000-0000-000000000001"}
	set := mustParse(t, File{Name: "own.cedar", Text: `
@id("contractors-read-only")
forbid (principal in Group::"cccccccc-0000-0000-0000-000000000001", action == Action::"repo:write", resource);
@id("no-push-from-the-browser")
forbid (principal, action == Action::"repo:write", resource) when { context.session == "browser" };
@id("ledger-is-frozen")
forbid (principal, action == Action::"repo:write", resource) when { resource.project == "ledger" };
@id("one-guest")
permit (principal == User::"00000000-0000-0000-0000-000000000006", action == Action::"repo:read", resource)
when { resource.url like "https://git.example.test/payments/*" };
@id("owners-in-group")
permit (principal, action == Action::"workspace:stop", resource is Workspace)
when { resource.owner in Group::"cccccccc-0000-0000-0000-000000000001" && resource in Project::"p-aaaaaaaaaaaaaaaa" };
`})
	facts := sample()
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	write := Input{Principal: person(dev), Action: identity.RepoWrite, Resource: repo, Context: Circumstances{Session: "workspace"}}
	decide := func(in Input) string {
		v := set.Decide(in, facts)
		if len(v.Errors) > 0 {
			t.Errorf("%+v", v)
		}
		if v.Allow {
			return "allow " + strings.Join(v.Policies, " ")
		}
		return "deny " + strings.Join(v.Policies, " ")
	}
	check := func(in Input, want string) {
		t.Helper()
		if got := decide(in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	check(write, "allow developers-write")
	facts.groups[dev] = []identity.GroupID{contractors}
	check(write, "deny contractors-read-only")
	write.Principal = person(mona)
	write.Context.Session = "browser"
	check(write, "deny no-push-from-the-browser")
	write.Context.Session = ""
	facts.roles[mona][ledger] = Developer
	write.Resource.Project = ledger
	check(write, "deny ledger-is-frozen")
	check(Input{Principal: person(stray), Action: identity.RepoRead, Resource: repo}, "allow one-guest")

	ws := identity.Resource{Kind: identity.KindWorkspace, Name: "w-x", Project: payments, Owner: dev}
	check(Input{Principal: person(stray), Action: identity.WorkspaceStop, Resource: ws}, "allow owners-in-group")
	ws.Owner = vera
	check(Input{Principal: person(stray), Action: identity.WorkspaceStop, Resource: ws}, "deny ")
}

// Invariant 2: somebody of another tenant with the same object ID is somebody else.
func TestAnotherTenantIsAnotherUser(t *testing.T) {
	set := mustParse(t, File{Name: "own.cedar", Text: `permit (principal == User::"00000000-0000-0000-0000-000000000006", action == Action::"repo:read", resource);`})
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	other := identity.UserID{Tenant: "22222222-2222-2222-2222-222222222222", Object: stray.Object}
	if v := set.Decide(Input{Principal: person(other), Action: identity.RepoRead, Resource: repo}, sample()); v.Allow {
		t.Errorf("got %+v", v)
	}
	if v := set.Decide(Input{Principal: person(other), Action: identity.SelfView, Resource: identity.Own(stray)}, sample()); v.Allow {
		t.Errorf("got %+v", v)
	}
}

func TestTheClockGivesUntil(t *testing.T) {
	set := mustParse(t, File{Name: "own.cedar", Text: `
forbid (principal, action == Action::"repo:write", resource) when { context.now.toTime() > duration("18h") };`})
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	noon := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	v := set.Decide(Input{Principal: person(dev), Action: identity.RepoWrite, Resource: repo, Now: noon}, sample())
	if !v.Allow || !v.Until.Equal(noon.Add(6*time.Hour+time.Millisecond)) {
		t.Errorf("at noon: %+v", v)
	}
	v = set.Decide(Input{Principal: person(dev), Action: identity.RepoWrite, Resource: repo, Now: noon.Add(7 * time.Hour)}, sample())
	if v.Allow {
		t.Errorf("in the evening: %+v", v)
	}
	v = set.Decide(Input{Principal: person(dev), Action: identity.RepoRead, Resource: repo, Now: noon}, sample())
	if !v.Allow || !v.Until.IsZero() {
		t.Errorf("a read does not depend on the clock: %+v", v)
	}
}

func TestRules(t *testing.T) {
	for _, r := range mustParse(t).Rules() {
		if r.File != ShippedFile || r.Line == 0 || !strings.HasPrefix(r.Text, `@id("`+r.ID+`")`) || !strings.HasSuffix(r.Text, ";") {
			t.Errorf("%+v", r)
		}
		if r.ID == "sensitive-repositories" && (r.StepUp != "resource.sensitive" || !strings.HasPrefix(r.Comment, "// What a project's file")) {
			t.Errorf("%+v", r)
		}
	}
}
