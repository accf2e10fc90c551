package prebuild_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// poisoned is what somebody who may push to a branch wants to be run for others.
func (w world) poisoned(t *testing.T) {
	w.commit(t, "wip/evil", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'mkdir -p made; echo poison >made/out; echo poison >.git/hooks/post-checkout'}]\n"})
	if p := w.made(t, "wip/evil"); p.State != "done" {
		t.Fatalf("%+v", p)
	}
	ws := w.workspace(t, "main")
	if got := w.Must("ada", ws, "cat made/out"); got != "built\n" {
		t.Errorf("main begins with %q", got)
	}
}

// forked are commits that nobody of the project brought: of forks, as merge requests have them.
func (w world) forked(t *testing.T) {
	id := w.commit(t, "gone", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'mkdir -p made; echo fork >made/out'}]\n"})
	for _, args := range [][]string{{"update-ref", "refs/pull/7/head", id}, {"update-ref", "-d", "refs/heads/gone"}} {
		cmd := exec.CommandContext(t.Context(), "git", append([]string{"--git-dir", filepath.Join(w.Data, "legacy", "payments/legacy.git")}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for context, want := range map[string]string{
		repo + "/pull/7": "never of merge requests", repo + "/tree/refs/pull/7/head": "", repo + "/commit/" + id: "", repo + "/tree/feature": "has no prebuilds of the branch feature made",
	} {
		p, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: context})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v %v", context, p, err)
		}
	}
	ws, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: repo + "/pull/7"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Error(err)
		}
	})
	if ws, err = w.As("ada").Follow(w.Context(), ws.ID, func(api.Progress) {}); err != nil || ws.Phase != "running" {
		t.Fatal(ws, err)
	}
	all, err := w.As("grace").Prebuilds(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Commit == id || !strings.HasPrefix(p.Ref, "refs/heads/") {
			t.Errorf("there is one of a fork's commit: %+v", p)
		}
	}
	if ws.Prebuild != "" { // what led to it is the project's own
		w.says(t, ws, "git rev-parse HEAD", id+"\n")
	}
}
