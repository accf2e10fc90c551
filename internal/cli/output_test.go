package cli

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// What a server or a workspace says cannot command the terminal of who reads it, in any output for people.
func TestAttack31TerminalEscapes(t *testing.T) {
	const evil = "a\x1b[2J\x1b]0;title\x07b\x9b31mc\u009b31md\u202ee\r\nf\tg\x7fh\xff\x00i"
	const tame = `a\x1b[2J\x1b]0;title\x07b\x9b31mc\x9b31md\u202ee\x0d\nf\tg\x7fh\xff\x00i`
	if got := clean(evil); got != tame {
		t.Errorf("clean: %s", got)
	}
	for _, fine := range []string{"", "Ada Lovelace", "Åse Ærlig", "日本語", "café — “quoted” 👩‍💻"} {
		if got := clean(fine); got != fine {
			t.Errorf("clean changed %q to %q", fine, got)
		}
	}

	var written strings.Builder
	a := &app{c: Config{Now: time.Now, Env: os.Getenv}, out: output{Writer: &written}, err: output{Writer: &written}}
	a.showMe(api.Me{Name: evil, UserName: evil, User: evil, Roles: []string{evil}, Projects: []api.Holding{{Name: evil, Role: evil, Via: evil, Path: []string{evil, "x"}}},
		Groups: []api.Group{{ID: evil, Name: evil, Path: []string{evil, evil}}}})
	a.showWhy(api.Why{Decision: evil, Action: evil, Resource: evil, User: evil, UserName: evil, Project: evil, Role: evil, Via: evil,
		Reasons: []string{evil, evil}, Policies: []string{evil}, Facts: []string{"x" + evil}})
	a.showLeases(api.Leases{Open: []api.Lease{{ID: evil, UserName: evil, Action: evil, Resource: evil, Role: evil, Via: evil}}, Ended: []api.Lease{{ID: evil, Actor: evil, Reason: evil}}})
	a.showSessions([]api.SignIn{{ID: evil, UserName: evil, Strength: evil, Contexts: []string{evil}, IP: evil, Device: evil, Expires: time.Now().Add(time.Hour),
		Sessions: []api.Session{{ID: evil, Kind: evil, Client: evil, Device: evil, Agent: evil, Workspace: evil, Current: true}, {Kind: "client", Client: evil, Device: evil, EndedWhy: evil}}}}, true, true)
	a.showMe(api.Me{SignIn: &api.SignIn{IP: evil, Strength: evil, Contexts: []string{evil}, Sessions: []api.Session{{ID: evil, Kind: evil, Device: evil, Current: true}}}})
	a.showAccess([]api.Access{{Project: evil, Resource: evil, Role: evil, Via: evil, Actions: []api.Allowed{{Action: evil, Decision: evil}}}})
	if err := a.showEvent(api.Event{Action: evil, Outcome: evil, UserName: evil, Resource: evil, Reasons: []string{evil}}, false); err != nil {
		t.Error(err)
	}
	a.step(api.Progress{Text: evil}, time.Now())
	a.showCheck(evil, CheckReport{Findings: []string{evil}, LongLived: []string{evil}, TokenFiles: []string{evil}})
	a.report(&api.Error{Status: 403, Detail: evil, Reasons: []string{"because " + evil}})
	a.report(errors.New(evil))
	a.report(problem.New(problem.Denied, "%s", evil))
	for _, r := range written.String() {
		if r != '\n' && commanding(r) || r == '\ufffd' {
			t.Fatalf("%q is in the output:\n%q", r, written.String())
		}
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	o := output{Writer: &b}
	o.table([]string{"NAME", "X", "LAST"}, [][]string{{"é", "long cell", "a"}, {"much longer", "", "b c"}})
	want := "NAME         X          LAST\n" +
		"é            long cell  a\n" +
		"much longer  -          b c\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestExitStatus(t *testing.T) {
	refused := func(status int) error { return &api.Error{Status: status} }
	stepUp := &api.Error{Status: 403, Type: "urn:lanyard:problem:step-up-needed"}
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0}, {errors.New("x"), 1}, {usage("x"), 2}, {refused(400), 2}, {refused(403), 3}, {refused(401), 4},
		{refused(404), 1}, {refused(500), 1}, {api.ErrClosed, 3}, {problem.New(problem.SignInNeeded, "x"), 4},
		{stepUp, 4}, {&api.Error{Status: 403, Type: "urn:lanyard:problem:approval-needed"}, 3}, {execStatus(0, stepUp), 126},
		{execStatus(0, nil), 0}, {execStatus(9, nil), 9}, {execStatus(0, refused(403)), 126}, {execStatus(0, refused(401)), 126},
		{execStatus(0, refused(404)), 126}, {execStatus(0, refused(503)), 125}, {execStatus(0, errors.New("x")), 125},
	} {
		if got := statusOf(c.err); got != c.want {
			t.Errorf("%v: %d, not %d", c.err, got, c.want)
		}
	}
}

func TestSmallTexts(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "now", 10 * time.Millisecond: "now", 5 * time.Second: "5s", 3 * time.Minute: "3m", 30 * time.Hour: "30h", 72 * time.Hour: "3d",
	} {
		if got := age(now.Add(-d), now); got != want {
			t.Errorf("age of %v: %s", d, got)
		}
	}
	if got := through("engineers", []string{"engineers", "api-team"}); got != "engineers (by api-team)" {
		t.Error(got)
	}
	if got := through("engineers", []string{"engineers"}); got != "engineers" {
		t.Error(got)
	}
}

// Lines of which only the latest is of interest do not fill a log.
func TestStepsThatCount(t *testing.T) {
	var b strings.Builder
	a := &app{out: output{Writer: &b}}
	at := time.Now()
	for _, text := range []string{"git clone", "Receiving objects:  45% (9/20)", "Receiving objects: 100% (20/20), 3.1 MiB, done.", "Ready."} {
		a.step(api.Progress{At: at, Text: text}, at)
	}
	if got := strings.Count(b.String(), "\n"); got != 3 || strings.Contains(b.String(), "45%") {
		t.Errorf("%s", b.String())
	}
}

// Every command says what it does, and shows how it is used.
func TestEveryCommandHasAnExample(t *testing.T) {
	a := &app{c: Config{Env: os.Getenv}}
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s says nothing of itself", c.CommandPath())
		}
		if !c.HasSubCommands() && c.Example == "" {
			t.Errorf("%s has no example", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	for _, c := range a.root().Commands() {
		visit(c)
	}
}
