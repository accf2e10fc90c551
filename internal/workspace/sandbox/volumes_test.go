package sandbox

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// A workspace leaves a link to where its volumes lie on the host in the place of a volume, and in the one that would be mounted
// over them a link for the next: that one would be any folder of the host.
func TestAttack30VolumesLeadNowhere(t *testing.T) {
	need(t)
	testVolumes(t, runtimetest.NewServer(t, harness(t)), workspace.Image{}, "", "/home/lanyard")
}

func testVolumesLeadNowhere(t *testing.T, ref string) {
	t.Helper()
	s := withImages(t)
	ready := pull(t, s, &imagetest.Registry{}, ref)
	testVolumes(t, s, ready.Image, ready.User, "/home/gitpod")
}

func testVolumes(t *testing.T, s *runtimetest.Server, im workspace.Image, user, home string) {
	t.Helper()
	outside := dataFolder(t)
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	id := identity.NewWorkspaceID()
	with := func(volumes ...workspace.Volume) func(*workspace.Spec) {
		return func(spec *workspace.Spec) { spec.Image, spec.User, spec.Volumes = im, user, volumes }
	}
	var first []workspace.Volume
	if im.Path != "" {
		first = []workspace.Volume{{Name: "a", Target: "/var/a"}}
	}
	startImage(t, s, id, with(first...))
	volumes := "/oldroot" + filepath.Join(filepath.Dir(s.Harness.Sockets), "sandbox/w", id.Label(), "volumes")
	for _, at := range []string{"/workspace", home, "/var/a"} {
		if im.Path != "" || at != "/var/a" {
			if r := s.Exec(t, id, "/bin/sh", "-c", "cd "+at+" && ln -s "+volumes+" y && ln -s /oldroot"+outside+" b"); r.Code != 0 && !strings.Contains(r.Output, "not found") {
				t.Fatalf("%s: %s", at, r.Output)
			}
		}
	}
	if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Hub.Close(id)
	// What lies below that which is kept is no mount.
	for _, targets := range [][2]string{
		{"/workspace/y", "/var/b"}, {"/workspace/y/z", "/var/b"}, {"/var/b", "/workspace/y"}, {home + "/y", "/var/b"}, {home + "/y/z", "/workspace/b/c"},
	} {
		var said []string
		spec := s.Spec(id)
		with(workspace.Volume{Name: "a", Target: targets[0]}, workspace.Volume{Name: "b", Target: targets[1]})(&spec)
		if err := s.Runtime.Start(runtimetest.Context(t), spec, func(text string) { said = append(said, text) }); err != nil {
			t.Errorf("%v: %v", targets, err)
			continue
		}
		if all := strings.Join(said, "\n"); !strings.Contains(all, "which is kept over stops") || strings.Contains(all, "/var/b is one") != (im.Path == "" && strings.Contains(targets[0]+targets[1], "/var/b")) {
			t.Errorf("%v: nothing says that it is left out: %q", targets, said)
		}
		if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
			t.Fatal(err)
		}
		s.Hub.Close(id)
	}
	for _, targets := range [][2]string{
		{home, "/var/b"}, {"/home", "/var/b"}, {"/var/a", "/var/a/y"}, {"/var/a/y", "/var/a"}, {"/var/a", "/var/a"}, {"/tmp/y", "/var/b"}, {"/dev/shm", "/var/b"},
	} {
		spec := s.Spec(id)
		with(workspace.Volume{Name: "a", Target: targets[0]}, workspace.Volume{Name: "b", Target: targets[1]})(&spec)
		if err := s.Runtime.Start(runtimetest.Context(t), spec, nil); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%v: %v", targets, err)
		}
	}
	startImage(t, s, id, with(first...))
	if found, err := os.ReadDir(outside); err != nil || len(found) > 0 {
		t.Errorf("outside: %v, %v", found, err)
	}
}
