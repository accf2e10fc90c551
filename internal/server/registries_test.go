package server

import (
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func pullBy(t *testing.T, s *Server, o workspace.PullOrder) error {
	t.Helper()
	reach := s.registries()
	t.Cleanup(reach.Transport.(*http.Transport).CloseIdleConnections)
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
