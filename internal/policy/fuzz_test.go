package policy

import (
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// FuzzParse evaluates whatever is accepted, and compares what was compiled with Cedar's own evaluation.
func FuzzParse(f *testing.F) {
	f.Add(shippedText)
	f.Add("permit (principal, action, resource) when { \"\\u{110000}\" };")
	f.Add("@id(\"\") forbid(principal is User in Group::\"x\",action,resource)unless{context.now>context.now};")
	f.Add("@step_up(\"c1\") forbid (principal, action, resource) when { 1 < 2 } unless { context.contexts.contains(\"c1\") || context has ip };")
	f.Add("@approval(\"cccccccc-0000-0000-0000-000000000001\") forbid (principal, action, resource is Repo) when { resource.url like \"*a\" };")
	f.Add("permit (principal, action, resource) when { context.now.offset(duration(\"-1ms\")).toDate() <= datetime(\"1970-01-01\") };")
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	space := identity.Resource{Kind: identity.KindWorkspace, Name: "w-x", Project: payments, Owner: dev}
	questions := []Input{
		{Principal: person(dev), Action: identity.RepoRead, Resource: repo, Now: start,
			Context: Circumstances{Session: "browser", SignedIn: start, Contexts: "c1 ", Strength: "mfa"}},
		{Principal: person(stray), Action: identity.WorkspaceStop, Resource: space, Now: start},
		{Principal: identity.Principal{Kind: identity.Operator}, Action: identity.WorkspaceStop, Resource: space},
		{Principal: person(vera), Action: identity.SelfView, Resource: identity.Own(vera), Now: start},
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := Parse(Source{Tenant: tenant, Files: []File{{"x.cedar", text}}, WithoutShipped: true})
		if (set == nil) == (err == nil) {
			t.Fatalf("set %v, error %v", set, err)
		}
		if set == nil {
			return
		}
		for _, in := range questions {
			verdict := set.Decide(in, sample())
			if !verdict.Until.IsZero() && !verdict.Until.After(in.Now) {
				t.Errorf("until %s, asked at %s", verdict.Until, in.Now)
			}
			v, _ := set.view(in, sample())
			for i := range v.slice.rules {
				r := &v.slice.rules[i]
				if !r.compiled {
					continue
				}
				got, gotErr := r.test.ask(v)
				want, wantErr := v.cedar(r.rule)
				if got != want || (gotErr == nil) != (wantErr == nil) {
					t.Fatalf("compiled: %v, %v; Cedar: %v, %v", got, gotErr, want, wantErr)
				}
			}
		}
	})
}
