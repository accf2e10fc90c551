package prebuild_test

import (
	"testing"

	"github.com/lanyardhq/lanyard/api"
)

// found waits for a prebuild that is as wanted.
func (w world) found(t *testing.T, what string, wanted func(api.Prebuild) bool) (found api.Prebuild) {
	t.Helper()
	w.Eventually(what, func() bool {
		all, err := w.As("grace").Prebuilds(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if wanted(p) {
				found = p
				return true
			}
		}
		return false
	})
	return found
}

// What was pushed past the gateway is found by looking, and made anew when it is old; where no pace is wanted, nothing is.
func (w world) paced(t *testing.T) {
	commit := w.commit(t, "polled", "main", map[string]string{"polled.txt": "here\n"})
	w.wants(t, "{branches: [polled], push: false, poll: 1s}")
	first := w.found(t, "a look finds what nobody told of", func(p api.Prebuild) bool { return p.Commit == commit })
	if first.Cause != "poll" || first.Ref != "refs/heads/polled" {
		t.Errorf("%+v", first)
	}
	if p := w.ended(t, first.ID); p.State != "done" {
		t.Fatalf("%+v", p)
	}
	next := w.commit(t, "polled", "polled", map[string]string{"more.txt": "more\n"})
	second := w.found(t, "and what came later", func(p api.Prebuild) bool { return p.Commit == next })
	w.ended(t, second.ID)
	all, err := w.As("grace").Prebuilds(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all { // it was looked at more than once meanwhile
		if p.Commit == commit && p.ID != first.ID || p.Commit == next && p.Cause != "poll" {
			t.Errorf("made again: %+v", p)
		}
	}
	w.wants(t, "{branches: [polled], push: false, every: 1s}")
	again := w.found(t, "it is made anew", func(p api.Prebuild) bool { return p.Commit == next && p.Cause == "schedule" })
	w.asEver(t)
	if again.ID == second.ID {
		t.Errorf("%+v", again)
	}
	w.ended(t, again.ID)
}

// A workspace that waits for room gets that of a prebuild, which is made when there is room again.
func (w world) aside(t *testing.T) {
	w.commit(t, "wip/aside", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'sleep 300'}]\n"})
	long, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo + "/tree/wip/aside"})
	if err != nil {
		t.Fatal(err)
	}
	is := func(state string) func(api.Prebuild) bool {
		return func(p api.Prebuild) bool { return p.ID == long.ID && p.State == state }
	}
	w.found(t, "it is being made", is("running"))
	t.Run("full", func(t *testing.T) {
		w.workspace(t, "main")
		w.workspace(t, "main") // there is room for two, and here it runs
		if p := w.found(t, "it waits", is("waiting")); p.Message == "" || p.Started != nil {
			t.Errorf("%+v", p)
		}
	})
	if p := w.found(t, "it is made again", is("running")); p.Message != "" || p.Started == nil {
		t.Errorf("%+v", p)
	}
	if err := w.As("grace").DeletePrebuild(w.Context(), long.ID); err != nil {
		t.Fatal(err)
	}
}
