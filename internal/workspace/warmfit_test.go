package workspace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// told is what the start of a workspace said.
func (w *world) told(id identity.WorkspaceID) string {
	lines, _, stop := w.m.Follow(id)
	stop()
	var all []string
	for _, l := range lines {
		all = append(all, l.Text)
	}
	return strings.Join(all, "\n")
}

// What fits is taken; of what does not its owner is told why, there and afterwards.
func TestWarmFits(t *testing.T) {
	volume := func(targets ...string) func(*workspace.Spec) {
		return func(s *workspace.Spec) {
			for _, at := range targets {
				s.Volumes = append(s.Volumes, workspace.Volume{Name: "cache", Target: at})
			}
		}
	}
	for name, c := range map[string]struct {
		also func(*workspace.Spec)
		why  string // empty: it fits
	}{
		"the same":             {nil, ""},
		"labels and a name":    {func(s *workspace.Spec) { s.Name, s.Labels = "other", map[string]string{"owner": "Ada"} }, ""},
		"a volume of a folder": {volume("/workspace/api/node_modules"), ""},
		"a volume elsewhere":   {volume("/var/cache/thing"), "its file mounts volumes outside /workspace"},
		"of all of it":         {volume("/workspace"), "its file mounts volumes outside /workspace"},
		"a user":               {func(s *workspace.Spec) { s.User = "vscode" }, "it runs as vscode, and what was made ahead as the image's own user"},
		"another image": {func(s *workspace.Spec) { s.Image.Ref = "tools@sha256:2" },
			"it runs the image tools, and the image base was made ahead"},
		"a newer image": {func(s *workspace.Spec) { s.Image.Ref = "base@sha256:2" }, "the image base is another one by now"},
		"one of its own": {func(s *workspace.Spec) { s.Image.Ref = "sha256:3" },
			"it runs an image that was built for it, and the image base was made ahead"},
		"none":      {func(s *workspace.Spec) { s.Image.Ref = "" }, "it runs the server's own files, and the image base was made ahead"},
		"variables": {func(s *workspace.Spec) { s.Env = map[string]string{"OF": "the image"} }, "what was made ahead differs from what it needs"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.ahead.set("base@sha256:1", "base@sha256:1", nil)
			w.ahead.also = c.also
			w.ahead.want(small(1))
			ready := w.warm(1)[0]
			for i := range 2 { // unknown, and known
				why := c.why
				if i == 1 && why != "" {
					why = "as at the repository's last start, " + why
				}
				row := w.started("ada")
				got := w.until(row.ID, workspace.Running)
				if got.Warm != (c.why == "") || got.Cold != why || got.Taken != "" {
					t.Errorf("%d: %v, %q, not %q", i, got.Warm, got.Cold, why)
				}
				said := w.told(row.ID)
				if has := strings.Contains(said, "Not from the pool: "+why+"."); has != (c.why != "") {
					t.Errorf("%d: %s", i, said)
				}
				if took := row.ID == ready; took != (i == 0 || c.why == "") {
					t.Errorf("%d: the one that was ready was taken: %v", i, took)
				}
				ready = w.warm(1)[0]
				if i == 1 { // another start of it is none of the pool's
					w.want(row.ID, workspace.WantStopped)
					w.until(row.ID, workspace.Stopped)
					w.want(row.ID, workspace.WantRunning)
					if got := w.until(row.ID, workspace.Running); got.Warm || got.Cold != "" {
						t.Errorf("%+v", got.Details)
					}
				}
			}
		})
	}
}

// Who has none made ahead is told nothing; who has of another class only, or none ready, is.
func TestWhyAStartIsCold(t *testing.T) {
	w := newWorld(t)
	cold := func(owner, class, why string) {
		t.Helper()
		row, err := w.order(owner, class)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.until(row.ID, workspace.Running); got.Cold != why || strings.Contains(w.told(row.ID), "the pool") != (why != "") {
			t.Errorf("%q, not %q: %s", got.Cold, why, w.told(row.ID))
		}
	}
	cold("ada", "", "")
	w.f.failing("Start", problem.New(problem.Unavailable, "There is no engine."))
	w.ahead.want(small(1))
	w.eventually("it is said why there is none", func() bool {
		s := w.m.Warm()
		return len(s) == 1 && s[0].Ready == 0 && s[0].Message == "There is no engine."
	})
	w.ahead.want() // its failing starts are not in the way of these
	w.eventually("it is over", func() bool { return w.there() == 1 })
	w.f.failing("Start", nil)
	large := small(1)
	large.Class = "large"
	w.ahead.want(large)
	w.warm(1)
	cold("bob", "small", "none of the class small is made ahead")
	unknown := small(1)
	unknown.Class = "huge"
	w.ahead.want(large, unknown)
	w.eventually("the unknown class is named", func() bool {
		for _, s := range w.m.Warm() {
			if s.Class == "huge" {
				return s.Ready+s.Making == 0 && strings.Contains(s.Message, `no workspace class "huge"`)
			}
		}
		return false
	})
	w.warm(1) // the other one is there all the same
}

// The room of what was made ahead passes to who takes it: nobody comes between, and nobody waits where it was.
func TestWarmRoomIsItsTakers(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{Running: 1, Memory: 1 << 30}
	w.start()
	w.ahead.want(small(1))
	ready := w.warm(1)[0]
	row := w.started("ada")
	if row.ID != ready {
		t.Errorf("%s was made, and %s was ready", row.ID, ready)
	}
	if got := w.until(row.ID, workspace.Running); !got.Warm || got.Holds != 1<<30 {
		t.Errorf("%+v", got.Details)
	}
	second := w.started("bob")
	w.waits(second.ID, 1, 1)
	w.want(row.ID, workspace.WantStopped)
	if got := w.until(second.ID, workspace.Running); got.Warm || got.Cold != "none is ready yet" {
		t.Errorf("%+v", got.Details)
	}
	w.warm(0)
}

// What was made ahead is on nobody's account until it is taken.
func TestWarmIsOnNobodysAccount(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{PerUser: 1, RunningPerUser: 1, RunningPerProject: 2}
	w.start()
	w.ahead.want(small(3))
	w.warm(2) // more could never be taken
	row := w.started("ada")
	if got := w.until(row.ID, workspace.Running); !got.Warm {
		t.Errorf("%+v", got.Details)
	}
	ready := w.warm(1)[0]
	if _, err := w.order("ada", ""); problem.KindOf(err) != problem.Conflict {
		t.Error(err)
	}
	if now := w.warm(1)[0]; now != ready {
		t.Error("it went with a refused order")
	}
	if second := w.started("bob"); second.ID != ready {
		t.Errorf("%s was made, and %s was ready", second.ID, ready)
	}
	w.warm(0)
	if _, err := w.order("cleo", ""); problem.KindOf(err) != problem.Conflict {
		t.Error(err)
	}
}

// Idleness and the longest life begin when it is taken.
func TestWarmLifeBeginsWhenItIsTaken(t *testing.T) {
	w := newWorld(t)
	w.end()
	w.rules = workspace.Rules{MaxLife: 2 * time.Hour}
	w.start()
	w.ahead.want(small(1))
	w.warm(1)
	w.pass(24 * time.Hour)
	taken := w.now()
	row := w.started("ada")
	if got := w.until(row.ID, workspace.Running); !got.Warm || got.Created.Before(taken) || got.Began.Before(taken) {
		t.Errorf("%+v", got)
	}
	if l, _ := w.m.Life(row.ID); l.Stops.Before(taken.Add(time.Hour)) || l.Last.Before(taken.Add(2*time.Hour)) {
		t.Errorf("%+v", l)
	}
	w.m.OverTime(t.Context())
	if got, _ := w.m.Get(row.ID); got.Desired != workspace.WantRunning {
		t.Errorf("%+v", got)
	}
}
