package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, change func(*Config)) *Store {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c := Config{Dir: t.TempDir(), Transport: transport}
	if change != nil {
		change(&c)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = removeAll(c.Dir) })
	return s
}

func pull(t *testing.T, s *Store, ref string) (workspace.Ready, error) {
	t.Helper()
	return s.Pull(t.Context(), workspace.PullOrder{Ref: ref}, nil)
}

func mustPull(t *testing.T, s *Store, ref string) workspace.Ready {
	t.Helper()
	ready, err := pull(t, s, ref)
	if err != nil {
		t.Fatal(err)
	}
	return ready
}

func content(t *testing.T, ready workspace.Ready, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(ready.Image.Path, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const passwd = "root:x:0:0::/root:/bin/bash\nvscode:x:1000:1001:Code:/home/vscode:/bin/zsh\nodd:x:7:7:::\n"

func TestPull(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	base := imagetest.Layer(t, imagetest.File{Name: "etc/"}, imagetest.File{Name: "etc/passwd", Body: passwd, Mode: 0o600, UID: 12}, imagetest.File{Name: "bin/su", Body: "x", Mode: 0o4755})
	im := imagetest.Image(t, v1.Config{User: "vscode", Env: []string{"A=b=c", "PATH=/x"}, Labels: map[string]string{"devcontainer.metadata": "[]"}}, base)
	ref := registry.Push(t, "team/base:1", im)
	s := open(t, nil)
	var mu sync.Mutex
	var steps []string
	ready, err := s.Pull(t.Context(), workspace.PullOrder{Ref: ref}, func(step string) { mu.Lock(); defer mu.Unlock(); steps = append(steps, step) })
	if err != nil {
		t.Fatal(err)
	}
	digest, err := im.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if ready.Image.Ref != registry.Host+"/team/base@"+digest.String() || ready.User != "vscode" || ready.Env["A"] != "b=c" || ready.Metadata != "[]" || strings.Join(ready.Users, " ") != "root vscode odd" {
		t.Errorf("%+v", ready)
	}
	if len(steps) < 3 || !strings.Contains(strings.Join(steps, "\n"), "layer 1 of 1") {
		t.Errorf("steps: %q", steps)
	}
	if info, err := os.Lstat(filepath.Join(ready.Image.Path, "bin/su")); err != nil || info.Mode() != 0o755 {
		t.Errorf("a program with a right of its own: %v %v", info.Mode(), err)
	}
	user, err := FindUser(ready.Image.Path, "vscode:users")
	if want := (User{Name: "vscode", UID: 1000, GID: 1001, Home: "/home/vscode", Shell: "/bin/zsh"}); err != nil || user != want {
		t.Errorf("%+v %v", user, err)
	}
	if _, err := FindUser(ready.Image.Path, "nobody"); problem.KindOf(err) != problem.Invalid {
		t.Errorf("%v", err)
	}
	// The same image by its digest, and another that shares a layer: what is here is not fetched again.
	before := registry.Blobs.Load()
	if again := mustPull(t, s, ready.Image.Ref); again.Image != ready.Image {
		t.Errorf("%+v", again)
	}
	other := registry.Push(t, "team/base:2", imagetest.Image(t, v1.Config{}, base, imagetest.Layer(t, imagetest.File{Name: "etc/more", Body: "more"})))
	if got := content(t, mustPull(t, s, other), "etc/more"); got != "more" {
		t.Error(got)
	}
	if n := registry.Blobs.Load() - before; n != 3 { // two configurations, one layer
		t.Errorf("%d blobs were asked for, want 3", n)
	}
	if got, err := s.Resolve(t.Context(), workspace.PullOrder{Ref: ref}); err != nil || got != ready.Image.Ref {
		t.Errorf("%q %v", got, err)
	}
}

// What layers take away, replace and reach through links (OCI image specification, "Whiteouts").
func TestLayersOverEachOther(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "layers:1", imagetest.Image(t, v1.Config{},
		imagetest.Layer(t, imagetest.File{Name: "./usr/lib/"}, imagetest.File{Name: "lib", Link: "usr/lib", Type: '2'}, imagetest.File{Name: "opt/a/one", Body: "1"}, imagetest.File{Name: "opt/a/two", Body: "2"},
			imagetest.File{Name: "gone/deep/file", Body: "x"}, imagetest.File{Name: "file", Body: "file"}, imagetest.File{Name: "dir/in", Body: "x"}, imagetest.File{Name: "abs", Link: "/opt", Type: '2'}, imagetest.File{Name: "closed/", Mode: 0o500}),
		imagetest.Layer(t, imagetest.File{Name: "lib/new.so", Body: "through a link"}, imagetest.File{Name: "abs/b", Body: "through an absolute link"}, imagetest.File{Name: "opt/a/kept", Body: "k"}, imagetest.File{Name: "opt/a/.wh..wh..opq"},
			imagetest.File{Name: ".wh.gone"}, imagetest.File{Name: "file/"}, imagetest.File{Name: "file/now", Body: "a folder"}, imagetest.File{Name: "dir", Body: "a file"}, imagetest.File{Name: "closed/in", Body: "c"},
			imagetest.File{Name: "hard", Link: "opt/a/kept", Type: '1'}, imagetest.File{Name: "dev/sda", Type: '4'}),
		imagetest.Layer(t, imagetest.File{Name: "was/"}, imagetest.File{Name: "was/folder/", Mode: 0o700}, imagetest.File{Name: "was2/a/"}),
		imagetest.Layer(t, imagetest.File{Name: "was", Link: "/outside", Type: '2'}, imagetest.File{Name: "was2", Body: "a file"})))
	ready := mustPull(t, open(t, nil), ref)
	for name, want := range map[string]string{"usr/lib/new.so": "through a link", "opt/b": "through an absolute link", "opt/a/kept": "k", "hard": "k", "file/now": "a folder", "dir": "a file", "closed/in": "c"} {
		if got := content(t, ready, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"opt/a/one", "opt/a/two", "gone", "dev/sda", "opt/a/.wh..wh..opq"} {
		if _, err := os.Lstat(filepath.Join(ready.Image.Path, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
}

func TestPrivateRegistry(t *testing.T) {
	registry := imagetest.Serve(t, "puller", "a long password")
	ref := registry.Push(t, "private:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})))
	s := open(t, nil)
	if _, err := s.Pull(t.Context(), workspace.PullOrder{Ref: ref, User: "puller", Password: "a long password"}, nil); err != nil {
		t.Fatal(err)
	}
	// That it is here now is nobody else's.
	for _, o := range []workspace.PullOrder{{Ref: ref}, {Ref: ref, User: "puller", Password: "another password"}} {
		_, err := s.Pull(t.Context(), o, nil)
		if problem.KindOf(err) != problem.Denied || strings.Contains(err.Error(), "another password") {
			t.Errorf("%v", err)
		}
	}
	if _, err := pull(t, s, "registry.example.test:5000/nowhere:1"); problem.KindOf(err) != problem.BadUpstream {
		t.Errorf("%v", err)
	}
	for _, wrong := range []string{"", "UPPER/case", "a b", "x:y:z", "../x", "https://registry.example.test/x"} {
		if _, err := pull(t, s, wrong); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

// That a private image is here, or a layer of it, is nobody's who only knows its digest and has a registry that names it.
func TestAttack20LayersOfAnotherRegistry(t *testing.T) {
	private, mine := imagetest.Serve(t, "puller", "a long password"), imagetest.Serve(t, "", "")
	secret := imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "secret", Body: "hunter2"}))
	s := open(t, nil)
	if _, err := s.Pull(t.Context(), workspace.PullOrder{Ref: private.Push(t, "private:1", secret), User: "puller", Password: "a long password"}, nil); err != nil {
		t.Fatal(err)
	}
	ref := mine.Push(t, "mine:1", secret)
	layer := imageOf(t, mine, ref).layer
	without := func(w http.ResponseWriter, r *http.Request) bool { // it knows of the layer, and cannot give it
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, layer) {
			http.NotFound(w, r)
			return true
		}
		return false
	}
	mine.Spoil.Store(&without)
	if ready, err := pull(t, s, ref); err == nil {
		t.Errorf("it has %q", content(t, ready, "secret"))
	}
}

func TestPullsAtOnceAreBounded(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	s := open(t, nil)
	var refs []string
	for i := range 3 * atOnce {
		refs = append(refs, registry.Push(t, fmt.Sprintf("many%d:1", i), imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f", Body: fmt.Sprint(i)}))))
	}
	for range atOnce { // others pull, and one gives up waiting
		if _, _, err := s.slots.Take(t.Context(), "", "x", func(string) {}); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Pull(ctx, workspace.PullOrder{Ref: refs[0]}, func(step string) {
		if strings.HasPrefix(step, "waiting") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("while others pull: %v", err)
	}
	for range atOnce {
		s.slots.leave("")
	}
	var all sync.WaitGroup
	for _, ref := range refs {
		all.Go(func() {
			if _, err := pull(t, s, ref); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s.slots.taken > 0 {
		t.Errorf("%d pulls go on", s.slots.taken)
	}
}

func TestPullOfManyIsOne(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "big:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "big", Body: strings.Repeat("x", 1<<20)})))
	layers := atomic.Int64{}
	hold := make(chan struct{})
	im := imageOf(t, registry, ref)
	spoil := func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, im.layer) {
			layers.Add(1)
			<-hold
		}
		return false
	}
	registry.Spoil.Store(&spoil)
	s := open(t, nil)
	first, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { _, err := s.Pull(first, workspace.PullOrder{Ref: ref}, nil); left <- err }()
	for layers.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	var all sync.WaitGroup
	var waiting atomic.Int64
	for range 8 {
		all.Go(func() {
			_, err := s.Pull(t.Context(), workspace.PullOrder{Ref: ref}, func(step string) {
				if strings.HasPrefix(step, "pulling") {
					waiting.Add(1)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for waiting.Load() < 8 {
		time.Sleep(time.Millisecond)
	}
	leave() // who asked first goes; the others are not left alone
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	close(hold)
	all.Wait()
	if n := layers.Load(); n != 1 {
		t.Errorf("the layer was fetched %d times", n)
	}
}

type pushed struct{ layer string } // digest of its first layer

func imageOf(t *testing.T, r *imagetest.Registry, ref string) pushed {
	t.Helper()
	parsed, err := ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := open(t, nil).describe(t.Context(), parsed, r.User, r.Password)
	if err != nil {
		t.Fatal(err)
	}
	return pushed{d.manifest.Layers[0].Digest.String()}
}

func TestBrokenPulls(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "layers:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f", Body: strings.Repeat("0123456789", 10000)})))
	layer := imageOf(t, registry, ref).layer
	asked := 0
	answer := func(with func(http.ResponseWriter, int) bool) {
		asked = 0
		spoil := func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, layer) {
				return false
			}
			asked++
			return with(w, asked)
		}
		registry.Spoil.Store(&spoil)
	}
	s := open(t, nil)
	answer(func(w http.ResponseWriter, _ int) bool { _, _ = io.WriteString(w, "something else"); return true })
	if _, err := pull(t, s, ref); problem.KindOf(err) != problem.BadUpstream || asked != 3 {
		t.Errorf("after %d tries: %v", asked, err)
	}
	answer(func(w http.ResponseWriter, _ int) bool { http.Error(w, "not here", http.StatusNotFound); return true })
	if _, err := pull(t, s, ref); problem.KindOf(err) != problem.NotFound {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	fails := func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "out of order", http.StatusBadGateway)
		return true
	}
	answer(func(w http.ResponseWriter, n int) bool { // breaks off once
		if n > 1 {
			return false
		}
		w.Header().Set("Content-Length", "1000000")
		_, _ = io.WriteString(w, "the beginning")
		return true
	})
	ready := mustPull(t, s, ref)
	// A registry that is down does not keep from their work who ran the image before; nobody else gets it.
	registry.Spoil.Store(&fails)
	again := workspace.PullOrder{Ref: ready.Image.Ref, Again: true}
	if got, err := s.Pull(t.Context(), again, nil); err != nil || got.Image != ready.Image {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := pull(t, s, ready.Image.Ref); problem.KindOf(err) != problem.BadUpstream {
		t.Errorf("%v", err)
	}
	refuses := func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no more", http.StatusForbidden)
		return true
	}
	registry.Spoil.Store(&refuses)
	if _, err := s.Pull(t.Context(), again, nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("%v", err)
	}
}

func TestCollect(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	now := time.Now()
	s := open(t, func(c *Config) { c.Now = func() time.Time { return now } })
	one := mustPull(t, s, registry.Push(t, "one:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f/g", Body: strings.Repeat("1", 100000), Mode: 0o400}))))
	two := mustPull(t, s, registry.Push(t, "two:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f", Body: strings.Repeat("2", 100000)}))))
	there := func(r workspace.Ready) bool { _, err := os.Stat(r.Image.Path); return err == nil }
	if freed, err := s.Collect(t.Context(), CollectOrder{Age: time.Hour}); err != nil || freed != 0 || !there(one) || !there(two) {
		t.Errorf("%d %v", freed, err)
	}
	now = now.Add(2 * time.Hour)
	if freed, err := s.Collect(t.Context(), CollectOrder{Age: time.Hour, Used: []string{two.Image.Path}}); err != nil || freed < 100000 || there(one) || !there(two) {
		t.Errorf("%d %v", freed, err)
	}
	one = mustPull(t, s, registry.Host+"/one:1") // comes again
	now = now.Add(time.Minute)
	if _, err := s.Collect(t.Context(), CollectOrder{Age: time.Hour, Size: 1, Used: []string{one.Image.Path}}); err != nil || !there(one) || there(two) {
		t.Error(err)
	}
	// What a server that died left half made goes at the next start.
	if err := os.MkdirAll(filepath.Join(s.dir, "tmp", "files-1", "root"), 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Dir: s.dir, Transport: s.web}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(s.dir, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

// An index names images for several processors; only one for this machine's is taken.
func TestImageForAnotherProcessor(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	im := imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "f", Body: "f"}))
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: im, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}})
	s := open(t, nil)
	if _, err := pull(t, s, registry.Push(t, "other:1", index)); problem.KindOf(err) != problem.NotFound || !strings.Contains(err.Error(), "linux/") {
		t.Errorf("%v", err)
	}
	file, err := im.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	file = file.DeepCopy()
	file.Architecture = "s390x"
	wrong, err := mutate.ConfigFile(im, file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pull(t, s, registry.Push(t, "other:2", wrong)); problem.KindOf(err) != problem.Invalid {
		t.Errorf("%v", err)
	}
}
