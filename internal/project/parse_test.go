package project

import (
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

const tenant = identity.TenantID("11111111-1111-1111-1111-111111111111")

func gid(object string) identity.GroupID { return identity.GroupID{Tenant: tenant, Object: object} }

const (
	engineers = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11"
	leads     = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a12"
	everybody = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a13"
	more      = "5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a14"
)

// groups is a directory made of a list.
type groups []Group

func (g groups) Ready() bool { return g != nil }
func (g groups) Group(id identity.GroupID) (Group, bool) {
	i := slices.IndexFunc(g, func(one Group) bool { return one.ID == id })
	if i < 0 {
		return Group{}, false
	}
	return g[i], true
}
func (g groups) AssignedGroups(name string) (out []Group) {
	for _, one := range g {
		if one.Assigned && one.Name == name {
			out = append(out, one)
		}
	}
	return out
}

func (g groups) Assigned() iter.Seq[Group] {
	return func(yield func(Group) bool) {
		for _, one := range g {
			if one.Assigned && !yield(one) {
				return
			}
		}
	}
}

func directory() groups {
	return groups{
		{gid(engineers), "payments-engineers", false, true},
		{gid(leads), "leads", false, true},
		{gid(everybody), "all-engineers", true, true},
		{gid(more), "payments-leads", true, true},
	}
}

func read(t *testing.T, files ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile("testdata/" + f)
		if err != nil {
			t.Fatal(err)
		}
		out[f] = string(text)
	}
	return out
}

func parseGood(t *testing.T, g Groups, pins ...Pin) Result {
	t.Helper()
	result, err := Parse(Input{
		Revision: Revision{Number: 7, Projects: read(t, "good/payments.yaml", "good/empty.yml")},
		Names:    []Name{{"payments", "p-aaaaaaaaaaaaaaaa"}}, Pins: pins, Tenant: tenant, Groups: g, Pinning: true,
		Global: map[Role][]source.Located{Admin: {{Text: leads, File: "lanyard.yaml", Line: 3, Column: 9}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestParse(t *testing.T) {
	result := parseGood(t, directory())
	set := result.Set
	if len(set.Findings()) > 0 {
		t.Errorf("findings: %v", set.Findings())
	}
	p, ok := set.ByName("payments")
	if !ok || p.ID != "p-aaaaaaaaaaaaaaaa" || p.File != "good/payments.yaml" || p.Workspace.Timeout != 45*time.Minute {
		t.Errorf("got %+v", p)
	}
	wantRoles := map[Role][]identity.GroupID{
		Viewer: {gid(everybody)}, Developer: {gid(engineers)}, Maintainer: {gid(leads), gid(more)},
	}
	if diff := cmp.Diff(wantRoles, p.Roles); diff != "" {
		t.Error(diff)
	}
	wantRepositories := []Repository{
		{URL: "https://git.example.test/payments/api", Credential: Credential{EntraScope: "api://git.example.test/.default"}},
		{URL: "https://old.example.test/payments/legacy", Credential: Credential{BasicFile: "/run/secrets/git"}, Sensitive: "c1"},
		{URL: "https://old.example.test/payments/open"},
		{URL: "https://old.example.test/payments/more"},
	}
	if diff := cmp.Diff(wantRepositories, p.Repositories); diff != "" {
		t.Error(diff)
	}
	if q, r, ok := set.ForRepository("https://git.example.test/payments/api"); !ok || q.Name != "payments" || r.Credential.EntraScope == "" {
		t.Errorf("ForRepository: %v %v %v", q, r, ok)
	}
	if _, _, ok := set.ForRepository("https://git.example.test/payments/api.git"); ok {
		t.Error("ForRepository takes what is not canonical")
	}
	if f := set.LongLived(); len(f) != 1 || f[0].Line != 10 || f[0].Column != 10 || !strings.HasPrefix(f[0].Message, "basic_file /run/secrets/git for https://old.example.test/payments/legacy: ") {
		t.Errorf("long-lived: %v", f)
	}
	if q, a, ok := set.App("ledger"); !ok || q.Name != "payments" || a.URL.String() != "http://ledger.internal.example.test:8080/base" || a.Audience != "ledger" {
		t.Errorf("App: %v %v %v", q, a, ok)
	}
	e, ok := set.ByName("empty")
	if !ok || e.Workspace.Timeout != DefaultTimeout {
		t.Errorf("got %+v", e)
	}
	if again, ok := set.Project(e.ID); !ok || again.Name != "empty" {
		t.Error("a new project is not found by its ID")
	}
	if len(set.All()) != 2 || set.Revision() != 7 {
		t.Errorf("All: %v", set.All())
	}
	if len(result.Names) != 1 || result.Names[0] != (Name{"empty", e.ID}) {
		t.Errorf("new names: %v", result.Names)
	}
	slices.SortFunc(result.Pins, func(a, b Pin) int { return strings.Compare(a.Name, b.Name) })
	if diff := cmp.Diff([]Pin{{"all-engineers", gid(everybody)}, {"payments-leads", gid(more)}}, result.Pins); diff != "" {
		t.Error(diff)
	}
	in := func(object string) func(identity.GroupID) bool {
		return func(g identity.GroupID) bool { return g == gid(object) }
	}
	if !set.Global(Admin, in(leads)) || set.Global(Admin, in(engineers)) || set.Global(Auditor, in(leads)) {
		t.Error("roles of the installation")
	}
	for object, want := range map[string]Role{everybody: Viewer, engineers: Developer, leads: Maintainer, more: Maintainer, "x": NoRole} {
		role, via := p.Role(in(object))
		if role != want || want != NoRole && via != gid(object) {
			t.Errorf("%s: got %q via %v", object, role, via)
		}
	}
	if role, via := p.Role(func(identity.GroupID) bool { return true }); role != Maintainer || via != gid(leads) {
		t.Errorf("who is in all groups: %q via %v", role, via)
	}
}

// A line `#! 3:14 message` in a file says what must be found, in order.
func expected(name, text string) []string {
	var want []string
	for line := range strings.Lines(text) {
		if w, ok := strings.CutPrefix(line, "#! "); ok {
			place, message, _ := strings.Cut(strings.TrimSpace(w), " ")
			want = append(want, name+":"+place+": "+message)
		}
	}
	return want
}

func TestBrokenFiles(t *testing.T) {
	entries, err := os.ReadDir("testdata/broken")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			files := read(t, "broken/"+e.Name())
			_, err := Parse(Input{Revision: Revision{Projects: files}, Tenant: tenant, Groups: directory(), Pinning: true})
			if err == nil {
				t.Fatal("it was accepted")
			}
			for name, text := range files {
				if diff := cmp.Diff(expected(name, text), strings.Split(err.Error(), "\n")); diff != "" {
					t.Error(diff)
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a secret is in the message")
			}
		})
	}
}

func TestAllFilesAreReported(t *testing.T) {
	_, err := Parse(Input{Tenant: tenant, Revision: Revision{Projects: map[string]string{
		"a.yaml": "project: a\nrepositories: [{url: 'https://git.example.test/x'}]\nresources: [{app: x, url: 'http://x'}]\n",
		"b.yaml": "project: b\nrepositories: [{url: 'https://git.example.test/x.git'}]\nresources: [{app: x, url: 'http://y'}]\n",
		"c.yaml": "project: a\n",
		"d.yaml": "nonsense: a\n",
		"e.yaml": "",
	}}, Global: map[Role][]source.Located{Admin: {{Text: "pat@contoso.example", File: "lanyard.yaml", Line: 9, Column: 10}}}})
	want := []string{
		"b.yaml:2:22: repository https://git.example.test/x belongs to one project only and is already at a.yaml:2",
		"b.yaml:3:19: the name x is unique in the installation and is already at a.yaml:3",
		"c.yaml:1:10: project a is already at a.yaml:1",
		"d.yaml:1:1: unknown key `nonsense`; known here: project, roles, repositories, resources, agents, workspace, sign_in_age",
		"d.yaml:1:1: `project` is missing",
		"e.yaml: the file is empty",
		"lanyard.yaml:9:10: a role is given to a group, never to an e-mail address; write the group's object ID",
	}
	if err == nil {
		t.Fatal("accepted")
	}
	if diff := cmp.Diff(want, strings.Split(err.Error(), "\n")); diff != "" {
		t.Error(diff)
	}
}

// Attack 5: an e-mail address, however it is written, never gives a role.
func TestAttack05NeverByEMail(t *testing.T) {
	for _, address := range []string{"pat@contoso.example", "pat@evil.example@contoso.example", "@contoso.example", "Pat <pat@contoso.example>"} {
		for _, in := range []Input{
			{Revision: Revision{Projects: map[string]string{"p.yaml": "project: p\nroles: {developer: ['" + address + "']}\n"}}},
			{Global: map[Role][]source.Located{Admin: {{Text: address, File: "lanyard.yaml"}}}},
		} {
			in.Tenant, in.Pinning = tenant, true
			in.Groups = groups{{gid(engineers), address, true, true}} // not even where a group is called so
			if _, err := Parse(in); err == nil || !strings.Contains(err.Error(), "never to an e-mail address") {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}
