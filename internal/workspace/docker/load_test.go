package docker_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

func imageWith(t *testing.T, files ...string) v1.Image {
	t.Helper()
	layers := []v1.Layer{imagetest.Layer(t, imagetest.File{Name: "etc/passwd", Body: "dev:x:1234:1234::/home/dev:/bin/sh\n"})}
	for _, name := range files {
		layers = append(layers, imagetest.Layer(t, imagetest.File{Name: name, Body: "of " + t.Name()}))
	}
	return imagetest.Image(t, v1.Config{User: "dev"}, layers...)
}

// A registry that lanyard.yaml names sends whoever pulls to an address inside: neither the server nor the engine goes there, and
// what the way there holds is told to nobody.
func TestAttack21RegistryThatSendsInside(t *testing.T) {
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var reached atomic.Int64
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) })}
	go func() { _ = server.Serve(inside) }()
	defer server.Close()
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "team/sent:1", imageWith(t, "one"))
	e := harness.Docker(t)
	guarded := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != registry.Host {
			return nil, errors.New("that address is not dialled")
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer guarded.CloseIdleConnections()
	r, err := docker.New(docker.Config{Data: dataFolder(t), AgentPath: built.agent, Socket: e.Socket, Image: e.Image, Transport: guarded, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	const secret = "X-Signature=hunter2"
	for what, spoil := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a layer": func(w http.ResponseWriter, q *http.Request) bool {
			if !strings.Contains(q.URL.Path, "/blobs/") {
				return false
			}
			http.Redirect(w, q, "http://"+inside.Addr().String()+"/latest/meta-data?"+secret, http.StatusTemporaryRedirect)
			return true
		},
		"metadata": func(w http.ResponseWriter, q *http.Request) bool {
			http.Redirect(w, q, "https://169.254.169.254/latest/meta-data?"+secret, http.StatusTemporaryRedirect)
			return true
		},
		"tokens": func(w http.ResponseWriter, q *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="http://`+inside.Addr().String()+`/token?`+secret+`",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		},
	} {
		registry.Spoil.Store(&spoil)
		if _, err := r.Pull(runtimetest.Context(t), workspace.PullOrder{Ref: ref}, nil); err == nil || strings.Contains(err.Error()+problem.Message(err), "hunter2") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if reached.Load() != 0 {
		t.Error("something went there")
	}
}

// claims is a layer that says that it unpacks to something that it does not.
type claims struct {
	v1.Layer
	content v1.Hash
}

func (c claims) DiffID() (v1.Hash, error) { return c.content, nil }

// An engine takes a configuration's word for layers that it has: a registry of one's own that names the content of another's layer,
// and sends something else, is not believed.
func TestAttack20LayersByTheirContentsName(t *testing.T) {
	private, mine := imagetest.Serve(t, "puller", "sesame"), imagetest.Serve(t, "", "")
	secret := imageWith(t, "secret")
	r := open(t, dataFolder(t))
	if _, err := r.Pull(runtimetest.Context(t), workspace.PullOrder{Ref: private.Push(t, "team/private:1", secret), User: "puller", Password: "sesame"}, nil); err != nil {
		t.Fatal(err)
	}
	layers, err := secret.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var claiming []v1.Layer
	for _, l := range layers {
		content, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		claiming = append(claiming, claims{imagetest.Layer(t, imagetest.File{Name: "mine", Body: content.Hex}), content})
	}
	if _, err := r.Pull(runtimetest.Context(t), workspace.PullOrder{Ref: mine.Push(t, "mine:1", imagetest.Image(t, v1.Config{}, claiming...))}, nil); err == nil || !strings.Contains(problem.Message(err), "is not what the image's configuration names") {
		t.Errorf("%v", err)
	}
}

// What came from a repository before is not fetched from it again; what was removed from the engine meanwhile is.
func TestLayersAreFetchedOnce(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	r := open(t, dataFolder(t))
	one := int64(2) // what an image says of itself, and the layer that is new in it
	if r.KeepsSnapshots(t) {
		one = 4 // and the two that are not
	}
	pull := func(ref string) workspace.Ready {
		t.Helper()
		ready, err := r.Pull(runtimetest.Context(t), workspace.PullOrder{Ref: ref}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ready
	}
	first := pull(registry.Push(t, "team/many:1", imageWith(t, "one")))
	before := registry.Blobs.Load()
	if again := pull(first.Image.Ref); again.Image != first.Image || registry.Blobs.Load()-before != 1 { // what it says of itself
		t.Errorf("%+v, %d blobs more", again, registry.Blobs.Load()-before)
	}
	before = registry.Blobs.Load()
	pull(registry.Push(t, "team/many:2", imageWith(t, "one", "two")))
	if n := registry.Blobs.Load() - before; n != one {
		t.Errorf("%d blobs, want %d", n, one)
	}
	before = registry.Blobs.Load()
	pull(registry.Push(t, "team/other:2", imageWith(t, "one", "two")))
	if n := registry.Blobs.Load() - before; n != 4 { // another repository, whose layers are looked at
		t.Errorf("%d blobs, want 4", n)
	}
}

// Layers that are packed in other ways than engines of every age can unpack arrive all the same.
func TestLayersHoweverPacked(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	r := open(t, dataFolder(t))
	path := filepath.Join(t.TempDir(), "plain.tar")
	if err := os.WriteFile(path, archive(t, map[string]string{"etc/passwd": "dev:x:1234:1234::/home/dev:/bin/sh\n"}), 0o600); err != nil {
		t.Fatal(err)
	}
	ready, err := r.Pull(runtimetest.Context(t), workspace.PullOrder{Ref: registry.Push(t, "plain:1", imagetest.FromTar(t, path, v1.Config{}))}, nil)
	if err != nil || len(ready.Users) != 1 || ready.Users[0] != "dev" {
		t.Errorf("%+v %v", ready, err)
	}
}
