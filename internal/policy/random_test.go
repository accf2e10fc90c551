package policy

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

// generator writes random policies and asks random questions. Policies are of forms that the schema accepts, or nearly:
// a text that is refused is thrown away.
type generator struct {
	*rand.Rand
	times bool // conditions on the clock only in forms whose changes are known
}

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

var someGroups = []string{"cccccccc-0000-0000-0000-000000000001", "cccccccc-0000-0000-0000-000000000002"}

// start is the moment around which random worlds live.
var start = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func (g *generator) users() identity.UserID { return pick(g, vera, dev, mona, adam, audrey, stray) }

func (g *generator) text() string {
	return pick(g, `"browser"`, `"cli"`, `"none"`, `"payments"`, `"c1"`, `"large"`, `"https://git.example.test/payments/api"`,
		"context.session", "context.agent", "context.strength", "context.class",
		"resource.url", "resource.name", "resource.project", "resource.sensitive")
}

func (g *generator) entity() string {
	return pick(g, "principal", "principal", "resource", "resource.owner", "resource.viewers", "resource.developers", "resource.maintainers",
		fmt.Sprintf("User::%q", g.users().Object), fmt.Sprintf("Group::%q", pick(g, someGroups...)), `Role::"admin"`, `Role::"auditor"`,
		fmt.Sprintf("Role::\"%s/%s\"", pick(g, payments, ledger), pick(g, "viewer", "developer", "maintainer")),
		fmt.Sprintf("Project::%q", pick(g, payments, ledger)))
}

func (g *generator) moment(depth int) string {
	at := start.Add(time.Duration(g.IntN(8*24*3600)-4*24*3600) * time.Second)
	choices := []string{"context.now", "context.now", "context.signedIn", fmt.Sprintf("datetime(%q)", at.Format("2006-01-02T15:04:05Z"))}
	if depth > 0 {
		choices = append(choices, fmt.Sprintf("%s.offset(%s)", g.moment(depth-1), g.duration(depth-1)), g.moment(depth-1)+".toDate()")
	}
	return pick(g, choices...)
}

func (g *generator) duration(depth int) string {
	choices := []string{fmt.Sprintf("duration(%q)", pick(g, "8h", "90s", "1h30m", "-1h", "0s", "18h", "250ms", "2d", "-30000d"))}
	if depth > 0 {
		choices = append(choices, fmt.Sprintf("%s.durationSince(%s)", g.moment(depth-1), g.moment(depth-1)), g.moment(depth-1)+".toTime()",
			g.moment(depth-1)+".toTime()")
	}
	return pick(g, choices...)
}

func (g *generator) clock() string {
	compare := pick(g, "<", "<=", ">", ">=", "==", "!=")
	switch g.IntN(5) {
	case 0, 1:
		return g.moment(2) + " " + compare + " " + g.moment(2)
	case 2, 3:
		return g.duration(2) + " " + compare + " " + g.duration(2)
	default:
		return fmt.Sprintf("%s.%s() %s %d", g.duration(2), pick(g, "toHours", "toMinutes", "toSeconds", "toDays", "toMilliseconds"), compare, g.IntN(30)-5)
	}
}

func (g *generator) condition(depth int) string {
	if depth > 0 {
		a, b := g.condition(depth-1), g.condition(depth-1)
		switch g.IntN(8) {
		case 0, 1, 2:
			return "(" + a + " && " + b + ")"
		case 3, 4:
			return "(" + a + " || " + b + ")"
		case 5:
			return "!(" + a + ")"
		case 6:
			return "(if " + a + " then " + b + " else " + g.condition(depth-1) + ")"
		}
	}
	if g.times {
		return pick(g, g.clock(), "(context has signedIn && "+g.clock()+")", g.clock(), `context.session == "browser"`)
	}
	switch g.IntN(12) {
	case 0:
		return g.text() + pick(g, " == ", " != ") + g.text()
	case 1:
		return g.entity() + pick(g, " == ", " != ") + g.entity()
	case 2, 3:
		return g.entity() + " in " + g.entity()
	case 4:
		return g.entity() + " in [" + g.entity() + ", " + g.entity() + "]"
	case 5:
		return g.entity() + " is " + pick(g, "User", "Operator", "Repo", "Project", "Workspace in Project::\""+string(payments)+"\"")
	case 6:
		return "context has " + pick(g, "agent", "ip", "signedIn", "strength", "class", "session")
	case 7:
		return "resource has " + pick(g, "sensitive", "owner", "url", "viewers")
	case 8:
		return g.text() + " like " + pick(g, `"https://*"`, `"c*"`, `"*"`, `"pay*s"`)
	case 9:
		return pick(g, "context.contexts.contains("+g.text()+")", `context.contexts.containsAll(["c1", "c2"])`,
			`context.contexts.containsAny(["c2", "c3"])`, "context.contexts.isEmpty()", `["browser", "cli"].contains(`+g.text()+")",
			`context.contexts == ["c1"]`)
	case 10:
		return "(context has ip && " + pick(g, `context.ip.isInRange(ip("10.0.0.0/8"))`, "context.ip.isLoopback()", "context.ip.isIpv4()",
			"context.ip.isIpv6()", "context.ip.isMulticast()", `context.ip == ip("10.1.2.3")`, `context.ip.isInRange(ip("fe80::/10"))`) + ")"
	default:
		return "(context has signedIn && " + g.clock() + ")"
	}
}

func (g *generator) policy() string {
	if g.times {
		return fmt.Sprintf("%s (principal, action, resource) when { %s };", pick(g, "permit", "forbid"), g.condition(2))
	}
	var b strings.Builder
	b.WriteString(pick(g, "permit", "permit", "forbid", "forbid", fmt.Sprintf("@approval(%q)\nforbid", someGroups[0]), "@step_up(\"c1\")\nforbid"))
	stepUp := strings.HasPrefix(b.String(), "@step_up")
	fmt.Fprintf(&b, " (%s, %s, %s)",
		pick(g, "principal", "principal", "principal is User", fmt.Sprintf("principal in Group::%q", pick(g, someGroups...)),
			`principal in Role::"admin"`, fmt.Sprintf("principal == User::%q", g.users().Object), "principal is Operator", "principal is Anonymous"),
		pick(g, "action", `action == Action::"repo:read"`, `action in [Action::"repo:write", Action::"workspace:stop", Action::"lease:list"]`),
		pick(g, "resource", "resource", "resource is Repo", "resource is Workspace", `resource == Repo::"https://git.example.test/payments/api"`,
			fmt.Sprintf("resource == User::%q", dev.Object), fmt.Sprintf("resource in Project::%q", payments)))
	for range g.IntN(3) {
		fmt.Fprintf(&b, " %s { %s }", pick(g, "when", "unless"), g.condition(2))
	}
	if stepUp {
		b.WriteString(` unless { context.contexts.contains("c1") }`)
	}
	b.WriteString(";")
	return b.String()
}

// policies parses some random policies; nil when the schema refused all.
func (g *generator) policies(n int) *Set {
	files := map[string]File{}
	for i := range n {
		name := fmt.Sprintf("%d.cedar", i)
		files[name] = File{Name: name, Text: g.policy()}
	}
	for len(files) > 0 {
		s, err := Parse(Source{Tenant: tenant, Files: slices.Collect(maps.Values(files)), WithoutShipped: true})
		var found source.Findings
		if !errors.As(err, &found) {
			return s
		}
		for _, f := range found {
			delete(files, f.File)
		}
	}
	return nil
}

func (g *generator) circumstances() Circumstances {
	return Circumstances{
		Session: pick(g, "", "browser", "cli", "workspace"), Agent: pick(g, "", "", "fixer"),
		IP: pick(g, netip.Addr{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("::ffff:10.1.2.3"), netip.MustParseAddr("fe80::1%eth0"),
			netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("203.0.113.9")),
		SignedIn: pick(g, time.Time{}, start.Add(-time.Duration(g.IntN(1e9))*100*time.Microsecond)),
		Strength: pick(g, "", "c1", "mfa"), Contexts: pick(g, "", "c1 ", "c1 c2 ", "c3 "), Class: pick(g, "", "large", "c1"),
	}
}

func (g *generator) input() Input {
	in := Input{Context: g.circumstances(), Now: start.Add(time.Duration(g.Int64N(int64(48*time.Hour))) - 24*time.Hour)}
	in.Principal = pick(g, person(g.users()), person(g.users()), person(g.users()), identity.Principal{Kind: identity.Operator},
		identity.Principal{Kind: identity.AIAgent, User: dev, Agent: "fixer"}, identity.Principal{})
	in.Resource = pick(g,
		identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments},
		identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/ledger/secret", Project: ledger},
		identity.Resource{Kind: identity.KindWorkspace, Name: "w-x", Project: pick(g, payments, ledger, ""), Owner: pick(g, dev, stray, identity.UserID{})},
		identity.Own(dev), identity.Installation(), identity.Resource{Kind: identity.KindProject, Name: string(payments), Project: payments})
	switch in.Resource.Kind {
	case identity.KindRepo:
		in.Action = pick(g, identity.RepoRead, identity.RepoWrite)
	case identity.KindWorkspace:
		in.Action = pick(g, identity.WorkspaceStop, identity.LeaseList)
	default:
		in.Action = identity.LeaseList
	}
	return in
}

func (g *generator) facts() world {
	w := sample()
	if g.IntN(3) == 0 {
		w.given = map[identity.GroupID]time.Time{{Tenant: tenant, Object: someGroups[0]}: start.Add(48 * time.Hour)}
	}
	w.needs = map[string]string{"https://git.example.test/ledger/secret": "c1"}
	for _, u := range []identity.UserID{vera, dev, mona, stray} {
		for _, id := range someGroups {
			if g.IntN(2) == 0 {
				w.groups[u] = append(w.groups[u], identity.GroupID{Tenant: tenant, Object: id})
			}
		}
		if g.IntN(2) == 0 {
			w.roles[u] = map[identity.ProjectID]Role{payments: pick(g, ProjectRoles()...), ledger: pick(g, ProjectRoles()...)}
		}
	}
	return w
}

// rounds is how many random sets of policies a property is tried on; more with LANYARD_SLOW=1.
func rounds() int {
	if os.Getenv("LANYARD_SLOW") != "" {
		return 5000
	}
	return 150
}

func eachRound(t *testing.T, times bool, try func(*testing.T, *generator, *Set)) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 1)), times: times}
	tried := 0
	for range rounds() {
		if set := g.policies(1 + g.IntN(3)); set != nil {
			tried++
			try(t, g, set)
		}
		if t.Failed() {
			return
		}
	}
	if tried < rounds()/10 {
		t.Errorf("only %d of %d sets of policies were accepted", tried, rounds())
	}
	t.Logf("%d sets of policies", tried)
}

// texts shows a set's policies, for a failure's message.
func texts(s *Set) string {
	var b strings.Builder
	for _, r := range s.Rules() {
		fmt.Fprintf(&b, "%s: %s\n", r.ID, r.Text)
	}
	return b.String()
}
