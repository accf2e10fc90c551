package policy

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cedar-policy/cedar-go/types"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Compiled conditions mean what Cedar's own evaluation makes of them, errors included.
func TestCompiledMeansTheSame(t *testing.T) {
	compiled, all, fails := 0, 0, 0
	eachRound(t, false, func(t *testing.T, g *generator, set *Set) {
		for range 30 {
			in, facts := g.input(), g.facts()
			v, _ := set.view(in, facts)
			if v == nil {
				t.Fatalf("the schema does not know %+v", in)
			}
			for _, rules := range [][]sliced{v.slice.rules, v.slice.byProject[v.project], v.slice.byName[v.projectName()], v.slice.byThing[v.resource], v.slice.grouped} {
				for i := range rules {
					r := &rules[i]
					all++
					if !r.compiled {
						continue
					}
					compiled++
					got, gotErr := r.test.ask(v)
					want, wantErr := v.cedar(r.rule)
					if wantErr != nil {
						fails++
					}
					if got != want || (gotErr == nil) != (wantErr == nil) {
						t.Fatalf("%s\n%+v\ncompiled: %v, %v\nCedar:    %v, %v", set.rules[r.number].Text, in, got, gotErr, want, wantErr)
					}
				}
			}
		}
	})
	t.Logf("%d of %d evaluations were compiled; %d failed", compiled, all, fails)
	if compiled < all*9/10 {
		t.Errorf("only %d of %d evaluations were of compiled conditions", compiled, all)
	}
}

// What a slice leaves out is never true there: neither rules of other actions and kinds nor those of other projects.
func TestSlicesLoseNothing(t *testing.T) {
	eachRound(t, false, func(t *testing.T, g *generator, set *Set) {
		for range 20 {
			in, facts := g.input(), g.facts()
			v, _ := set.view(in, facts)
			kept := map[int]bool{}
			for _, rules := range [][]sliced{v.slice.rules, v.slice.byProject[v.project], v.slice.byName[v.projectName()], v.slice.byThing[v.resource], v.slice.grouped} {
				for i := range rules {
					kept[rules[i].number] = true
				}
			}
			for _, r := range set.all {
				if kept[r.number] {
					continue
				}
				whole := *v.slice // with all that any policy mentions
				whole.groups, whole.roles = nil, nil
				for _, one := range set.all {
					for _, uid := range one.names {
						whole.mention(uid)
					}
				}
				w := *v
				w.slice, w.asker, w.target = &whole, nil, nil
				if is, err := w.cedar(r); is {
					t.Fatalf("%s\nis true of %+v (%v), and its slice lacks it", set.rules[r.number].Text, in, err)
				}
			}
		}
	})
}

func TestTheShippedPoliciesAreCompiled(t *testing.T) {
	set := mustParse(t)
	for action, table := range set.slices {
		for _, row := range table {
			for _, one := range row {
				if one == nil {
					continue
				}
				for _, r := range newSlice(one.key, set.all).rules {
					if !r.compiled {
						t.Errorf("%s is not, for %s", r.id, action)
					}
				}
			}
		}
	}
}

// Every type of the schema that asks or is asked for has a place of its own.
func TestPlaces(t *testing.T) {
	known, err := readSchema()
	if err != nil {
		t.Fatal(err)
	}
	taken := map[int]types.EntityType{}
	for _, action := range known.Actions {
		for _, one := range append(slices.Clone(action.AppliesTo.Principals), action.AppliesTo.Resources...) {
			at := place(one)
			if other, ok := taken[at]; at == 0 || at >= places || ok && other != one {
				t.Errorf("%s has the place %d of %q", one, at, other)
			}
			taken[at] = one
		}
	}
}

// Looking at the policies of the user's groups only is the same as looking at all.
func TestManyGroups(t *testing.T) {
	g := &generator{Rand: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 1))}
	object := func(n int) string { return fmt.Sprintf("cccccccc-0000-0000-0000-%012d", n) }
	var text strings.Builder
	for i := range 3 * manyGroups {
		fmt.Fprintf(&text, "%s (principal %s Group::%q, action, resource) when { %s };\n", pick(g, "permit", "permit", "permit", "forbid"),
			pick(g, "in", "is User in"), object(i%(2*manyGroups)), pick(g, `context.session == "cli"`, "true", "resource is Repo"))
	}
	set, err := Parse(Source{Tenant: tenant, Files: []File{{"x.cedar", text.String()}}, WithoutShipped: true})
	if err != nil {
		t.Fatal(err)
	}
	allowed := 0
	for range 500 {
		in, facts := g.input(), g.facts()
		for range g.IntN(6) {
			id := identity.GroupID{Tenant: pick(g, tenant, tenant, "another"), Object: object(g.IntN(3 * manyGroups))}
			if u := in.Principal.User; !facts.InGroup(u, id) {
				facts.groups[u] = append(facts.groups[u], id)
			}
		}
		v, _ := set.view(in, facts)
		got := v.decide(nil)
		v, _ = set.view(in, facts)
		all := *v.slice
		all.rules, all.grouped, all.byGroup = append(slices.Clone(all.rules), all.grouped...), nil, nil
		v.slice = &all
		if want := v.decide(nil); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v: got %+v, want %+v", in, got, want)
		}
		if got.Allow {
			allowed++
		}
	}
	if allowed == 0 {
		t.Error("nothing was allowed")
	}
}
