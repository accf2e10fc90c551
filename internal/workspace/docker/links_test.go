package docker_test

import (
	"archive/tar"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestAttack30ImagesThatMountOverTheAgent: an image whose volume, home folder or mount points are links to Lanyard's own folders would
// have its program run as process 1, in the agent's place.
func TestAttack30ImagesThatMountOverTheAgent(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	base := imagetest.FromTar(t, harness.BaseImage(t), v1.Config{})
	layers, err := base.Layers()
	if err != nil {
		t.Fatal(err)
	}
	link := func(name, to string) imagetest.File {
		return imagetest.File{Name: name, Link: to, Type: tar.TypeSymlink}
	}
	evil := imagetest.File{Name: "opt/lanyard/lanyard-agent", Body: "#!/bin/sh\nsleep 600\n", Mode: 0o755}
	lives := func(home string) imagetest.File {
		return imagetest.File{Name: "etc/passwd", Body: "root:x:0:0::/root:/bin/sh\ndev:x:1234:1234::" + home + ":/bin/bash\n"}
	}
	asks := func(paths ...string) v1.Config {
		volumes := map[string]struct{}{}
		for _, p := range paths {
			volumes[p] = struct{}{}
		}
		return v1.Config{User: "dev", Volumes: volumes}
	}
	for name, c := range map[string]struct {
		config  v1.Config
		files   []imagetest.File
		volumes []workspace.Volume
		says    string // empty: it starts
	}{
		"no links":             {config: asks("/var/lib/thing", "/opt"), files: []imagetest.File{lives("/home/dev")}},
		"links elsewhere":      {config: asks("/var/short/thing"), files: []imagetest.File{lives("/home/dev"), link("var/short", "/srv")}},
		"a volume":             {config: asks("/a/b/c"), files: []imagetest.File{lives("/home/dev"), evil, link("a/b/c", "/opt/lanyard")}, says: "/opt/lanyard"},
		"a volume around it":   {config: asks("/a/b/c"), files: []imagetest.File{lives("/home/dev"), evil, link("a/b/c", "../../opt")}, says: "/opt"},
		"a volume by two ways": {config: asks("/a/b/lanyard"), files: []imagetest.File{lives("/home/dev"), evil, link("a/b", "/c/d"), link("c/d", "/opt")}, says: "/opt/lanyard"},
		"a home":               {config: asks(), files: []imagetest.File{lives("/a/b"), evil, link("a/b", "/opt/lanyard")}, says: "/opt/lanyard"},
		"a named volume":       {config: asks(), files: []imagetest.File{lives("/home/dev"), evil, link("cache", "/opt/lanyard")}, volumes: []workspace.Volume{{Name: "c", Target: "/cache"}}, says: "/opt/lanyard"},
		"where the agent is":   {config: asks(), files: []imagetest.File{lives("/home/dev"), link("opt", "/home/dev")}, says: "/home/dev/lanyard"},
		"beside the agent":     {config: asks("/opt/lanyard/x"), files: []imagetest.File{lives("/home/dev")}, says: "/opt/lanyard/x"},
		"below the checkout":   {config: asks("/workspace/x"), files: []imagetest.File{lives("/home/dev")}, says: "/workspace/x"},
	} {
		t.Run(name, func(t *testing.T) {
			s := runtimetest.NewServer(t, suite(t))
			ref := registry.Push(t, "linked/"+strings.ReplaceAll(name, " ", "-")+":1", imagetest.Image(t, c.config, append(layers[:len(layers):len(layers)], imagetest.Layer(t, c.files...))...))
			ready, err := s.Runtime.(workspace.Images).Pull(runtimetest.Context(t), workspace.PullOrder{Ref: ref}, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Change = func(spec *workspace.Spec) { spec.Image, spec.User, spec.Volumes = ready.Image, "dev", c.volumes }
			id := identity.NewWorkspaceID()
			if c.says == "" {
				s.Start(t, id)
				return
			}
			err = s.Runtime.Start(runtimetest.Context(t), s.Spec(id), nil)
			if problem.KindOf(err) != problem.Invalid || !strings.Contains(problem.Message(err), c.says) {
				t.Errorf("%v", err)
			}
			if left, err := s.Runtime.List(runtimetest.Context(t)); err != nil || len(left) > 0 && left[0].Running {
				t.Errorf("left: %+v %v", left, err)
			}
		})
	}
}
