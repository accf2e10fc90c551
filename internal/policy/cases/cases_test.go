package cases

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/policy"
)

// The policies that ship with Lanyard say what their cases say, and every one of them decides one.
func TestShippedPolicies(t *testing.T) {
	text, err := os.ReadFile("../shipped_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	f, err := Parse(Tenant, "shipped_test.yaml", string(text))
	if err != nil {
		t.Fatal(err)
	}
	set, err := policy.Parse(policy.Source{Tenant: Tenant})
	if err != nil {
		t.Fatal(err)
	}
	r := Run(set, []*File{f})
	for _, one := range r.Failures {
		t.Error(one)
	}
	for _, one := range r.Missing() {
		t.Errorf("%s:%d: %s decides no case", one.File, one.Line, one.ID)
	}
	if r.Cases < 60 {
		t.Errorf("only %d cases were played", r.Cases)
	}
}

// The files of testdata say themselves what is wrong with them: a line `#! 3:14 message` for each finding.
func TestBrokenFiles(t *testing.T) {
	paths, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal(err, paths)
	}
	for _, path := range paths {
		name := filepath.Base(path)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for line := range strings.Lines(string(text)) {
			if w, ok := strings.CutPrefix(line, "#! "); ok {
				place, message, _ := strings.Cut(strings.TrimSpace(w), " ")
				want = append(want, name+":"+place+": "+message)
			}
		}
		_, err = Parse(Tenant, name, string(text))
		if err == nil {
			t.Errorf("%s was accepted", name)
		} else if got := err.Error(); got != strings.Join(want, "\n") {
			t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
		}
	}
}

const ownPolicies = `
@id("office-only")
forbid (principal, action == Action::"repo:write", resource)
unless { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };
@id("working-hours")
forbid (principal, action == Action::"app:call", resource)
when { context.now.toTime() < duration("6h") };
@id("leads-approve") @approval("cccccccc-0000-0000-0000-000000000001")
forbid (principal in Group::"cccccccc-0000-0000-0000-000000000002", action == Action::"repo:write", resource);
@id("never-asked")
permit (principal, action == Action::"repo:read", resource in Project::"p-aaaaaaaaaaaaaaaa")
when { context.session == "cli" };
`

const ownCases = `
projects: {payments: p-aaaaaaaaaaaaaaaa}
users:
  dan: {id: 00000000-0000-0000-0000-000000000001, roles: {payments: developer}}
  carla: {roles: {payments: developer}, groups: [cccccccc-0000-0000-0000-000000000002]}
tests:
  - name: from the office
    user: dan
    action: repo:write
    resource: {repo: https://git.example.test/payments/api, project: payments}
    context: {ip: 10.1.2.3}
    expect: allow
  - name: from home
    user: dan
    action: repo:write
    resource: {repo: https://git.example.test/payments/api, project: payments}
    context: {ip: 203.0.113.9}
    expect: deny
    policies: [office-only]
  - name: contractors ask
    user: carla
    action: repo:write
    resource: {repo: https://git.example.test/payments/api, project: payments}
    context: {ip: 10.1.2.3}
    expect: request
    approval: cccccccc-0000-0000-0000-000000000001
  - name: and are given
    user: carla
    action: repo:write
    resource: {repo: https://git.example.test/payments/api, project: payments}
    context: {ip: 10.1.2.3}
    approved: cccccccc-0000-0000-0000-000000000001
    expect: allow
  - name: by day
    user: dan
    action: app:call
    resource: {app: ledger, project: payments}
    expect: allow
`

func TestRun(t *testing.T) {
	set, err := policy.Parse(policy.Source{Tenant: Tenant, Files: []policy.File{{Name: "own.cedar", Text: ownPolicies}}})
	if err != nil {
		t.Fatal(err)
	}
	play := func(text string) Report {
		t.Helper()
		f, err := Parse(Tenant, "own_test.yaml", text)
		if err != nil {
			t.Fatal(err)
		}
		return Run(set, []*File{f})
	}
	r := play(ownCases)
	if r.Cases != 5 || len(r.Failures) != 0 {
		t.Errorf("%d cases, %v", r.Cases, r.Failures)
	}
	var missing []string
	for _, one := range r.Missing() {
		if one.File == "own.cedar" {
			missing = append(missing, one.ID)
		}
	}
	if got := strings.Join(missing, " "); got != "working-hours never-asked" {
		t.Errorf("not decided: %s", got)
	}

	wrong := play(strings.NewReplacer("expect: request", "expect: deny", "    approval:", "    #", "policies: [office-only]", "policies: [office]",
		"    context: {ip: 10.1.2.3}\n    expect: allow", "    expect: allow").Replace(ownCases))
	want := []string{
		`own_test.yaml:7: from the office: dan repo:write: wanted allow, got deny by office-only`,
		`own_test.yaml:12: from home: there is no policy "office"`,
		`own_test.yaml:12: from home: dan repo:write: wanted deny by office, got deny by office-only`,
		`own_test.yaml:19: contractors ask: carla repo:write: wanted deny, got request to group cccccccc-0000-0000-0000-000000000001 by leads-approve`,
	}
	if got := wrong.Failures.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// FuzzParse plays whatever is accepted.
func FuzzParse(f *testing.F) {
	f.Add(ownCases)
	if text, err := os.ReadFile("../shipped_test.yaml"); err == nil {
		f.Add(string(text))
	}
	set, err := policy.Parse(policy.Source{Tenant: Tenant, Files: []policy.File{{Name: "own.cedar", Text: ownPolicies}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(Tenant, "x_test.yaml", text)
		if (file == nil) == (err == nil) {
			t.Fatalf("file %v, error %v", file, err)
		}
		if file != nil {
			Run(set, []*File{file})
		}
	})
}
