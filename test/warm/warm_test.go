// Package warm_test has workspaces made ahead by a whole server, in sandboxes, and gives them to people.
package warm_test

import (
	"errors"
	"fmt"
	"io/fs"
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

func TestMain(m *testing.M) { harness.Main(m) }

const repo = "https://legacy.example.test/payments/legacy"

type world struct {
	*harness.World
	operator *remote.Remote
}

func TestWarm(t *testing.T) {
	w := &world{World: harness.Start(t)}
	w.operator = remote.Socket(w.Info.Socket)
	t.Cleanup(w.operator.Close)
	w.want(t, 1)
	t.Run("taken", w.taken)
	t.Run("TestAttack18ARevokedPersonTakesNothing", w.revoked)
	t.Run("the server dies", w.dies)
	t.Run("TestAttack26NothingGoesThroughAWarmSocket", w.nobodys)
	t.Run("its agent is away", w.agentAway)
	t.Run("what a file says", func(t *testing.T) { w.ofTheFile(t, func() string { return w.ready(t, 1)[0] }) })
	t.Run("a policy forbids it", w.forbidden)
	t.Run("unwanted", w.unwanted)
}

// want writes into the project's file how many are made ahead, and waits until they are.
func (w world) want(t *testing.T, n int) {
	t.Helper()
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "\nworkspace: {", fmt.Sprintf("\nworkspace: {warm: [{count: %d}], ", n), 1)
	if err := os.WriteFile(path, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}
	w.ready(t, n)
}

// ready waits until so many are there, and returns the folders that the sandbox has of them.
func (w world) ready(t *testing.T, n int) (labels []string) {
	t.Helper()
	w.Eventually("they are made ahead", func() bool {
		projects, err := w.operator.Projects(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		labels = w.labels(t)
		return slices.ContainsFunc(projects, func(p api.Project) bool {
			return p.Name == "payments" && len(p.Warm) == 1 && p.Warm[0].Ready == n && p.Warm[0].Making == 0
		}) && len(labels) == n
	})
	return labels
}

// labels are those of the sandboxes that are nobody's.
func (w world) labels(t *testing.T) (labels []string) {
	t.Helper()
	all, err := w.operator.Workspaces(w.Context())
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(w.Data, "server", "sandbox", "w"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // the first makes it
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.ContainsFunc(all, func(x api.Workspace) bool { return strings.TrimPrefix(x.ID, "w-") == e.Name() }) {
			labels = append(labels, e.Name())
		}
	}
	return labels
}

// nobodys: what is made ahead is on no list, and whoever spoke through its socket would be nobody.
func (w world) nobodys(t *testing.T) {
	label := w.ready(t, 1)[0]
	for _, who := range []string{"ada", "grace"} {
		all, err := w.As(who).Workspaces(w.Context())
		if err != nil || len(all) > 0 {
			t.Error(who, all, err)
		}
		if x, err := w.As(who).Workspace(w.Context(), "w-"+label); err == nil {
			t.Errorf("%s sees %+v", who, x)
		}
		projects, err := w.As(who).Projects(w.Context())
		if err != nil || slices.ContainsFunc(projects, func(p api.Project) bool { return len(p.Warm) > 0 }) {
			t.Error(who, projects, err)
		}
	}
	conn := w.Tunnel(api.Workspace{ID: "w-" + label})
	for _, ask := range []string{
		"GET /git/legacy.example.test/payments/legacy/info/refs?service=git-upload-pack", "GET /r/ledger/", "GET /tokens", "POST /token", "GET /agents",
		"GET /workspace/info", "GET /workspace/env", "POST /workspace/stop", "GET /api/v1/workspaces", "GET /api/v1/me", "POST /egress",
	} {
		method, path, _ := strings.Cut(ask, " ")
		r, err := http.NewRequestWithContext(w.Context(), method, "http://lanyard"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := conn.Transport().RoundTrip(r)
		if err != nil {
			t.Error(ask, err)
			continue
		}
		answer.Body.Close()
		if answer.StatusCode < 400 || answer.StatusCode >= 500 {
			t.Errorf("%s: %s", ask, answer.Status)
		}
	}
	conn.Close()
}

func (w world) start(t *testing.T, who string) api.Workspace {
	t.Helper()
	return w.Workspace(who, repo)
}

// taken: it is the person's workspace in every way, and nobody else's.
func (w world) taken(t *testing.T) {
	label := w.ready(t, 1)[0]
	ws := w.start(t, "ada")
	if ws.ID != "w-"+label {
		t.Fatalf("%s was made, and %s was ready", ws.ID, label)
	}
	if got := w.Must("ada", ws, "git -C /workspace/legacy log -1 --format=%an >/dev/null && git config user.name && echo $LANYARD_WORKSPACE_ID && ls ~ && touch ~/mine"); !strings.Contains(got, "Ada") || !strings.Contains(got, ws.ID) {
		t.Errorf("inside: %s", got)
	}
	if _, code, err := w.TryExec(w.Context(), "grace", ws, "true"); err == nil && code == 0 {
		t.Error("another person is let in")
	}
	w.Eventually("the log says how it began", func() bool {
		page, err := w.operator.Audit(w.Context(), api.AuditQuery{Workspace: ws.ID, Action: "workspace:start"})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			if e.Detail["warm"] == true && e.User != "" {
				return true
			}
		}
		return false
	})
	if next := w.ready(t, 1)[0]; next == label {
		t.Error("it went back")
	}
	if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
	w.Eventually("nothing of it is left", func() bool { return len(w.labels(t)) == 1 })
}

// nobodysAlone deletes all workspaces (an order that is cut short by a change may have made one) and returns the one that is ready.
func (w world) nobodysAlone(t *testing.T) (label string) {
	t.Helper()
	w.Eventually("no workspace is left", func() bool {
		all, err := w.operator.Workspaces(w.Context())
		for _, ws := range all {
			_ = w.operator.ForceDeleteWorkspace(w.Context(), ws.ID) // one that is going already is as good
		}
		return err == nil && len(all) == 0
	})
	return w.ready(t, 1)[0]
}

// revoked: whose groups are gone takes none, and it stays for others.
func (w world) revoked(t *testing.T) {
	w.ready(t, 1)
	tenant := w.Tenant()
	ada := w.As("ada")
	group := tenant.Group("payments-engineers")
	tenant.Remove(group, tenant.User("ada"))
	w.Eventually("she may not", func() bool {
		ws, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repo})
		if err == nil { // the directory's change was not here yet
			if err := ada.ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
				t.Fatal(err)
			}
		}
		return err != nil
	})
	label := w.nobodysAlone(t)
	if _, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repo}); err == nil {
		t.Error("she may again")
	}
	if now := w.ready(t, 1)[0]; now != label {
		t.Errorf("it was %s and is %s", label, now)
	}
	tenant.Add(group, tenant.User("ada"))
	w.Eventually("she may again", func() bool {
		ws, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repo})
		if err != nil {
			return false
		}
		if err := ada.ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Fatal(err)
		}
		return true
	})
}

// dies: a server that is killed finds what it made ahead, and nothing of it stays.
func (w *world) dies(t *testing.T) {
	before := w.ready(t, 1)[0]
	w.Kill()
	w.Run()
	w.operator.Close()
	w.operator = remote.Socket(w.Info.Socket)
	if after := w.ready(t, 1)[0]; after == before {
		t.Error("it was kept")
	}
}
