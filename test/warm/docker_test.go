package warm_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestWarmInDocker has containers made ahead by a real engine.
func TestWarmInDocker(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("starts an engine and a dozen containers: set LANYARD_SLOW=1 (make test-all)")
	}
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	w := &world{World: harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}
	w.operator = remote.Socket(w.Info.Socket)
	t.Cleanup(func() { w.operator.Close() })
	e := asked{&http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", engine.Socket)
	}}}}
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "\nworkspace: {", "\nworkspace: {warm: [{count: 1}], ", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	ready := func() string { return w.containers(t, e)[0].Labels["lanyard.workspace"] }

	t.Run("taken", func(t *testing.T) {
		w.ready1(t, e)
		id := ready()
		ws := w.Workspace("ada", repo)
		if ws.ID != id || !ws.Warm {
			t.Errorf("%s was made, and %s was ready", ws.ID, id)
		}
		if got := w.Must("ada", ws, "git -C /workspace/legacy config user.name && echo $LANYARD_WORKSPACE_ID"); !strings.Contains(got, "Ada") || !strings.Contains(got, ws.ID) {
			t.Errorf("inside: %s", got)
		}
		w.ready1(t, e)
		if next := ready(); next == id {
			t.Error("it went back")
		}
	})
	t.Run("what a file says", func(t *testing.T) {
		w.ofTheFile(t, func() string {
			w.ready1(t, e)
			return strings.TrimPrefix(ready(), "w-")
		})
	})
	t.Run("another user", func(t *testing.T) {
		w.ready1(t, e)
		w.commit(t, "vscode", `{"remoteUser": "vscode"}`)
		ws, said := w.begin(t, "vscode")
		if ws.Warm || ws.Cold == "" || !strings.Contains(said, "Not from the pool: "+ws.Cold) {
			t.Errorf("%+v: %s", ws.Machine, said)
		}
		if got := w.Must("ada", ws, "id -un"); got != "vscode\n" {
			t.Errorf("inside: %s", got)
		}
	})
	t.Run("its container ends", func(t *testing.T) {
		w.ready1(t, e)
		one := w.containers(t, e)[0]
		e.ask(t, http.MethodPost, "/containers/"+one.ID+"/kill", nil)
		w.Eventually("another one is made", func() bool {
			all := w.containers(t, e)
			return len(all) == 1 && all[0].ID != one.ID && w.isReady(t)
		})
	})
	t.Run("the server dies", func(t *testing.T) {
		before, all, err := ready(), []api.Workspace(nil), error(nil)
		w.Kill()
		w.Run()
		w.operator.Close()
		w.operator = remote.Socket(w.Info.Socket)
		w.Eventually("another one is made", func() bool { return w.isReady(t) && len(w.containers(t, e)) == 1 && ready() != before })
		if all, err = w.operator.Workspaces(w.Context()); err != nil || len(all) == 0 || all[0].Phase != "running" {
			t.Errorf("%+v, %v", all, err)
		}
	})
	w.Stop()
	if left := e.all(t, "running"); len(left) > 0 {
		t.Errorf("these run on: %+v", left)
	}
}

// asked is an engine that is asked directly.
type asked struct{ *http.Client }

type ofEngine struct {
	ID     string `json:"Id"`
	State  string
	Labels map[string]string
}

func (e asked) ask(t *testing.T, method, path string, into any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://engine"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := e.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		t.Fatalf("%s: %s", path, answer.Status)
	}
	if into != nil {
		if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
}

// all are the workspaces' containers; of one state, where it is not empty.
func (e asked) all(t *testing.T, state string) (all []ofEngine) {
	t.Helper()
	e.ask(t, http.MethodGet, "/containers/json?all=1", &all)
	return slices.DeleteFunc(all, func(c ofEngine) bool { return c.Labels["lanyard.workspace"] == "" || state != "" && c.State != state })
}

// containers are those of nobody.
func (w world) containers(t *testing.T, e asked) []ofEngine {
	t.Helper()
	taken, err := w.operator.Workspaces(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(e.all(t, ""), func(c ofEngine) bool {
		return slices.ContainsFunc(taken, func(x api.Workspace) bool { return x.ID == c.Labels["lanyard.workspace"] })
	})
}

// isReady reports whether one is ready, and none is being made.
func (w world) isReady(t *testing.T) bool {
	t.Helper()
	projects, err := w.operator.Projects(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(projects, func(p api.Project) bool { return len(p.Warm) == 1 && p.Warm[0].Ready == 1 && p.Warm[0].Making == 0 })
}

// ready1 waits until one is ready, and one container is nobody's.
func (w world) ready1(t *testing.T, e asked) {
	t.Helper()
	w.Eventually("one is made ahead", func() bool { return w.isReady(t) && len(w.containers(t, e)) == 1 })
}
