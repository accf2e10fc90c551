// Package machine tests what surrounds workspaces: classes, the queue, timeouts, what is not saved, and what somebody leaves
// behind.
package machine

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const repository = "https://git.example.test/payments/api"

// world is one server for all of the package.
type world struct{ *harness.World }

func TestMachine(t *testing.T) {
	w := world{harness.StartOn(t, func(string) {}, "--running", "2")}
	ws := w.Workspace("ada", repository)
	t.Run("classes", func(t *testing.T) { w.classes(t, ws) })
	t.Run("queue", w.queue)
	t.Run("unsaved", func(t *testing.T) { w.unsaved(t, ws) })
	t.Run("kept", func(t *testing.T) { w.kept(t, ws) })
	t.Run("left behind", func(t *testing.T) { w.left(t, ws) })
	if _, err := os.Stat(filepath.Join(w.Files(ws), "api", "left.txt")); err != nil {
		t.Errorf("the files are not kept: %v", err)
	}
}

func TestMachineInDocker(t *testing.T) {
	slow(t, "an engine")
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	w := world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}
	ws := w.Workspace("ada", repository)
	t.Run("unsaved", func(t *testing.T) { w.unsaved(t, ws) })
	t.Run("left behind", func(t *testing.T) { w.left(t, ws) })
}

func refused(t *testing.T, says string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("refused with %v, not with %q", err, says)
	}
}

func (w world) phase(id, phase string) {
	w.T.Helper()
	w.Eventually(id+" is "+phase, func() bool {
		now, err := w.Operator.Workspace(w.Context(), id)
		return phase == "" && err != nil || err == nil && now.Phase == phase
	})
}

func (w world) classes(t *testing.T, ws api.Workspace) {
	list, err := w.As("ada").Classes(w.Context(), "payments")
	if err != nil || len(list) < 2 || list[0].Name != "standard" || !list[0].Default {
		t.Errorf("classes: %+v %v", list, err)
	}
	if now, err := w.As("ada").Workspace(w.Context(), ws.ID); err != nil || now.Class != "standard" || now.Limits == nil || now.Limits.Processes != 4096 {
		t.Errorf("its class: %+v %v", now.Machine, err)
	}
	huge := "huge"
	_, err = w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Class: &huge})
	refused(t, "there is standard", err)
	small := "small"
	if now, err := w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Class: &small}); err != nil || now.Class != "small" {
		t.Errorf("another class: %+v %v", now.Machine, err)
	}
	policy := filepath.Join(w.Data, "policies", "large.cedar")
	if err := os.WriteFile(policy, []byte(`@id("nobody-has-large")
forbid (principal, action in [Action::"workspace:create", Action::"workspace:start"], resource) when { context has class && context.class == "large" };
`), 0o644); err != nil {
		t.Fatal(err)
	}
	large := "large"
	w.Eventually("a policy keeps a class from people", func() bool {
		_, err := w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Class: &large})
		return err != nil && strings.Contains(err.Error(), "nobody-has-large")
	})
	_, err = w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: repository, Class: large})
	refused(t, "nobody-has-large", err)
	if now, err := w.As("ada").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Class: &small}); err != nil || now.Class != "small" {
		t.Errorf("another class is not: %+v %v", now.Machine, err)
	}
	if err := os.Remove(policy); err != nil {
		t.Fatal(err)
	}
	if _, err := w.As("alan").Classes(w.Context(), "payments"); err == nil {
		t.Error("a stranger to the project reads its classes")
	}
}

// With room for two, the third waits, is shown where, and runs when one stops.
func (w world) queue(t *testing.T) {
	second := w.Workspace("ada", repository)
	third, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: repository})
	if err != nil {
		t.Fatal(err)
	}
	w.Eventually("it waits", func() bool {
		now, err := w.As("ada").Workspace(w.Context(), third.ID)
		return err == nil && now.Phase == "pending" && now.Queue != nil && *now.Queue == api.Queue{At: 1, Of: 1}
	})
	if said := w.Lanyard("list"); !strings.Contains(said.Out, "pending 1/1") || !strings.Contains(said.Out, "CLASS") {
		t.Errorf("the list: %+v", said)
	}
	if _, err := w.As("ada").StopWorkspace(w.Context(), second.ID); err != nil {
		t.Fatal(err)
	}
	w.phase(third.ID, "running")
	for _, id := range []string{second.ID, third.ID} {
		if err := w.As("ada").DeleteWorkspace(w.Context(), id); err != nil {
			t.Errorf("nothing is in it: %v", err)
		}
		w.phase(id, "")
	}
}

// What would be lost is told, by name to its owner alone, and lost only by who says so.
func (w world) unsaved(t *testing.T, ws api.Workspace) {
	other := w.Workspace("ada", repository)
	w.Must("ada", other, `set -e; echo x >new.txt; git commit -q --allow-empty -m "Not pushed yet"; echo y >>README.md`)
	u, err := w.As("ada").Unsaved(w.Context(), other.ID)
	if err != nil || u.Unpushed != 1 || u.Changed != 2 || len(u.Checkouts) != 1 || !strings.Contains(strings.Join(u.Checkouts[0].Files, "\n"), "new.txt") ||
		!strings.Contains(u.Checkouts[0].Commits[0], "Not pushed yet") {
		t.Errorf("what would be lost: %+v %v", u, err)
	}
	if u, err := w.Operator.Unsaved(w.Context(), other.ID); err != nil || u.Unpushed != 1 || len(u.Checkouts) != 0 {
		t.Errorf("others read %+v %v", u, err)
	}
	refused(t, "2 files that are not committed, 1 commit that is not pushed", w.As("ada").DeleteWorkspace(w.Context(), other.ID))
	if said := w.Lanyard("delete", "--yes", other.ID); said.Status == 0 || !strings.Contains(said.Err, "--force") {
		t.Errorf("lanyard delete: %+v", said)
	}
	if _, err := w.As("ada").StopWorkspace(w.Context(), other.ID); err != nil {
		t.Fatal(err)
	}
	w.phase(other.ID, "stopped")
	refused(t, "which would be lost", w.As("ada").DeleteWorkspace(w.Context(), other.ID))
	if said := w.Lanyard("list"); !strings.Contains(said.Out, "has work that is not pushed") {
		t.Errorf("the list: %+v", said)
	}
	if said := w.Lanyard("delete", "--force", other.ID); said.Status != 0 {
		t.Errorf("lanyard delete --force: %+v", said)
	}
	w.phase(other.ID, "")
	if _, err := w.As("ada").Workspace(w.Context(), ws.ID); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

func (w world) kept(t *testing.T, ws api.Workspace) {
	ada := w.As("ada")
	change := func(c api.WorkspaceChange) (api.Workspace, error) { return ada.ChangeWorkspace(w.Context(), ws.ID, c) }
	pinned, limit, short, words := true, "90m", "5s", "a while"
	if now, err := change(api.WorkspaceChange{Pinned: &pinned, Timeout: &limit}); err != nil || !now.Pinned || now.Timeout != 5400 || now.Stops.IsZero() {
		t.Errorf("pinned: %+v %v", now.Machine, err)
	}
	_, err := change(api.WorkspaceChange{Timeout: &short})
	refused(t, "at least 1m", err)
	_, err = change(api.WorkspaceChange{Timeout: &words})
	refused(t, "not a duration", err)
	before, err := change(api.WorkspaceChange{})
	if err != nil {
		t.Fatal(err)
	}
	if now, err := change(api.WorkspaceChange{Extend: true}); err != nil || !now.Stops.After(before.Stops) {
		t.Errorf("extended from %s to %s: %v", before.Stops, now.Stops, err)
	}
	if _, err := w.As("grace").ChangeWorkspace(w.Context(), ws.ID, api.WorkspaceChange{Timeout: &limit}); err == nil {
		t.Error("somebody else changes it")
	}
	w.Kill()
	w.Run()
	w.phase(ws.ID, "running")
	if now, err := w.As("ada").Workspace(w.Context(), ws.ID); err != nil || !now.Pinned || now.Timeout != 5400 || now.Class != "small" {
		t.Errorf("after a restart: %+v %v", now.Machine, err)
	}
}

// Who is disabled is out, their workspace stops and keeps its files, and an administrator alone takes them.
func (w world) left(t *testing.T, ws api.Workspace) {
	w.Eventually("its agent is back", func() bool { // the server was killed
		_, code, err := w.TryExec(w.Context(), "ada", ws, `echo "what ada left" >left.txt`)
		return err == nil && code == 0
	})
	var out bytes.Buffer
	refused(t, "its owner's account is enabled", w.As("margaret").ExportWorkspace(w.Context(), ws.ID, &out))
	w.Tenant().Enable(w.Tenant().User("ada"), false)
	w.phase(ws.ID, "stopped")
	for _, who := range []string{"grace", "barbara"} {
		if err := w.As(who).ExportWorkspace(w.Context(), ws.ID, &out); err == nil {
			t.Errorf("%s takes the files", who)
		}
	}
	if err := w.Operator.ExportWorkspace(w.Context(), ws.ID, &out); err == nil {
		t.Error("the operator takes the files")
	}
	if out.Len() > 0 {
		t.Errorf("refused, and sent %d bytes", out.Len())
	}
	if err := w.As("margaret").ExportWorkspace(w.Context(), ws.ID, &out); err != nil {
		t.Fatal(err)
	}
	found := ""
	for archive := tar.NewReader(&out); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Name == "workspace/api/left.txt" {
			text, err := io.ReadAll(archive)
			if err != nil {
				t.Fatal(err)
			}
			found = string(text)
		}
	}
	if found != "what ada left\n" {
		t.Errorf("the archive holds %q", found)
	}
	w.Eventually("the export is in the log", func() bool {
		var log bytes.Buffer
		return w.Operator.ExportAudit(w.Context(), &log) == nil && strings.Contains(log.String(), `"workspace:export"`)
	})
}
