package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestStepUpAndApproval(t *testing.T) {
	leads := identity.GroupID{Tenant: tenant, Object: "cccccccc-0000-0000-0000-000000000001"}
	set := mustParse(t, File{"own.cedar", `
@id("writes-need-c1") @step_up("c1")
forbid (principal, action == Action::"repo:write", resource)
when { resource.project == "payments" }
unless { context.contexts.contains("c1") || context.session == "cli" };
@id("leads-approve") @approval("cccccccc-0000-0000-0000-000000000001")
forbid (principal, action == Action::"repo:write", resource is Repo)
when { resource.url like "*/api" };
@id("never-from-sites")
forbid (principal, action == Action::"repo:write", resource) when { context.session == "site" };
`})
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	now := start
	end := now.Add(time.Hour + 700*time.Microsecond) // to the very moment
	for _, c := range []struct {
		name     string
		user     identity.UserID
		session  string
		contexts string
		approved bool
		want     Verdict
	}{
		{"both", dev, "browser", "", false, Verdict{StepUp: "c1", Approval: leads, Policies: []string{"writes-need-c1", "leads-approve"}}},
		{"signed in again", dev, "browser", "c1 ", false, Verdict{Approval: leads, Policies: []string{"leads-approve"}}},
		{"from the command line", dev, "cli", "", false, Verdict{Approval: leads, Policies: []string{"leads-approve"}}},
		{"approved", dev, "browser", "", true, Verdict{StepUp: "c1", Policies: []string{"writes-need-c1"}, Until: end}},
		{"both done", dev, "browser", "c1 c2 ", true, Verdict{Allow: true, Policies: []string{"developers-write"}, Until: end}},
		{"another context", dev, "browser", "c11 ", false, Verdict{StepUp: "c1", Approval: leads, Policies: []string{"writes-need-c1", "leads-approve"}}},
		{"nothing permits", vera, "browser", "", false, Verdict{Policies: []string{"writes-need-c1", "leads-approve"}}},
		{"a plain forbid stands too", dev, "site", "", false, Verdict{Policies: []string{"writes-need-c1", "leads-approve", "never-from-sites"}}},
		{"a plain forbid stands alone", dev, "site", "c1 ", true, Verdict{Policies: []string{"never-from-sites"}, Until: end}},
	} {
		facts := sample()
		if c.approved {
			facts.given = map[identity.GroupID]time.Time{leads: end}
		}
		got := set.Decide(Input{Principal: person(c.user), Action: identity.RepoWrite, Resource: repo, Now: now,
			Context: Circumstances{Session: c.session, Contexts: c.contexts}}, facts)
		if !got.Until.Equal(c.want.Until) {
			t.Errorf("%s: until %s", c.name, got.Until)
		}
		got.Until, c.want.Until = time.Time{}, time.Time{}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// What check proved holds: with the context, a forbid that carries @step_up is gone, whatever else it says.
func TestStepUpIsProven(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	asked, refused := 0, 0
	for range rounds() {
		text := fmt.Sprintf("permit (principal, action, resource);\n@step_up(\"c1\") forbid (principal, action, resource) %s { %s } %s { %s };",
			pick(g, "when", "unless"), g.condition(1),
			pick(g, "when", "unless", "unless"), pick(g, `context.contexts.contains("c1")`, `context.contexts.contains("c1") || `+g.condition(1), `!(context.contexts.contains("c1"))`))
		set, err := Parse(Source{Tenant: tenant, Files: []File{{"x.cedar", text}}, WithoutShipped: true})
		if err != nil {
			refused++
			continue
		}
		for range 20 {
			in, facts := g.input(), g.facts()
			if before := set.Decide(in, facts); before.StepUp != "c1" {
				continue
			}
			asked++
			in.Context.Contexts = "c1 " + in.Context.Contexts
			if after := set.Decide(in, facts); !after.Allow {
				t.Fatalf("%s\n%+v: signing in with c1 leaves %+v", text, in, after)
			}
		}
	}
	if asked == 0 || refused == 0 {
		t.Errorf("%d verdicts asked for a step-up, %d sets were refused", asked, refused)
	}
}

func TestSensitiveRepositories(t *testing.T) {
	set, facts := mustParse(t), sample()
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/legacy", Project: payments}
	facts.needs = map[string]string{repo.Name: "c3"}
	for _, action := range []identity.Action{identity.RepoRead, identity.RepoWrite, "repo:force"} {
		in := Input{Principal: person(dev), Action: action, Resource: repo}
		if v := set.Decide(in, facts); v.Allow || v.StepUp != "c3" {
			t.Errorf("%s without the context: %+v", action, v)
		}
		in.Context.Contexts = "c1 "
		if v := set.Decide(in, facts); v.Allow || v.StepUp != "c3" {
			t.Errorf("%s with another context: %+v", action, v)
		}
		in.Context.Contexts = "c1 c3 "
		if v := set.Decide(in, facts); !v.Allow {
			t.Errorf("%s with the context: %+v", action, v)
		}
		in.Principal, in.Context.Contexts = person(stray), ""
		if v := set.Decide(in, facts); v.Allow || v.StepUp != "" {
			t.Errorf("%s of who has no role: %+v", action, v)
		}
	}
	ordinary := Input{Principal: person(dev), Action: identity.RepoRead, Resource: identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}}
	if v := set.Decide(ordinary, facts); !v.Allow {
		t.Errorf("an ordinary repository: %+v", v)
	}
}
