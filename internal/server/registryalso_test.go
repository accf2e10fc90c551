package server

import (
	"log/slog"
	"net/http"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Where one registry may send who pulls, another may not, also while connections to there are open; what else a registry's answers
// lead to is refused.
func TestAttack21WhereAnotherRegistrySends(t *testing.T) {
	storage, mine, hostile := imagetest.Serve(t, "", ""), imagetest.Serve(t, "", ""), imagetest.Serve(t, "", "")
	im := imagetest.Image(t, v1.Config{}, imagetest.Layer(t, imagetest.File{Name: "a", Body: "a"}))
	storage.Push(t, "team/base:1", im)
	sends := func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/" {
			return false
		}
		http.Redirect(w, r, "http://"+storage.Host+r.URL.Path, http.StatusTemporaryRedirect)
		return true
	}
	mine.Spoil.Store(&sends)
	hostile.Spoil.Store(&sends)
	s := &Server{log: slog.New(slog.DiscardHandler), upstream: upstream.New(upstream.Config{Log: slog.New(slog.DiscardHandler)})}
	s.options.Registries = []config.Registry{{Host: mine.Host, PlainHTTP: true, Also: []string{storage.Host}}, {Host: hostile.Host, PlainHTTP: true}}
	reach := s.registries()
	defer reach.Transport.(ways).CloseIdleConnections()
	for _, c := range []struct {
		registry *imagetest.Registry
		works    bool
	}{{mine, true}, {hostile, false}, {mine, true}} {
		store, err := image.New(image.Config{Dir: t.TempDir(), Transport: reach.Transport, Plain: reach.Plain})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Pull(t.Context(), workspace.PullOrder{Ref: c.registry.Host + "/team/base:1"}, nil); (err == nil) != c.works {
			t.Errorf("%s: %v", c.registry.Host, err)
		}
	}
}
