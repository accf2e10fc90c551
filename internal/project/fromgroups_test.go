package project

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/source"
)

func pattern(t *testing.T, text string) *FromGroups {
	t.Helper()
	p, err := ParsePattern(text)
	if err != nil || p.String() != text {
		t.Fatalf("%q is read as %q, %v", text, p, err)
	}
	return &FromGroups{Pattern: p, At: source.Located{Text: text, File: "lanyard.yaml", Line: 7}, Keep: time.Hour}
}

func TestPatterns(t *testing.T) {
	for _, c := range []struct{ pattern, name, project, role string }{
		{"ws-{project}-{role}", "ws-payments-developer", "payments", "developer"},
		{"ws-{project}-{role}", "ws-payments-api-viewer", "payments-api", "viewer"},
		{"ws-{project}-{role}", "ws-developer-developer", "developer", "developer"},
		{"{role}s of {project}", "maintainers of shop", "shop", "maintainer"},
		{"ws.{role}.{project}.team", "ws.viewer.a-1.team", "a-1", "viewer"},
	} {
		if project, role, fits, wrong := pattern(t, c.pattern).Pattern.read(c.name); project != c.project || string(role) != c.role || !fits || wrong != "" {
			t.Errorf("%s reads %q as %q, %q, %v, %q", c.pattern, c.name, project, role, fits, wrong)
		}
	}
	p := pattern(t, "ws-{project}-{role}").Pattern
	for _, name := range []string{"", "ws-", "payments-developer", "WS-payments-developer", "ws-developer", "all-employees"} {
		if _, _, fits, _ := p.read(name); fits {
			t.Errorf("%q fits", name)
		}
	}
	for _, name := range []string{"ws-payments-admin", "ws-payments-Developer", "ws-Payments-developer", "ws-../../etc-developer", "ws-pay ments-viewer", "ws--viewer",
		"ws-" + strings.Repeat("a", 64) + "-viewer", "ws-p\u00e4yments-viewer", "ws-x\x00-viewer", "ws-{project}-developer", "ws-x\n-viewer"} {
		if project, _, fits, wrong := p.read(name); !fits || wrong == "" || project != "" {
			t.Errorf("%q names the project %q (fits: %v)", name, project, fits)
		}
	}
	for _, text := range []string{"", "ws", "ws-{project}", "{project}{role}", "{project}-{project}-{role}", "{project}-{role}-{group}", "{project} {role} ", "{project}\x00{role}"} {
		if _, err := ParsePattern(text); err == nil {
			t.Errorf("%q is a pattern", text)
		}
	}
}

// formed is a loader whose projects are made of groups, and what became of them.
type formed struct {
	*bench
	now     time.Time
	changes []GroupChange
	kept    map[identity.ProjectID]bool
}

const templateFile = "template.yaml"

func newFormed(t *testing.T) *formed {
	f := &formed{now: time.Now(), kept: map[identity.ProjectID]bool{}}
	f.bench = newBench(t, func(c *LoaderConfig) {
		c.FromGroups = pattern(t, "ws-{project}-{role}")
		c.FromGroups.Template = filepath.Join(t.TempDir(), templateFile)
		if err := os.WriteFile(c.FromGroups.Template, []byte(held), 0o644); err != nil {
			t.Fatal(err)
		}
		c.Now = func() time.Time { return f.now }
		c.Kept = func(id identity.ProjectID) bool { return f.kept[id] }
		c.Settle = func(_ context.Context, changes []GroupChange, _ *Set) error {
			if f.refuse != nil {
				return f.refuse
			}
			f.changes = append(f.changes, changes...)
			return nil
		}
	})
	return f
}

const held = `workspace: {timeout: 1h}
projects:
  shop:
    repositories: [{url: "https://git.example.test/shop/web"}]
    resources: [{app: basket, url: "http://basket.internal"}]
`

// is puts a directory in force and returns what became of projects.
func (f *formed) is(all ...Group) string {
	f.t.Helper()
	f.changes = nil
	f.directory = fresh(append(groups{}, all...))
	if err := f.Look(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	var said []string
	for _, c := range f.changes {
		said = append(said, c.Project.Name+" "+c.What)
	}
	return strings.Join(said, ", ")
}

func named(object, name string) Group {
	return Group{ID: gid("5c0d1b3e-0a5c-4d0e-9d6f-" + fmt.Sprintf("%012s", object)), Name: name, Assigned: true, Security: true}
}

func (f *formed) project(name string) Project {
	p, _ := f.set().ByName(name)
	return p
}

func (f *formed) found() string {
	var all []string
	for _, one := range f.set().Findings() {
		all = append(all, one.String())
	}
	return strings.Join(all, "\n")
}

func TestProjectsOfGroupsAppearCloseAndComeBack(t *testing.T) {
	f := newFormed(t)
	dev, lead := named("1", "ws-shop-developer"), named("2", "ws-shop-maintainer")
	if said := f.is(dev); said != "shop made" {
		t.Fatal(said)
	}
	p := f.project("shop")
	if !p.FromGroups || p.Closed != "" || len(p.Roles[Developer]) != 1 || p.Roles[Developer][0] != dev.ID || p.Workspace.Timeout != time.Hour || len(p.Apps) != 1 {
		t.Fatalf("the project is %+v", p)
	}
	if of, _, ok := f.set().ForRepository("https://git.example.test/shop/web"); !ok || of.ID != p.ID {
		t.Error("it has no repository")
	}
	if said := f.is(dev, lead); said != "shop widened" || len(f.project("shop").Roles[Maintainer]) != 1 {
		t.Errorf("%s: %+v", said, f.project("shop").Roles)
	}
	if said := f.is(lead); said != "" || len(f.project("shop").Roles[Developer]) != 0 || !strings.Contains(f.found(), "is not in the directory any more") {
		t.Errorf("one of two groups is gone: %q, %+v, %s", said, f.project("shop").Roles, f.found())
	}
	renamed := lead
	renamed.Name = "ws-store-maintainer"
	if said := f.is(renamed); said != "shop closed, store made" {
		t.Error(said)
	}
	closed := f.project("shop")
	if closed.ID != p.ID || !strings.Contains(closed.Closed, "is now called") || closed.ClosedAt.IsZero() || len(closed.Roles) != 0 {
		t.Errorf("the closed project is %+v", closed)
	}
	// Another group of that name is no way in, not even one for a role that nobody had.
	thief, other := named("66", "ws-shop-developer"), named("67", "ws-shop-viewer")
	if said := f.is(renamed, thief, other); said != "" || len(f.project("shop").Roles) != 0 || strings.Count(f.found(), "is closed and kept for 1h") != 2 {
		t.Errorf("another group of its name: %q, %+v, %s", said, f.project("shop").Roles, f.found())
	}
	unassigned := dev
	unassigned.Assigned = false
	if said := f.is(unassigned); said != "store closed" || f.project("shop").Closed == "" {
		t.Error(said)
	}
	if said := f.is(dev, lead); said != "shop reopened" {
		t.Error(said)
	}
	if back := f.project("shop"); back.ID != p.ID || back.Closed != "" || len(back.Roles) != 2 {
		t.Errorf("it came back as %+v", back)
	}
}

func TestProjectsOfGroupsAreForgottenWhenTheirTimeIsUp(t *testing.T) {
	f := newFormed(t)
	dev := named("1", "ws-shop-developer")
	f.is(dev)
	id := f.project("shop").ID
	f.is()
	f.kept[id] = true
	f.now = f.now.Add(2 * time.Hour)
	if said := f.is(); said != "" {
		t.Errorf("%s although workspaces are left", said)
	}
	f.kept[id] = false
	f.now = f.now.Add(time.Minute)
	if said := f.is(); said != "shop forgotten" {
		t.Error(said)
	}
	if _, ok := f.set().ByName("shop"); ok {
		t.Error("it is still there")
	}
	if said := f.is(named("66", "ws-shop-developer")); said != "shop made" || f.project("shop").ID == id {
		t.Errorf("%s with the ID of before: %v", said, f.project("shop").ID == id)
	}
}

func TestWhatTakesIsNotStoredFirstAndWhatGivesIs(t *testing.T) {
	f := newFormed(t)
	dev := named("1", "ws-shop-developer")
	f.is(dev)
	set := f.set()
	gone, changed := set.Rebind(groups{})
	if p, _ := gone.ByName("shop"); !changed || p.Closed == "" || len(p.Roles) != 0 || !p.ClosedAt.IsZero() {
		t.Errorf("it is not closed at once: %+v", p)
	}
	f.is()
	f.refuse = errors.New("the store is down")
	f.directory = fresh(groups{dev})
	if err := f.Look(t.Context()); err == nil {
		t.Error("a store that is down is no error")
	}
	if again, _ := f.set().Rebind(groups{dev}); len(again.projects[0].Roles) != 0 {
		t.Error("it is open again before that is stored")
	}
	if empty, _ := f.set().Rebind(groups(nil)); len(empty.projects) != 1 { // not read yet
		t.Error("before the directory is read the project is not known")
	}
}

func TestAFileIsNeverExtended(t *testing.T) {
	f := newFormed(t)
	f.write("projects/a.yaml", "project: shop2\nroles: {viewer: ["+engineers+"]}\n")
	dev := named("1", "ws-shop2-developer")
	if said := f.is(dev); said != "" || f.project("shop2").FromGroups || len(f.project("shop2").Roles[Developer]) != 0 || !strings.Contains(f.found(), "has a file") {
		t.Errorf("%q, %+v, %s", said, f.project("shop2"), f.found())
	}
	f.is(named("1", "ws-shop-developer"))
	id := f.project("shop").ID
	f.now = f.now.Add(time.Minute)
	f.write("projects/b.yaml", "project: shop\n")
	if err := f.Look(t.Context()); err == nil || !strings.Contains(err.Error(), "has a file; write there what it holds") {
		t.Errorf("a template for a project with a file: %v", err)
	}
	if f.project("shop").ID != id {
		t.Error("a bad file changed something")
	}
}

func TestNamesThatMakeNoProject(t *testing.T) {
	f := newFormed(t)
	mail := named("3", "ws-mail-viewer")
	mail.Security = false
	if said := f.is(named("1", "ws-x-viewer"), named("2", "ws-x-viewer"), mail, named("4", "ws-y-owner"), named("5", "ws-\u202eevil-viewer")); said != "" {
		t.Error(said)
	}
	for _, want := range []string{"several assigned groups", "not a security group", "is no role", "cannot be a project's name"} {
		if !strings.Contains(f.found(), want) {
			t.Errorf("nobody says %q:\n%s", want, f.found())
		}
	}
	many := []Group{}
	for n := range 500 {
		many = append(many, named(fmt.Sprint(n), fmt.Sprintf("ws-bad-%d", n)))
	}
	f.is(many...)
	if n := len(f.set().Findings()); n != claimed+1 {
		t.Errorf("%d findings", n)
	}
}

func TestTemplatesWriteAddressesInFull(t *testing.T) {
	for text, want := range map[string]string{
		"projects: {a: {repositories: [{url: 'https://git.example.test/{project}/web'}]}}": "must not choose where Lanyard connects to",
		"projects: {a: {resources: [{app: x, url: 'http://{project}.internal'}]}}":         "must not choose where Lanyard connects to",
		"repositories: [{url: 'https://git.example.test/a'}]":                              "belong to one project",
		"projects: {a: {roles: {viewer: []}}}":                                             "the groups give them",
		"projects: {A: {}}":                                                                "cannot be a project's name",
		"projects: {a: {repositories: [{url: 'https://git.example.test/a'}]}, b: {repositories: [{url: 'https://git.example.test/a'}]}}": "belongs to one project only",
	} {
		from := pattern(t, "ws-{project}-{role}")
		from.Template = templateFile
		_, err := Parse(Input{Tenant: tenant, FromGroups: from, Revision: Revision{Projects: map[string]string{TemplateKey: text}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
