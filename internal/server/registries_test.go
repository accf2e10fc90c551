package server

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func pullBy(t *testing.T, s *Server, o workspace.PullOrder) error {
	t.Helper()
	reach := s.registries()
	t.Cleanup(reach.Transport.(ways).CloseIdleConnections)
	store, err := image.New(image.Config{Dir: t.TempDir(), Transport: reach.Transport, Plain: reach.Plain})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Pull(t.Context(), o, nil)
	return err
}

// A repository's file names an image on this machine, in a private network, at a cloud's metadata: nothing is sent there that
// lanyard.yaml does not name.
func TestAttack21ImagesFromInside(t *testing.T) {
	registry := imagetest.Serve(t, "puller", "a long password")
	ref := registry.Push(t, "team/base:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})))
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("puller:a long password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{log: slog.New(slog.DiscardHandler), upstream: upstream.New(upstream.Config{Log: slog.New(slog.DiscardHandler)})}
	for _, inside := range []string{ref, "169.254.169.254/x/y:1", "10.0.0.1:443/x/y:1", "100.64.0.1/x/y", "[::1]:5000/x/y"} {
		if err := pullBy(t, s, workspace.PullOrder{Ref: inside}); problem.KindOf(err) != problem.Denied && problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: %v", inside, err)
		}
	}
	s.options.Registries = []config.Registry{{Host: registry.Host, BasicFile: file, Projects: []string{"payments"}}}
	for project, want := range map[string]string{"payments": "puller", "other": ""} {
		user, password, err := s.registryCredential(ref, project)
		if err != nil || user != want {
			t.Errorf("%s: %q, %v", project, user, err)
		}
		err = pullBy(t, s, workspace.PullOrder{Ref: ref, User: user, Password: password})
		if (want != "") != (err == nil) || err != nil && problem.KindOf(err) != problem.Denied {
			t.Errorf("%s: %v", project, err)
		}
	}
	if err := os.WriteFile(file, []byte("no colon"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.registryCredential(ref, "payments"); problem.KindOf(err) != problem.BadUpstream {
		t.Error(err)
	}
}

// What is trusted is a service of a host, and nothing else that listens there.
func TestAttack21RegistriesOtherPorts(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "team/base:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})))
	s := &Server{log: slog.New(slog.DiscardHandler), upstream: upstream.New(upstream.Config{Log: slog.New(slog.DiscardHandler)})}
	for _, c := range []struct {
		config.Registry
		reached bool
	}{
		{config.Registry{Host: "127.0.0.1"}, false},
		{config.Registry{Host: "127.0.0.1", PlainHTTP: true}, false},
		{config.Registry{Host: "other.example.test", Also: []string{"127.0.0.1", "127.0.0.1:1"}}, false},
		{config.Registry{Host: "other.example.test", Also: []string{registry.Host}}, false}, // it may be sent there by that one alone
		{config.Registry{Host: registry.Host, PlainHTTP: true}, true},
	} {
		s.options.Registries = []config.Registry{c.Registry}
		if err := pullBy(t, s, workspace.PullOrder{Ref: ref}); (err == nil) != c.reached {
			t.Errorf("%+v: %v", c.Registry, err)
		}
	}
}

// told is a runtime's images that remember what was asked for.
type told struct {
	workspace.Images
	last workspace.PullOrder
}

func (o *told) Pull(_ context.Context, order workspace.PullOrder, _ func(string)) (workspace.Ready, error) {
	o.last = order
	return workspace.Ready{}, nil
}

// The image of an earlier start is on another registry than the one that the project names now.
func TestAttack11PasswordOfAnotherRegistry(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("puller:a long password\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	world := gatewaytest.New(t, "")
	s := &Server{engine: world.Engine, log: slog.New(slog.DiscardHandler)}
	s.options.Registries = []config.Registry{{Host: "new.example.test", BasicFile: file}}
	payments, _ := world.Engine.Facts().Projects.ByName("payments")
	earlier := "@sha256:" + strings.Repeat("0", 64)
	for host, want := range map[string]string{"old.example.test": "", "new.example.test": "puller"} {
		x := &preparing{Server: s, row: workspace.Workspace{Project: payments.ID}}
		x.row.Began, x.row.Image, x.row.Said = time.Now(), host+"/team/base"+earlier, []byte("{}")
		var images told
		if _, err := x.pull(t.Context(), &images, "new.example.test/team/base:1", false); err != nil {
			t.Fatal(err)
		}
		if o := images.last; o.Ref != x.row.Image || !o.Again || o.User != want || (o.Password != "") != (want != "") {
			t.Errorf("%s is asked with the user %q", o.Ref, o.User)
		}
	}
}

// A registry that lanyard.yaml names sends who pulls to other addresses of the network, for a layer or for a token: nobody goes there.
func TestAttack21RegistryRedirects(t *testing.T) {
	var reached atomic.Int64
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer inside.Close()
	registry := imagetest.Serve(t, "", "")
	ref := registry.Push(t, "team/base:1", imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"})))
	s := &Server{log: slog.New(slog.DiscardHandler), upstream: upstream.New(upstream.Config{Log: slog.New(slog.DiscardHandler)})}
	s.options.Registries = []config.Registry{{Host: registry.Host}}
	const secret = "?X-Signature=hunter2"
	for what, spoil := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"a layer": func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/blobs/") {
				return false
			}
			http.Redirect(w, r, inside.URL+"/latest/meta-data"+secret, http.StatusTemporaryRedirect)
			return true
		},
		"everything, to metadata": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, "https://169.254.169.254/latest/meta-data"+secret, http.StatusTemporaryRedirect)
			return true
		},
		"tokens": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+inside.URL+`/token`+secret+`",service="x"`)
			w.WriteHeader(http.StatusUnauthorized)
			return true
		},
	} {
		registry.Spoil.Store(&spoil)
		if err := pullBy(t, s, workspace.PullOrder{Ref: ref, User: "ada", Password: "a long password"}); err == nil || strings.Contains(err.Error()+problem.Message(err), "hunter2") || strings.Contains(err.Error(), "a long password") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if reached.Load() != 0 {
		t.Error("somebody went there")
	}
}
