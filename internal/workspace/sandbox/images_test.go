package sandbox

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	wholeprogram "github.com/lanyardhq/lanyard/test/harness"
)

// withImages is a server whose sandbox has a store of images.
func withImages(t *testing.T) *runtimetest.Server {
	t.Helper()
	h := harness(t)
	data := filepath.Dir(h.Sockets)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h.Open = func(t *testing.T) workspace.Runtime {
		t.Helper()
		store, err := image.New(image.Config{Dir: filepath.Join(data, "images"), Transport: transport})
		if err != nil {
			t.Fatal(err)
		}
		c := config(data)
		c.Images = store
		r, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	return runtimetest.NewServer(t, h)
}

// pull pulls an image as the server does.
func pull(t *testing.T, s *runtimetest.Server, r *imagetest.Registry, ref string) workspace.Ready {
	t.Helper()
	ready, err := s.Runtime.(workspace.Images).Pull(runtimetest.Context(t), workspace.PullOrder{Ref: ref, User: r.User, Password: r.Password}, func(step string) { t.Log(step) })
	if err != nil {
		t.Fatal(err)
	}
	return ready
}

// startImage starts a workspace from an image.
func startImage(t *testing.T, s *runtimetest.Server, id identity.WorkspaceID, change func(*workspace.Spec)) {
	t.Helper()
	spec := s.Spec(id)
	change(&spec)
	if err := s.Runtime.Start(runtimetest.Context(t), spec, nil); err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := s.Hub.Wait(runtimetest.Context(t), id); err != nil {
		b, _ := os.ReadFile(filepath.Join(filepath.Dir(s.Harness.Sockets), "sandbox/w", id.Label(), "agent.log"))
		t.Fatalf("the agent did not connect: %v\n%s", err, b)
	}
	t.Cleanup(func() {
		if err := s.Runtime.Delete(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
		if left := mountsBelow(t, filepath.Dir(s.Harness.Sockets)); left != "" {
			t.Errorf("left mounted:\n%s", left)
		}
	})
}

// mountsBelow are the lines of this process's mounts that name a folder.
func mountsBelow(t *testing.T, dir string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for line := range strings.Lines(string(b)) {
		if strings.Contains(line, dir) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

func TestImages(t *testing.T) {
	need(t)
	registry := imagetest.Serve(t, "puller", "secret of the server")
	base := imagetest.Part(t, wholeprogram.BaseImage(t), func(name string) bool { // what these tests need, and half of its bytes
		for _, large := range []string{"usr/share/", "usr/lib/git-core/", "usr/lib/python3", "usr/bin/python3", "usr/bin/perl", "var/lib/", "var/cache/", "usr/lib/x86_64-linux-gnu/perl", "usr/lib/x86_64-linux-gnu/gconv/", "usr/lib/x86_64-linux-gnu/libicu"} {
			if strings.HasPrefix(name, large) {
				return false
			}
		}
		return true
	})
	ref := registry.Push(t, "base/debian:12", imagetest.Image(t, v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "FROM_IMAGE=yes"}}, base))
	s := withImages(t)
	ready := pull(t, s, registry, ref)

	t.Run("AsRootOfTheImage", func(t *testing.T) {
		id := identity.NewWorkspaceID()
		startImage(t, s, id, func(spec *workspace.Spec) { spec.Image, spec.Env = ready.Image, ready.Env })
		got := s.Shell(t, id, `id -u; cat /etc/debian_version; stat -c %u /usr/bin/env /etc/shadow; pwd`)
		if got != "0\n12.12\n0\n0\n/workspace" && !strings.HasPrefix(got, "0\n12.") {
			t.Errorf("inside: %q", got)
		}
		// All of the image may be changed, here and for this workspace alone.
		s.Shell(t, id, `echo more >> /etc/debian_version; rm -r /usr/lib/openssh /usr/bin/awk; mkdir /srv/new; ln -s /etc/passwd /srv/new/link; mv /srv/new /srv/newer`)
		other := identity.NewWorkspaceID()
		startImage(t, s, other, func(spec *workspace.Spec) { spec.Image = ready.Image })
		s.Shell(t, other, `! grep more /etc/debian_version && test -L /usr/bin/awk && ! test -e /srv/newer`)
		if b, err := os.ReadFile(filepath.Join(ready.Image.Path, "etc/debian_version")); err != nil || strings.Contains(string(b), "more") {
			t.Errorf("the image itself was changed: %q, %v", b, err)
		}
		// Nothing of it gives a right that counts.
		if r := s.Exec(t, id, "/bin/sh", "-c", "grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status | grep -v 0000000000000000"); r.Code == 0 {
			t.Errorf("capabilities: %s", r.Output)
		}
		s.Shell(t, id, "! mount -t tmpfs none /mnt 2>/dev/null && ! chown 1000 /etc/passwd 2>/dev/null && ! cat /proc/1/environ 2>/dev/null && ! dd if=/opt/lanyard/lanyard-agent of=/dev/null 2>/dev/null")
	})

	t.Run("AsAnotherUser", func(t *testing.T) {
		id := identity.NewWorkspaceID()
		as := func(spec *workspace.Spec) {
			spec.Image, spec.User = ready.Image, "gitpod"
			spec.Volumes = []workspace.Volume{{Name: "cache", Target: "/var/cache/thing"}, {Name: "data", Target: "/var/lib/data"}}
		}
		startImage(t, s, id, as)
		got := s.Shell(t, id, `id -u; stat -c %U /home/gitpod /workspace /usr; test -e /home/gitpod/.bashrc && echo seeded; git config --system --get safe.directory; getent hosts localhost | grep -qw localhost && echo resolved`)
		if want := "33333\ngitpod\ngitpod\ngitpod\nseeded\n/workspace/*\nresolved"; got != want {
			t.Errorf("inside: %q, want %q", got, want)
		}
		s.Shell(t, id, `cd /home/gitpod; echo kept | tee kept > /var/cache/thing/kept; cp kept /var/lib/data/; cp kept /workspace/; cp kept /opt/gone; echo mine > .bashrc`)
		if o := observed(t, s, id); o.Image != ready.Image.Ref {
			t.Errorf("observed %+v", o)
		}
		if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
			t.Fatal(err)
		}
		s.Restart(t)
		startImage(t, s, id, as)
		got = s.Shell(t, id, `cd /home/gitpod; cat kept /var/cache/thing/kept /var/lib/data/kept /workspace/kept .bashrc; test ! -e /opt/gone`)
		if want := "kept\nkept\nkept\nkept\nmine"; got != want {
			t.Errorf("after a stop: %q, want %q", got, want)
		}
	})

	t.Run("Conformance", func(t *testing.T) {
		runtimetest.Run(t, func(t *testing.T) runtimetest.Harness {
			h := harness(t)
			plain := h.Open
			h.Open = func(t *testing.T) workspace.Runtime {
				t.Helper()
				return imaged{plain(t).(*Runtime), ready.Image, "vscode"}
			}
			return h
		})
	})

	t.Run("Escapes", func(t *testing.T) { // as root of the image, to whom all of its files belong
		h := harness(t)
		runtimetest.Escapes(t, runtimetest.EscapeHarness{
			Harness: h, Probe: built.probe, Root: true, Change: func(spec *workspace.Spec) { spec.Image = ready.Image },
			Hidden: func(other identity.WorkspaceID) []string {
				return []string{filepath.Join(filepath.Dir(h.Sockets), "sandbox", "w", other.Label(), "files", "secret"), ready.Image.Path}
			},
		})
	})

	t.Run("UnknownUser", func(t *testing.T) {
		id := identity.NewWorkspaceID()
		spec := s.Spec(id)
		spec.Image, spec.User = ready.Image, "nosuchuser"
		if err := s.Runtime.Start(runtimetest.Context(t), spec, nil); err == nil || !strings.Contains(err.Error(), "nosuchuser") {
			t.Errorf("%v", err)
		}
		startImage(t, s, id, func(spec *workspace.Spec) { spec.Image, spec.User = ready.Image, "4711:4711" })
		if got := s.Shell(t, id, `id -un; test -O /home/lanyard && echo home`); got != "lanyard\nhome" {
			t.Errorf("a user that is only a number: %q", got)
		}
	})
}

// imaged is a sandbox all of whose workspaces have an image.
type imaged struct {
	*Runtime
	image workspace.Image
	user  string
}

func (i imaged) Start(ctx context.Context, spec workspace.Spec, progress func(string)) error {
	spec.Image, spec.User = i.image, i.user
	return i.Runtime.Start(ctx, spec, progress)
}

func observed(t *testing.T, s *runtimetest.Server, id identity.WorkspaceID) workspace.Observed {
	t.Helper()
	all, err := s.Runtime.List(runtimetest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if o.ID == id {
			return o
		}
	}
	return workspace.Observed{}
}

const envImage = "LANYARD_TEST_IMAGE"

// A server that is not root lays the image under a workspace in a user namespace.
func TestImageAsOrdinaryUser(t *testing.T) {
	need(t)
	if ref := os.Getenv(envImage); ref != "" {
		testSmallImage(t, ref)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("it takes root to make the image")
	}
	layer := imagetest.Part(t, wholeprogram.BaseImage(t), func(name string) bool {
		for _, dir := range []string{"usr/lib/x86_64-linux-gnu/lib", "usr/lib/aarch64-linux-gnu/lib"} {
			if lib, ok := strings.CutPrefix(name, dir); ok {
				return strings.HasPrefix(lib, "c.so") || strings.HasPrefix(lib, "c-") || strings.HasPrefix(lib, "selinux") || strings.HasPrefix(lib, "pcre2-8")
			}
		}
		switch name {
		case "bin", "lib", "lib64", "etc/", "etc/passwd", "home/gitpod/", "home/gitpod/.bashrc", "usr/bin/dash", "usr/bin/sh", "usr/bin/id", "usr/bin/rm", "usr/bin/stat", "usr/bin/cat":
			return true
		}
		return strings.HasPrefix(name, "usr/lib64/") || strings.Contains(name, "-linux-gnu/ld-linux") || strings.HasPrefix(name, "usr/lib/ld-linux")
	})
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "small:1", imagetest.Image(t, v1.Config{User: "gitpod"}, layer))
	t.Run("Root", func(t *testing.T) { testSmallImage(t, ref) })
	t.Run("Volumes", func(t *testing.T) { testVolumesLeadNowhere(t, ref) })
	t.Run("LinksInTheWay", func(t *testing.T) { testHostileImage(t, registry, layer) })
	asOrdinaryUser(t, "TestImageAsOrdinaryUser", "TestImageAsOrdinaryUser", envImage+"="+ref)
}

func testSmallImage(t *testing.T, ref string) {
	t.Helper()
	s := withImages(t)
	ready := pull(t, s, &imagetest.Registry{}, ref)
	id := identity.NewWorkspaceID()
	as := func(spec *workspace.Spec) { spec.Image, spec.User = ready.Image, ready.User }
	startImage(t, s, id, as)
	if got := s.Shell(t, id, `id -u; stat -c %U / /usr/bin/cat /home/gitpod/.bashrc; echo changed > /etc/passwd && rm /usr/bin/id && echo kept > /home/gitpod/kept; cat /proc/self/uid_map`); !strings.HasPrefix(got, "33333\ngitpod\ngitpod\ngitpod\n") || strings.Count(got, "33333") != 2 {
		t.Errorf("inside: %q", got)
	}
	if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Hub.Close(id)
	startImage(t, s, id, as)
	if got := s.Shell(t, id, `id -un; cat /home/gitpod/kept`); got != "gitpod\nkept" {
		t.Errorf("after a stop: %q", got)
	}
}

// testHostileImage: an image has links where the sandbox mounts, out of the image and back to itself, and a start died just
// when its overlay was mounted.
func testHostileImage(t *testing.T, registry *imagetest.Registry, layer v1.Layer) {
	t.Helper()
	outside := dataFolder(t)
	if err := os.Chmod(outside, 0o777); err != nil {
		t.Fatal(err)
	}
	links := imagetest.Layer(t,
		imagetest.File{Name: "opt", Link: "/oldroot" + outside, Type: '2'}, imagetest.File{Name: "workspace", Link: "../../../../.." + outside, Type: '2'},
		imagetest.File{Name: "home", Type: '2', Link: outside}, imagetest.File{Name: "run", Link: "run", Type: '2'}, imagetest.File{Name: "tmp", Body: "a file"},
		imagetest.File{Name: "cache", Link: "/oldroot" + outside, Type: '2'}, imagetest.File{Name: "data", Link: "workspace", Type: '2'},
		imagetest.File{Name: "proc", Link: "/oldroot/proc", Type: '2'}, imagetest.File{Name: "dev", Link: "/oldroot/dev", Type: '2'},
		imagetest.File{Name: "etc/hosts", Link: outside + "/hosts", Type: '2'}, imagetest.File{Name: "etc/gitconfig", Link: "/etc/shadow", Type: '2'})
	s := withImages(t)
	ready := pull(t, s, registry, registry.Push(t, "hostile:1", imagetest.Image(t, v1.Config{User: "gitpod"}, layer, links)))
	id := identity.NewWorkspaceID()
	as := func(spec *workspace.Spec) {
		spec.Image, spec.User = ready.Image, ready.User
		spec.Volumes = []workspace.Volume{{Name: "a", Target: "/cache/a"}, {Name: "b", Target: "/data/b/c"}}
	}
	startImage(t, s, id, as)
	if got := s.Shell(t, id, `cat /etc/hosts; echo in > /cache/a/x; echo in > /data/b/c/x; echo kept > /workspace/file; echo > /tmp/x; test -d /home/gitpod && test -x /opt/lanyard/lanyard-agent`); !strings.Contains(got, "localhost") {
		t.Errorf("inside: %q", got)
	}
	if found, err := os.ReadDir(outside); err != nil || len(found) > 0 {
		t.Errorf("outside: %v, %v", found, err)
	}
	if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Hub.Close(id)
	data := filepath.Dir(s.Harness.Sockets)
	dir := filepath.Join(data, "sandbox/w", id.Label())
	if err := mountRoot(dir, ready.Image.Path, s.Runtime.(*Runtime).uids.First); err != nil {
		t.Fatal(err)
	}
	if mountsBelow(t, data) == "" {
		t.Fatal("nothing is mounted, so what follows says nothing")
	}
	s.Restart(t)
	if err := s.Runtime.Check(runtimetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if left := mountsBelow(t, data); left != "" {
		t.Errorf("a restarted server leaves mounted:\n%s", left)
	}
	startImage(t, s, id, as)
	if got := s.Shell(t, id, "cat /workspace/file"); got != "kept" {
		t.Errorf("after it: %q", got)
	}
}
