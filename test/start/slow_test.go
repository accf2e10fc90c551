package start_test

import (
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
)

// slowly stands before a registry: a layer comes by and by, and its second half not at all.
type slowly struct {
	host   string
	held   chan struct{} // told when half of one is there
	breaks atomic.Bool   // those that are held end, and no other comes
	broken chan struct{}
}

func slowRegistry(t *testing.T, r *imagetest.Registry, layer string) *slowly {
	s := &slowly{held: make(chan struct{}, 16), broken: make(chan struct{})}
	way := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: r.Host})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	way.Transport = transport
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method != http.MethodGet || !strings.HasSuffix(q.URL.Path, layer) {
			way.ServeHTTP(w, q)
			return
		}
		if s.breaks.Load() {
			http.Error(w, "it is gone", http.StatusNotFound)
			return
		}
		whole := httptest.NewRecorder()
		way.ServeHTTP(whole, q)
		body := whole.Body.Bytes()
		w.Header()["Content-Length"] = whole.Header()["Content-Length"]
		for at := 0; at < len(body)/2; at += 4 << 10 {
			if _, err := w.Write(body[at:min(at+4<<10, len(body)/2)]); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush() // who has gone is found out below
		}
		s.held <- struct{}{}
		select {
		case <-s.broken:
		case <-q.Context().Done():
		}
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(server.Close)
	s.host = strings.TrimPrefix(server.URL, "http://")
	return s
}

// slowImage: while an image is on its way the workspace's folders are made; whatever ends the start then, nothing of it is left.
func (w world) slowImage(t *testing.T) {
	registry := imagetest.Serve(t, "", "")
	layer := imagetest.Layer(t, imagetest.File{Name: "large", Body: noise(t, 64<<10)})
	im := imagetest.Image(t, v1.Config{}, layer)
	registry.Push(t, "team/slow:1", im)
	digest, err := layer.Digest()
	if err != nil {
		t.Fatal(err)
	}
	slow := slowRegistry(t, registry, digest.String())
	w.commit(t, "slow", map[string]string{".gitpod.yml": "image: " + slow.host + "/team/slow:1\n"})
	folder := func(ws api.Workspace) string {
		return filepath.Join(w.Data, "server", "sandbox", "w", strings.TrimPrefix(ws.ID, "w-"))
	}
	gone := func(path string) bool {
		_, err := os.Lstat(path)
		return os.IsNotExist(err)
	}
	clean := func(t *testing.T, ws api.Workspace) {
		t.Helper()
		w.Eventually("nothing is left of what was begun", func() bool {
			half, err := os.ReadDir(filepath.Join(w.Data, "server", "images", "tmp"))
			if err != nil {
				t.Fatal(err)
			}
			return gone(folder(ws)) && len(half) == 0
		})
	}
	// under is a workspace whose image is half there, and whose folders are whole.
	under := func(t *testing.T) api.Workspace {
		ws, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: host + repo + "/tree/slow"})
		if err != nil {
			t.Fatal(err)
		}
		<-slow.held
		w.Eventually("its folders are made meanwhile", func() bool { return !gone(filepath.Join(folder(ws), "files")) })
		w.Eventually("and that is told", func() bool {
			lines, err := w.As("ada").Logs(w.Context(), ws.ID)
			if err != nil {
				t.Fatal(err)
			}
			var said strings.Builder
			for _, l := range lines {
				said.WriteString(l.Text + "\n")
			}
			return strings.Contains(said.String(), "making the workspace's folders\n") && strings.Contains(said.String(), "pulling layer 1 of 1")
		})
		return ws
	}
	drop := func(t *testing.T, ws api.Workspace) {
		t.Helper()
		if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Fatal(err)
		}
		clean(t, ws)
	}
	t.Run("deleted", func(t *testing.T) { drop(t, under(t)) })
	t.Run("stopped", func(t *testing.T) {
		ws := under(t)
		if _, err := w.As("ada").StopWorkspace(w.Context(), ws.ID); err != nil {
			t.Fatal(err)
		}
		if now, _ := w.follow(t, ws); now.Phase != "stopped" || now.FailedStep != "" {
			t.Errorf("%+v", now)
		}
		clean(t, ws)
		if _, err := w.As("ada").StartWorkspace(w.Context(), ws.ID); err != nil { // it can be tried again
			t.Fatal(err)
		}
		<-slow.held
		drop(t, ws)
	})
	t.Run("it breaks", func(t *testing.T) {
		ws := under(t)
		slow.breaks.Store(true)
		close(slow.broken)
		if now, _ := w.follow(t, ws); now.Phase != "stopped" || now.FailedStep != "making the image ready" || !strings.Contains(now.Message, slow.host+"/team/slow:1") {
			t.Errorf("%+v", now)
		}
		clean(t, ws)
		drop(t, ws)
	})
}

// noise is what no packing makes smaller.
func noise(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}
