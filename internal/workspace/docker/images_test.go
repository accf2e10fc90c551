package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// archive is a tar of files.
func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) { // the same files are the same bytes
		text := files[name]
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// openRegistry runs a registry on loopback that asks for a password, and returns its host with an image small:1 in it.
func openRegistry(t *testing.T) string {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "puller" || password != "sesame" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	host := s.Listener.Addr().String()
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive(t, map[string]string{"etc/passwd": "dev:x:1234:1234::/home/dev:/bin/sh\n", "note": "from the registry"}))), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	bare, err := mutate.ConfigFile(emptyImage(t), &v1.ConfigFile{OS: "linux", Architecture: "amd64", Config: v1.Config{
		User: "dev", Env: []string{"FLAVOUR=plain"}, Labels: map[string]string{"devcontainer.metadata": "[]"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	im, err := mutate.AppendLayers(bare, layer)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(host + "/team/small:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, im, remote.WithAuth(basic{})); err != nil {
		t.Fatal(err)
	}
	return host
}

// A private image is pulled with a credential, once, pinned to its digest; who has none does not get it, though it is there by then.
func TestPullOfAPrivateImage(t *testing.T) {
	host := openRegistry(t)
	r := open(t, dataFolder(t))
	order := workspace.PullOrder{Ref: host + "/team/small:1"}
	ctx := runtimetest.Context(t)
	if _, err := r.Pull(ctx, order, nil); problem.KindOf(err) != problem.Denied {
		t.Fatalf("without a credential: %v", err)
	}
	order.User, order.Password = "puller", "sesame"
	ready, err := r.Pull(ctx, order, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(ready.Image.Ref, host+"/team/small@sha256:") || ready.User != "dev" || ready.Env["FLAVOUR"] != "plain" || ready.Metadata != "[]" {
		t.Errorf("%+v", ready)
	}
	order.User, order.Password = "", ""
	if _, err := r.Pull(ctx, order, nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("what somebody else pulled: %v", err)
	}
	order.Ref = host + "/team/absent:1"
	order.User, order.Password = "puller", "sesame"
	if _, err := r.Pull(ctx, order, nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("an image that is not there: %v", err)
	}
}

// gateway serves one page to workspaces.
func gateway(s *runtimetest.Server) {
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, "the gateway heard "+r.URL.Path)
	})
}

// A Dockerfile is built once for a key, its steps reach the gateway and nothing else, and a workspace runs the result.
func TestBuild(t *testing.T) {
	h := suite(t)
	s := runtimetest.NewServer(t, h)
	gateway(s)
	r := s.Runtime.(*docker.Runtime)
	beside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer beside.Close()
	id := identity.NewWorkspaceID()
	opened := 0
	order := workspace.BuildOrder{
		Key: t.Name() + string(id), Dockerfile: "box/Dockerfile", Args: map[string]string{"WHO": "built"}, ID: id, Endpoint: s.Spec(id).Endpoint,
		Context: func(context.Context) (io.ReadCloser, error) {
			opened++
			return io.NopCloser(bytes.NewReader(archive(t, map[string]string{"hello": "a file of the repository", "box/Dockerfile": `
ARG BASE=lanyard-test/base:1
FROM ${BASE} AS first
COPY hello /hello
ARG WHO
RUN echo "$WHO $HTTP_PROXY" > /who && \
    (curl -sS --noproxy '*' --max-time 20 http://127.0.0.1:7070/r/somewhere || true) > /heard 2>&1 && \
    (curl -sS --noproxy '*' --max-time 5 http://` + beside.Addr().String() + `/ && echo reached || true) > /out 2>&1; \
    ls /sys/class/net > /interfaces
FROM first
COPY --from=first /who /again
USER vscode
ENV FLAVOUR=built
`}))), nil
		},
	}
	var said strings.Builder
	var ready workspace.Ready
	for range 2 {
		if ready, err = r.Build(runtimetest.Context(t), order, func(line string) { said.WriteString(line + "\n") }); err != nil {
			t.Fatalf("%v\n%s", err, said.String())
		}
	}
	if opened != 3 { // to learn what it begins with, to write it anew, and to build
		t.Errorf("the context was opened %d times", opened)
	}
	if ready.User != "vscode" || ready.Env["FLAVOUR"] != "built" {
		t.Errorf("%+v", ready)
	}
	s.Hub.Close(id) // of the build: the workspace's user is another
	s.Change = func(spec *workspace.Spec) { spec.Image = ready.Image }
	s.Start(t, id)
	got := s.Shell(t, id, "id -un; pwd; cat /hello /again /interfaces; echo $FLAVOUR $HOME; cat /heard; grep reached /out; true")
	if !strings.HasPrefix(got, "vscode\n/workspace\na file of the repositorybuilt http://127.0.0.1:7070\nlo\nbuilt /home/vscode\nthe gateway heard /r/somewhere") || strings.Contains(got, "reached") {
		t.Errorf("%s", got)
	}
	all, err := r.List(runtimetest.Context(t))
	if err != nil || len(all) != 1 || all[0].Image != ready.Image.Ref {
		t.Errorf("%+v, %v", all, err)
	}
}

// What a Dockerfile says wrong is told with its line, and what a step says with the step's words.
func TestBuildRefuses(t *testing.T) {
	s := runtimetest.NewServer(t, suite(t))
	r := s.Runtime.(*docker.Runtime)
	for text, want := range map[string]string{
		"FROM lanyard-test/base:1\nADD http://192.0.2.1/x /x\n":               "Dockerfile:2: ADD takes files",
		"FROM lanyard-test/base:1\nRUN echo a step says; exit 7\n":            "a step says",
		"FROM lanyard-test/base:1\nRUN --mount=type=bind,source=/ true\n":     "Dockerfile:2: --mount",
		"FROM registry.invalid/no/such:1\n":                                   "Dockerfile:1:",
		"FROM lanyard-test/base:1\nCOPY --from=registry.invalid/no:1 /x /x\n": "Dockerfile:2:",
	} {
		id := identity.NewWorkspaceID()
		_, err := r.Build(runtimetest.Context(t), workspace.BuildOrder{
			Key: text, Dockerfile: "Dockerfile", ID: id, Endpoint: s.Spec(id).Endpoint,
			Context: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(archive(t, map[string]string{"Dockerfile": text}))), nil
			},
		}, nil)
		if err == nil || !strings.Contains(problem.Message(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
		s.Hub.Close(id)
	}
}

// What was built is built anew for who has another key, or when the image that it begins with is another; who may not have that
// image does not get what was built on it; and a step has no more memory than its order says.
func TestAttack20BuiltImagesAreNotForEverybody(t *testing.T) {
	s := runtimetest.NewServer(t, suite(t))
	r := s.Runtime.(*docker.Runtime)
	id := identity.NewWorkspaceID()
	defer s.Hub.Close(id)
	opened := 0
	order := workspace.BuildOrder{
		Key: t.Name(), Dockerfile: "Dockerfile", ID: id, Endpoint: s.Spec(id).Endpoint, Limits: workspace.Limits{CPUs: 1, Memory: 256 << 20},
		Context: func(context.Context) (io.ReadCloser, error) {
			opened++
			return io.NopCloser(bytes.NewReader(archive(t, map[string]string{"Dockerfile": "FROM named\nRUN head -c 16 /dev/urandom > /random; cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null | grep -qx 268435456\n"}))), nil
		},
		From: func(string) (workspace.PullOrder, error) { return workspace.PullOrder{Ref: "lanyard-test/base:1"}, nil },
	}
	build := func() string {
		t.Helper()
		ready, err := r.Build(runtimetest.Context(t), order, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ready.Image.Ref
	}
	first := build()
	before := opened
	if again := build(); again != first || opened != before {
		t.Errorf("the same order: %s after %s, and the context was opened %d times more", again, first, opened-before)
	}
	allowed := order.From
	order.From = func(string) (workspace.PullOrder, error) {
		return workspace.PullOrder{}, problem.New(problem.Denied, "not for you")
	}
	if _, err := r.Build(runtimetest.Context(t), order, nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("who may not have the base: %v", err)
	}
	order.From = func(string) (workspace.PullOrder, error) { return workspace.PullOrder{Ref: first}, nil }
	if _, err := r.Build(runtimetest.Context(t), order, nil); err == nil && build() == first {
		t.Error("another base gives the same image")
	}
	order.From = allowed
	if order.Key += " of another"; build() == first {
		t.Error("another key gives the same image, or a step of another's")
	}
}

// The engine is stopped and killed: workspaces go on where it lets them, calls say what is wrong, and events come again.
func TestEngineRestarts(t *testing.T) {
	s := runtimetest.NewServer(t, suite(t))
	r := s.Runtime.(*docker.Runtime)
	e := harness.Docker(t)
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	pid := s.Shell(t, id, "sleep 1000 >/dev/null 2>&1 & echo $!")
	lost := make(chan error, 1)
	go func() { lost <- r.Watch(t.Context(), func(identity.WorkspaceID) {}) }()
	time.Sleep(100 * time.Millisecond) // so that it watches; where it does not yet, it fails at once
	e.Kill()
	select {
	case err := <-lost:
		if err == nil {
			t.Error("the end of the engine is no error")
		}
	case <-time.After(harness.Wait):
		t.Fatal("the end of the engine is not noticed")
	}
	if err := r.Check(runtimetest.Context(t)); problem.KindOf(err) != problem.Unavailable || !strings.Contains(problem.Message(err), e.Socket) {
		t.Errorf("check: %v", err)
	}
	s.Shell(t, id, "kill -0 "+pid)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	changes := make(chan identity.WorkspaceID, 16)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = r.Watch(ctx, func(id identity.WorkspaceID) { changes <- id }) // it ends with ctx
	}()
	if err := r.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	if err := r.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Hub.Close(id)
	s.Start(t, id)
	select {
	case got := <-changes:
		if got != id {
			t.Errorf("%s changed, want %s", got, id)
		}
	case <-time.After(harness.Wait):
		t.Error("no event of a start")
	}
	cancel()
	<-done
}

// Limits hold, and what is used is measured.
func TestLimits(t *testing.T) {
	s := runtimetest.NewServer(t, suite(t))
	s.Change = func(spec *workspace.Spec) {
		spec.User = "vscode"
		spec.Limits = workspace.Limits{CPUs: 64, Memory: 256 << 20, Processes: 60, Disk: 1 << 30}
		spec.Volumes = []workspace.Volume{{Name: "cache", Target: "/var/cache/thing"}}
		spec.Labels = map[string]string{"project": "payments", "lanyard.uid": "0"}
	}
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	if got := s.Exec(t, id, "/bin/bash", "-c", "for i in $(seq 200); do sleep 100 & done; wait"); got.Code == 0 {
		t.Errorf("200 processes: %+v", got)
	}
	s.Exec(t, id, "pkill", "sleep")
	if got := s.Exec(t, id, "/bin/bash", "-c", "python3 -c 'x = bytearray(1 << 30)'"); got.Code != 137 {
		t.Errorf("more memory than there is: %+v", got)
	}
	if got := s.Shell(t, id, "touch /var/cache/thing/x && stat -c %U /var/cache/thing/x; id -un"); got != "vscode\nvscode" {
		t.Errorf("%s", got)
	}
	m := s.Runtime.(workspace.Meter)
	f, err := m.Measure(runtimetest.Context(t), id)
	if err != nil || f.CPU <= 0 || f.Memory <= 0 || f.Processes < 1 {
		t.Errorf("%+v, %v", f, err)
	}
	if _, err := m.Measure(runtimetest.Context(t), identity.NewWorkspaceID()); problem.KindOf(err) != problem.NotFound {
		t.Errorf("%v", err)
	}
}

type basic struct{}

func (basic) Authorization() (*authn.AuthConfig, error) {
	return &authn.AuthConfig{Username: "puller", Password: "sesame"}, nil
}

func emptyImage(t *testing.T) v1.Image {
	t.Helper()
	return mutate.MediaType(empty.Image, types.DockerManifestSchema2)
}
