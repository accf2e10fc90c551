package policy

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Attack 20: who remembers verdicts under what Reads leaves never takes one for another's. Whatever Reads takes out of
// the circumstances makes no difference, neither to the verdict nor to the facts that it was made from.
func TestAttack20VerdictsRestOnWhatReadsLeaves(t *testing.T) {
	differed := 0
	eachRound(t, false, func(t *testing.T, g *generator, set *Set) {
		for range 20 {
			in := g.input()
			facts := &asked{world: g.facts()}
			sl := set.Slice(in.Action, in.Resource, in.Principal.Kind)
			if sl != set.Slice(in.Action, in.Resource, in.Principal.Kind) {
				t.Fatal("a slice does not stay the same")
			}
			was := set.Decide(in, facts)
			wanted := facts.taken()
			same := func(in Input) {
				t.Helper()
				is := set.Decide(in, facts)
				if asked := facts.taken(); !reflect.DeepEqual(was, is) || !reflect.DeepEqual(wanted, asked) {
					t.Fatalf("%s\n%+v\nwas %+v from %v\n is %+v from %v", texts(set), in, was, wanted, is, asked)
				}
			}
			other := in
			other.Context = sl.Reads(in.Context)
			same(other)
			for range 10 { // others that it takes for equal
				other.Context = g.circumstances()
				if sl.Reads(other.Context) == sl.Reads(in.Context) {
					if other.Context != in.Context {
						differed++
					}
					same(other)
				}
			}
		}
	})
	if differed == 0 {
		t.Error("no two circumstances were taken for equal")
	}
}

// asked is a world that notes what it is asked.
type asked struct {
	world
	questions []string
}

func (a *asked) note(of ...any) { a.questions = append(a.questions, fmt.Sprint(of...)) }

func (a *asked) taken() []string {
	out := a.questions
	a.questions = nil
	return out
}

func (a *asked) InGroup(u identity.UserID, g identity.GroupID) bool {
	a.note("group ", u, g)
	return a.world.InGroup(u, g)
}

func (a *asked) Groups(u identity.UserID) []identity.GroupID {
	a.note("groups ", u)
	return a.world.Groups(u)
}

func (a *asked) ProjectRole(u identity.UserID, p identity.ProjectID) Role {
	a.note("role ", u, p)
	return a.world.ProjectRole(u, p)
}

func (a *asked) GlobalRole(u identity.UserID, r Role) bool {
	a.note("global ", u, r)
	return a.world.GlobalRole(u, r)
}

func (a *asked) Sensitive(r identity.Resource) string {
	a.note("sensitive ", r)
	return a.world.Sensitive(r)
}

func (a *asked) Approved(u identity.UserID, action identity.Action, r identity.Resource, by identity.GroupID) (time.Time, bool) {
	a.note("approved ", u, action, r, by)
	return a.world.Approved(u, action, r, by)
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
