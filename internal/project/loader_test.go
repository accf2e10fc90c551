package project

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// bench is a loader over real folders, with what it put in force.
type bench struct {
	*Loader
	t       *testing.T
	dir     string
	applied []Change
	rebound []*Set
	refuse  error
	// The directory is a pointer, so that the loader can tell that it is still the same.
	directory *groups
}

func fresh(g groups) *groups { return &g }

func newBench(t *testing.T, edit func(*LoaderConfig)) *bench {
	b := &bench{t: t, dir: t.TempDir(), directory: fresh(directory())}
	for _, d := range []string{"projects", "policies"} {
		if err := os.Mkdir(filepath.Join(b.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := LoaderConfig{
		Projects: filepath.Join(b.dir, "projects"), Policies: filepath.Join(b.dir, "policies"),
		Tenant: tenant, Groups: func() Groups { return b.directory }, Log: slog.New(slog.DiscardHandler),
		Apply: func(_ context.Context, c Change) error {
			if b.refuse != nil {
				return b.refuse
			}
			b.applied = append(b.applied, c)
			return nil
		},
		Rebound: func(s *Set) { b.rebound = append(b.rebound, s) },
	}
	if edit != nil {
		edit(&c)
	}
	b.Loader = NewLoader(c)
	return b
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// look looks once, expects n changes to have been applied by now, and the error, if any, to say why.
func (b *bench) look(n int, why string) {
	b.t.Helper()
	err := b.Look(b.t.Context())
	if (err == nil) != (why == "") || err != nil && !strings.Contains(err.Error(), why) {
		b.t.Errorf("got the error %v, want %q", err, why)
	}
	if len(b.applied) != n {
		b.t.Errorf("%d changes were applied, want %d", len(b.applied), n)
	}
}

func TestLoader(t *testing.T) {
	b := newBench(t, nil)
	b.write("projects/a.yaml", "project: a\nroles: {viewer: [all-engineers]}\n")
	b.write("projects/.hidden.yaml", "nonsense")
	b.write("projects/a.yaml~", "nonsense")
	b.look(1, "")
	first := b.applied[0]
	if first.Revision.Number != 1 || len(first.Names) != 1 || len(first.Pins) != 1 || first.Policies == nil || len(first.Revision.Projects) != 1 {
		t.Fatalf("got %+v", first)
	}
	b.look(1, "")

	// A bad file changes nothing, whichever folder it is in, and goes on being reported.
	b.write("projects/b.yaml", "project: b\nbogus: 1\n")
	b.write("policies/x.cedar", "permit (principal, action, resource)")
	for range 2 {
		b.look(1, "b.yaml:2:1: unknown key `bogus`")
		if f := b.Findings(); len(f) != 2 || !strings.HasSuffix(f[1].File, "x.cedar") || f[1].Line != 1 || f[1].Column != 37 {
			t.Errorf("findings: %v", f)
		}
	}
	b.write("projects/b.yaml", "project: b\n")
	b.look(1, "x.cedar:1:37:")
	b.write("policies/x.cedar", "permit (principal, action, resource);")
	b.look(2, "")
	if len(b.Findings()) != 0 {
		t.Errorf("findings: %v", b.Findings())
	}
	second := b.applied[1]
	if second.Revision.Number != 2 || len(second.Names) != 1 || second.Names[0].Name != "b" || len(second.Pins) != 0 {
		t.Errorf("got %+v", second)
	}
	p, _ := first.Projects.ByName("a")
	if q, ok := second.Projects.ByName("a"); !ok || q.ID != p.ID {
		t.Errorf("project a changed its ID")
	}

	// A store that is down: nothing changes, and it is tried again.
	b.refuse = errors.New("no disk")
	b.write("projects/c.yaml", "project: c\n")
	b.look(2, "no disk")
	b.look(2, "no disk")
	b.refuse = nil
	b.look(3, "")

	// A file that is gone for a moment takes nothing from anybody.
	away := filepath.Join(b.dir, "projects/a.yaml")
	if err := os.Rename(away, away+"~"); err != nil {
		t.Fatal(err)
	}
	b.look(3, "")
	if err := os.Rename(away+"~", away); err != nil {
		t.Fatal(err)
	}
	b.look(3, "")
	if err := os.Remove(away); err != nil {
		t.Fatal(err)
	}
	b.look(3, "")
	b.look(4, "")
	if _, ok := b.applied[3].Projects.ByName("a"); ok {
		t.Error("project a is still there")
	}

	// A folder that is gone is no empty folder.
	if err := os.Rename(filepath.Join(b.dir, "projects"), filepath.Join(b.dir, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	b.look(4, "reading the project folder")
	if f := b.Findings(); len(f) != 1 {
		t.Errorf("findings: %v", f)
	}
}

// A second write of the same size within the file system's time step is seen all the same.
func TestLoaderSeesAWriteInTheSameInstant(t *testing.T) {
	b := newBench(t, nil)
	name := filepath.Join(b.dir, "projects/a.yaml")
	b.write("projects/a.yaml", "project: aa\n")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	b.look(1, "")
	b.write("projects/a.yaml", "project: ab\n")
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	b.look(2, "")
}

func TestLoaderGoesOnFromTheStore(t *testing.T) {
	b := newBench(t, nil)
	b.write("projects/a.yaml", "project: a\nroles: {viewer: [all-engineers]}\n")
	b.look(1, "")
	stored := b.applied[0]
	again := newBench(t, func(c *LoaderConfig) {
		c.Projects, c.Policies = b.config.Projects, b.config.Policies
		c.Revision, c.Names, c.Pins = stored.Revision, stored.Names, stored.Pins
	})
	again.look(0, "")
	if again.set().Revision() != 1 {
		t.Errorf("revision %d", again.set().Revision())
	}
	b.write("projects/b.yaml", "project: b\n")
	again.look(1, "")
	if c := again.applied[0]; c.Revision.Number != 2 || len(c.Names) != 1 || len(c.Pins) != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestLoaderFollowsTheDirectory(t *testing.T) {
	var log bytes.Buffer
	b := newBench(t, func(c *LoaderConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b.directory = fresh(nil) // not read yet
	b.write("projects/payments.yaml", "project: payments\nroles: {viewer: [all-engineers]}\n")
	b.look(1, "")
	if f := b.Findings(); len(f) != 1 {
		t.Errorf("findings: %v", f)
	}
	// The directory comes: the name is pinned, which is a revision of its own.
	b.directory = fresh(directory())
	b.look(2, "")
	if c := b.applied[1]; c.Revision.Number != 2 || len(c.Pins) != 1 || len(viewers(t, c.Projects)) != 1 {
		t.Errorf("got %+v", c)
	}
	if len(b.Findings()) != 0 {
		t.Errorf("findings: %v", b.Findings())
	}
	b.look(2, "")
	// The group is renamed: the role is void, without a new revision.
	renamed := directory()
	renamed[2].Name = "everyone"
	b.directory = &renamed
	b.look(2, "")
	if len(b.rebound) != 1 || len(viewers(t, b.rebound[0])) != 0 || len(b.Findings()) != 1 {
		t.Errorf("rebound %v, findings %v", b.rebound, b.Findings())
	}
	b.look(2, "")
	if len(b.rebound) != 1 {
		t.Error("rebound again although nothing changed")
	}
	if said := log.String(); strings.Count(said, "a role is given to nobody") != 1 || !strings.Contains(said, "payments.yaml:2:") || !strings.Contains(said, "everyone") {
		t.Errorf("the log:\n%s", said)
	}
	b.directory = fresh(directory())
	b.look(2, "")
	if !strings.Contains(log.String(), "every role is given to a group again") {
		t.Errorf("the log:\n%s", log.String())
	}
}

func TestLoaderRuns(t *testing.T) {
	applied := make(chan Change, 4)
	b := newBench(t, func(c *LoaderConfig) {
		c.Apply = func(_ context.Context, c Change) error { applied <- c; return nil }
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { b.Run(ctx); close(done) }()
	wait := func() Change {
		select {
		case c := <-applied:
			return c
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was applied")
			return Change{}
		}
	}
	wait()
	b.write("projects/a.yaml", "project: a\n")
	if _, ok := wait().Projects.ByName("a"); !ok {
		t.Error("project a is missing")
	}
	stop()
	<-done
}
