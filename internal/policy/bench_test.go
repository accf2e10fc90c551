package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// manyPolicies are those of a large installation: most are about one project or one group.
func manyPolicies(n int) File {
	var b strings.Builder
	for i := range n {
		switch i % 5 {
		case 0, 1:
			fmt.Fprintf(&b, "@id(\"p%d\") forbid (principal, action == Action::\"repo:write\", resource) when { resource.project == \"p%d\" && context.session == \"site\" };\n", i, i)
		case 2:
			fmt.Fprintf(&b, "@id(\"p%d\") permit (principal in Group::\"cccccccc-0000-0000-0000-%012d\", action == Action::\"repo:read\", resource is Repo) when { resource.project == \"p%d\" };\n", i, i, i)
		case 3:
			fmt.Fprintf(&b, "@id(\"p%d\") forbid (principal, action in [Action::\"app:call\", Action::\"repo:write\"], resource in Project::\"p-%016d\") unless { context has ip && context.ip.isInRange(ip(\"10.%d.0.0/16\")) };\n", i, i, i%256)
		default:
			fmt.Fprintf(&b, "@id(\"p%d\") permit (principal == User::\"00000000-0000-0000-0000-%012d\", action == Action::\"workspace:stop\", resource);\n", i, i+100)
		}
	}
	return File{"many.cedar", b.String()}
}

func BenchmarkDecideAmong(b *testing.B) {
	for _, n := range []int{0, 500, 2000} {
		set, facts := mustParse(b, manyPolicies(n)), sample()
		for _, c := range []struct {
			name string
			in   Input
		}{
			{"repo:write", Input{Principal: person(dev), Action: identity.RepoWrite, Resource: identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}, Now: time.Now()}},
			{"app:call", Input{Principal: person(dev), Action: identity.AppCall, Resource: identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: payments}, Now: time.Now()}},
			{"workspace:open", Input{Principal: person(dev), Action: identity.WorkspaceOpen, Resource: identity.Resource{Kind: identity.KindWorkspace, Name: "w-x", Project: payments, Owner: dev}, Now: time.Now()}},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, c.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !set.Decide(c.in, facts).Allow {
						b.Fatal("denied")
					}
				}
			})
		}
	}
}

// BenchmarkDecideByGroup is among policies that are each about one group, for somebody who is in 144 others.
func BenchmarkDecideByGroup(b *testing.B) {
	facts := inMany{sample(), map[identity.GroupID]bool{}, nil}
	for i := range 144 {
		facts.list = append(facts.list, identity.GroupID{Tenant: tenant, Object: fmt.Sprintf("dddddddd-0000-0000-0000-%012d", i)})
		facts.groups[facts.list[i]] = true
	}
	in := Input{Principal: person(dev), Action: identity.AppCall, Resource: identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: payments}}
	for _, n := range []int{0, 500, 5000} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "forbid (principal in Group::\"cccccccc-0000-0000-0000-%012d\", action == Action::\"app:call\", resource);\n", i)
		}
		set := mustParse(b, File{"groups.cedar", text.String()})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !set.Decide(in, facts).Allow {
					b.Fatal("denied")
				}
			}
		})
	}
}

type inMany struct {
	world
	groups map[identity.GroupID]bool
	list   []identity.GroupID
}

func (m inMany) InGroup(_ identity.UserID, g identity.GroupID) bool { return m.groups[g] }

func (m inMany) Groups(identity.UserID) []identity.GroupID { return m.list }

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{0, 500} {
		f := manyPolicies(n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				mustParse(b, f)
			}
		})
	}
}
