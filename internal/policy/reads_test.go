package policy

import (
	"reflect"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Attack 20: who remembers verdicts under what Reads leaves never takes one for another's. Whatever Reads takes out of
// the circumstances makes no difference, and neither do the facts that Rests does not name.
func TestAttack20VerdictsRestOnWhatTheySay(t *testing.T) {
	differed := 0
	eachRound(t, false, func(t *testing.T, g *generator, set *Set) {
		for range 20 {
			in, facts := g.input(), g.facts()
			sl := set.Slice(in.Action, in.Resource, in.Principal.Kind)
			if sl != set.Slice(in.Action, in.Resource, in.Principal.Kind) {
				t.Fatal("a slice does not stay the same")
			}
			was := set.Decide(in, facts)
			same := func(what string, in Input, facts Facts) {
				t.Helper()
				if is := set.Decide(in, facts); !reflect.DeepEqual(was, is) {
					t.Fatalf("%s\n%+v\n%s is not read, and changes %+v to %+v", texts(set), in, what, was, is)
				}
			}

			other := in
			other.Context = sl.Reads(in.Context)
			same("what Reads leaves out", other, facts)
			for range 10 { // others that it takes for equal
				other.Context = g.circumstances()
				if sl.Reads(other.Context) == sl.Reads(in.Context) {
					if other.Context != in.Context {
						differed++
					}
					same("what Reads leaves out", other, facts)
				}
			}
			rests := sl.Rests()
			if !rests.Clock {
				if later := in; was.Until.IsZero() {
					later.Now = in.Now.Add(time.Duration(g.Int64N(int64(1000 * time.Hour))))
					same("the clock", later, facts)
				} else if len(facts.given) == 0 {
					t.Fatalf("%s\n%+v ends, and the clock is not read", texts(set), was)
				}
			}
			// Everything that is not the principal's or the resource's is another.
			if !rests.Others {
				for _, u := range []identity.UserID{vera, dev, mona, stray} {
					if u == in.Principal.User {
						here := facts.roles[u][in.Resource.Project]
						facts.roles[u] = map[identity.ProjectID]Role{payments: Maintainer, ledger: Viewer}
						facts.roles[u][in.Resource.Project] = here
						continue
					}
					facts.groups[u] = []identity.GroupID{{Tenant: tenant, Object: someGroups[g.IntN(2)]}}
					facts.roles[u] = map[identity.ProjectID]Role{payments: pick(g, ProjectRoles()...)}
				}
				same("what is others'", in, facts)
			}
			if !rests.Global {
				facts.global = map[identity.UserID]Role{in.Principal.User: pick(g, Admin, Auditor)}
				same("a role of the installation", in, facts)
			}
			if !rests.Approvals {
				facts.given = map[identity.GroupID]time.Time{{Tenant: tenant, Object: someGroups[0]}: in.Now.Add(time.Hour)}
				same("an approval", in, facts)
			}
		}
	})
	if differed == 0 {
		t.Error("no two circumstances were taken for equal")
	}
}

func TestReads(t *testing.T) {
	full := Circumstances{Session: "browser", Agent: "fixer", Strength: "mfa", Contexts: "c1 ", Class: "large", SignedIn: start}
	for _, c := range []struct {
		condition string
		want      Circumstances
	}{
		{`context.session == "browser"`, Circumstances{Session: "browser"}},
		{`context has agent`, Circumstances{Agent: "fixer"}},
		{`context.now < datetime("2027-01-01")`, Circumstances{}},
		{`context has signedIn && context.now.durationSince(context.signedIn) < duration("1h")`, Circumstances{SignedIn: start}},
		{`context.contexts.contains("c1")`, Circumstances{Contexts: "c1 "}},
		{`[context].contains(context)`, full},
	} {
		set, err := Parse(Source{Tenant: tenant, WithoutShipped: true, Files: []File{{"x.cedar", `permit (principal, action == Action::"repo:read", resource) when { ` + c.condition + ` };`}}})
		if err != nil {
			t.Errorf("%s: %v", c.condition, err)
			continue
		}
		sl := set.Slice(identity.RepoRead, identity.Resource{Kind: identity.KindRepo}, identity.Person)
		if got := sl.Reads(full); got != c.want {
			t.Errorf("%s reads %+v", c.condition, got)
		}
		if other := set.Slice(identity.AppCall, identity.Resource{Kind: identity.KindApp}, identity.Person); other.Reads(full) != (Circumstances{}) {
			t.Errorf("%s is read by another slice", c.condition)
		}
	}
}
