// Package whatif tests with the whole program that what `lanyard whatif` names beforehand is what then closes.
package whatif

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// place is a world in which two people have several things open each.
type place struct {
	*harness.World
	ws map[string]api.Workspace
}

// open opens a command, a streaming answer of an app, and a live list, for a person.
func (p place) open(who string) {
	p.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := p.As(who)
	var over [3]chan struct{}
	run := func(i int, f func()) {
		over[i] = make(chan struct{})
		go func() {
			defer close(over[i])
			f()
		}()
	}
	command := func(argv ...string) func() {
		return func() { // how it ends is seen in the list of leases
			_, _ = r.Exec(ctx, p.ws[who].ID, agentapi.ExecRequest{Argv: argv}, agentapi.Streams{Stdout: &harness.Buffer{}, Stderr: &harness.Buffer{}})
		}
	}
	run(0, command("sleep", "600"))
	run(1, command("curl", "-sSN", "http://127.0.0.1:7070/r/ledger/watch"))
	run(2, func() { _ = r.FollowLeases(ctx, "", func(api.Leases) {}) })
	p.T.Cleanup(func() {
		cancel()
		for _, done := range over {
			<-done
		}
	})
	p.Eventually(who+" has it all open", func() bool {
		actions := map[string]bool{}
		for _, l := range p.leases(who).Open {
			actions[l.Action] = true
		}
		return actions["workspace:open"] && actions["app:call"] && actions["lease:list"]
	})
}

func (p place) leases(user string) api.Leases {
	p.T.Helper()
	l, err := p.Operator.Leases(p.Context(), user)
	if err != nil {
		p.T.Fatal(err)
	}
	return l
}

// whatIf runs the command.
func (p place) whatIf(args ...string) (o api.Outcome) {
	p.T.Helper()
	said := p.Lanyard(append([]string{"whatif", "--json"}, args...)...)
	if said.Status != 0 {
		p.T.Fatalf("whatif %v: %d %s", args, said.Status, said.Err)
	}
	if err := json.Unmarshal([]byte(said.Out), &o); err != nil {
		p.T.Fatal(err)
	}
	return o
}

// holds makes a change and compares what closes with what was foretold, of what was open before. The end of one access may end
// another before it is cut: curl ends with the command that it is. Such a one is in no list any more.
func (p place) holds(foretold api.Outcome, change func()) {
	p.T.Helper()
	want := map[string]string{}
	for _, l := range foretold.Closes {
		want[l.ID] = l.Reason
	}
	var before []api.Lease
	for _, who := range []string{"ada", "barbara"} {
		before = append(before, p.leases(who).Open...)
	}
	change()
	got := map[string]string{}
	for end := time.Now().Add(harness.Wait); ; time.Sleep(5 * time.Millisecond) {
		closed, open := p.now()
		for _, l := range before {
			if reason, is := closed[l.ID]; is {
				got[l.ID] = reason
			}
		}
		var left []string
		for _, l := range foretold.Closes {
			if open[l.ID] {
				left = append(left, l.ID+" "+l.Action+" "+l.Resource)
			}
		}
		if len(left) == 0 && len(got) > 0 {
			break
		}
		if time.Now().After(end) {
			p.T.Fatalf("foretold: %v\nclosed: %v\nstill open: %v", want, got, left)
		}
	}
	for id, reason := range got {
		if want[id] != reason {
			p.T.Errorf("%s closed because %q; foretold was %q", id, reason, want[id])
		}
	}
}

// now are the accesses that were cut, with the reasons, and those that are open.
func (p place) now() (closed map[string]string, open map[string]bool) {
	p.T.Helper()
	closed, open = map[string]string{}, map[string]bool{}
	for _, who := range []string{"ada", "barbara"} {
		list := p.leases(who)
		for _, l := range list.Ended {
			closed[l.ID] = l.Reason
		}
		for _, l := range list.Open {
			open[l.ID] = true
		}
	}
	return closed, open
}

func has(list []api.Right, user, role, project string) bool {
	for _, r := range list {
		if strings.HasPrefix(r.UserName, user) && r.Role == role && r.Project == project {
			return true
		}
	}
	return false
}

func TestWhatIsForetoldCloses(t *testing.T) {
	w := harness.Start(t)
	p := place{w, map[string]api.Workspace{}}
	for _, who := range []string{"ada", "barbara"} {
		p.ws[who] = w.Workspace(who, payments)
		p.open(who)
	}
	tenant := w.Tenant()
	engineers, ada, barbara := tenant.Group("payments-engineers"), tenant.User("ada"), tenant.User("barbara")

	o := p.whatIf("--remove", "ada", "payments-engineers")
	if !has(o.Lost, "Ada", "developer", "payments") || len(o.Gained) != 0 {
		t.Errorf("gained %v, lost %v", o.Gained, o.Lost)
	}
	p.holds(o, func() { tenant.Remove(engineers, ada) })

	if o = p.whatIf("--add", "ada", engineers); !has(o.Gained, "Ada", "developer", "payments") || len(o.Closes) != 0 {
		t.Errorf("%+v", o)
	}
	tenant.Add(engineers, ada)
	w.Eventually("ada is back", func() bool {
		why, err := w.Operator.Why(w.Context(), "app:call", "payments/ledger", "ada")
		return err == nil && why.Decision == "allow"
	})
	p.open("ada")

	// Other files: payments has no developers any more.
	config := t.TempDir()
	files, err := filepath.Glob(filepath.Join(w.Data, "projects", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("no project files:", err)
	}
	rewritten := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(name) == "payments.yaml" {
			lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(l string) bool { return strings.HasPrefix(l, "  developer:") })
			rewritten[name] = strings.Join(lines, "")
			text = []byte(rewritten[name])
		}
		if err := os.WriteFile(filepath.Join(config, filepath.Base(name)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o = p.whatIf("--config", config)
	if !has(o.Lost, "Ada", "developer", "payments") || !has(o.Lost, "Barbara", "developer", "payments") {
		t.Errorf("lost %v", o.Lost)
	}
	p.holds(o, func() {
		for name, text := range rewritten {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	})

	p.holds(p.whatIf("--disable", "barbara"), func() { tenant.Enable(barbara, false) })

	if err := os.WriteFile(filepath.Join(config, "broken.cedar"), []byte("permit (principal, action == Action::\"repo:raed\", resource);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := w.Lanyard("whatif", "--config", config)
	if said.Status != 1 || !strings.Contains(said.Out, "broken.cedar:1:") || !strings.Contains(said.Out, "repo:raed") {
		t.Errorf("%d %s%s", said.Status, said.Out, said.Err)
	}
	for _, args := range [][]string{{}, {"--add", "ada"}, {"--add", "--remove", "ada", "x"}, {"--disable", "ada", "x"}, {"--config", t.TempDir()}} {
		if said := w.Lanyard(append([]string{"whatif"}, args...)...); said.Status != 2 {
			t.Errorf("whatif %v: %d %s", args, said.Status, said.Err)
		}
	}
	if said := w.Lanyard("whatif", "--remove", "barbara", "payments-engineers"); said.Status != 1 || !strings.Contains(said.Err, "only through") {
		t.Errorf("%d %s", said.Status, said.Err)
	}
}
