package apiserver

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func (w *world) started(u identity.UserID) api.Workspace {
	w.t.Helper()
	x, err := w.as(u).CreateWorkspace(w.t.Context(), api.Order{ContextURL: apiURL + "/tree/feature/x"})
	if err != nil {
		w.t.Fatal(err)
	}
	return x
}

func TestCreate(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	if x.Repository != apiURL || x.Ref != "feature/x" || x.Project != "payments" || !x.Own || x.OwnerName != "Ada Lovelace" ||
		!strings.HasPrefix(x.Terminal, "https://t-") {
		t.Errorf("%+v", x)
	}
	if !slices.Equal(x.Can, []string{"open", "start", "stop", "delete"}) {
		t.Errorf("its owner may %v", x.Can)
	}
	row, _ := w.workspaces.Get(identity.WorkspaceID(x.ID))
	if row.Session != sessionOf(ada) || row.Owner != ada || row.Project != projectID {
		t.Errorf("ordered: %+v", row)
	}

	// A repository of no project and one that is closed to the person look the same.
	_, forbidden := w.as(mallory).CreateWorkspace(t.Context(), api.Order{Repository: apiURL})
	const nowhere = "https://git.example.test/payments/nowhere"
	_, absent := w.as(mallory).CreateWorkspace(t.Context(), api.Order{Repository: nowhere})
	if status(forbidden) != http.StatusNotFound || strings.ReplaceAll(absent.Error(), nowhere, apiURL) != forbidden.Error() {
		t.Errorf("forbidden: %v; absent: %v", forbidden, absent)
	}
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: nowhere}); status(err) != http.StatusNotFound {
		t.Error("a developer, in no project:", err)
	}
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: apiURL, Project: "website"}); status(err) != http.StatusNotFound {
		t.Error("a repository of another project:", err)
	}
	denied := 0
	for _, e := range w.audit.events {
		if e.Action == string(identity.WorkspaceCreate) && e.Outcome == audit.Denied {
			denied++
		}
	}
	if denied < 3 {
		t.Errorf("the log has %d of the attempts", denied)
	}
	if _, err := w.as(operator).CreateWorkspace(t.Context(), api.Order{Repository: apiURL}); status(err) != http.StatusForbidden {
		t.Error("the operator started a workspace:", err)
	}
}

// Row 29: nothing that a person writes becomes an option of Git.
func TestAttack29ContextURLs(t *testing.T) {
	w := newWorld(t)
	for _, bad := range []string{
		"", "--upload-pack=touch", "https://git.example.test/--upload-pack=x/api", apiURL + "/tree/--upload-pack=x", "ssh://git.example.test/payments/api",
		"https://git.example.test/payments/api\x1b[31m", "https://git.example.test/payments/\u202eipa", "ext::sh -c id", "file:///etc/passwd",
		"LD_PRELOAD=x/" + apiURL, apiURL + "?x=y", "https://user@git.example.test/payments/api", "https://git.example.test/payments/../payments/api",
	} {
		_, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{ContextURL: bad})
		if status(err) != http.StatusBadRequest || strings.ContainsFunc(err.Error(), invisible) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{Repository: apiURL, Ref: "-x"}); status(err) != http.StatusBadRequest {
		t.Error("a ref that is an option:", err)
	}
	if n := len(w.workspaces.List()); n != 0 {
		t.Errorf("%d workspaces were started", n)
	}
}

func TestContext(t *testing.T) {
	w := newWorld(t)
	var c api.Context
	if err := w.as(linus).Do(t.Context(), "GET", "/context", map[string][]string{"url": {apiURL + "/tree/main"}}, nil, &c); err != nil {
		t.Fatal(err)
	}
	if c.Project != "payments" || c.Repository != apiURL || c.Ref != "main" || c.Variables != nil {
		t.Errorf("%+v", c)
	}
	const link = "TICKET=42,NOTE=a%20b/" + apiURL + "/pull/7"
	if err := w.as(ada).Do(t.Context(), "GET", "/context", map[string][]string{"url": {link}}, nil, &c); err != nil {
		t.Fatal(err)
	}
	if c.Ref != "refs/pull/7/head" || c.Request != 7 || c.Variables["TICKET"] != "42" || c.Variables["NOTE"] != "a b" {
		t.Errorf("%+v", c)
	}
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{ContextURL: link}); status(err) != http.StatusConflict || !strings.Contains(err.Error(), "NOTE, TICKET") {
		t.Error("variables that nobody confirmed:", err)
	}
	if _, err := w.as(ada).CreateWorkspace(t.Context(), api.Order{ContextURL: link, Confirmed: true, File: "none"}); err != nil {
		t.Error(err)
	}
	if rows := w.workspaces.List(); len(rows) != 1 || rows[0].Variables["TICKET"] != "42" || rows[0].Request != 7 || rows[0].Wanted != "none" || strings.Contains(rows[0].Context, "TICKET") {
		t.Errorf("%+v", rows)
	}
	if err := w.as(mallory).Do(t.Context(), "GET", "/context", map[string][]string{"url": {apiURL}}, nil, &c); status(err) != http.StatusNotFound {
		t.Error("a stranger:", err)
	}
}

func TestWorkspacesOfOthers(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	for _, who := range []identity.UserID{linus, mallory} {
		list, err := w.as(who).Workspaces(t.Context())
		if err != nil || len(list) != 0 {
			t.Errorf("%s lists %v, %v", who, list, err)
		}
		c := w.as(who)
		_, read := c.Workspace(t.Context(), x.ID)
		_, start := c.StartWorkspace(t.Context(), x.ID)
		_, stop := c.StopWorkspace(t.Context(), x.ID)
		_, logs := c.Logs(t.Context(), x.ID)
		_, follow := c.FollowStart(t.Context(), x.ID, func(api.Progress) {})
		for _, err := range []error{read, start, stop, logs, follow, c.DeleteWorkspace(t.Context(), x.ID)} {
			if s := status(err); s != http.StatusForbidden && s != http.StatusNotFound {
				t.Errorf("%s: %v", who, err)
			}
		}
	}
	_, hidden := w.as(mallory).Workspace(t.Context(), x.ID)
	_, absent := w.as(mallory).Workspace(t.Context(), "w-aaaaaaaaaaaaaaaa")
	if strings.ReplaceAll(hidden.Error(), x.ID, "w-aaaaaaaaaaaaaaaa") != absent.Error() || status(hidden) != status(absent) {
		t.Errorf("hidden: %v; absent: %v", hidden, absent)
	}
	list, err := w.as(operator).Workspaces(t.Context())
	if err != nil || len(list) != 1 || list[0].Own || list[0].Terminal != "" || !slices.Equal(list[0].Can, []string{"stop", "delete"}) {
		t.Errorf("the operator lists %+v, %v", list, err)
	}
	if _, err := w.as(operator).StopWorkspace(t.Context(), x.ID); err != nil {
		t.Error("the operator stops:", err)
	}
}

func TestWithoutTheRoleOnlyEndingIsLeft(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	w.change(leaver(ada))
	y, err := w.as(ada).Workspace(t.Context(), x.ID)
	if err != nil || y.Terminal != "" || !slices.Equal(y.Can, []string{"stop", "delete"}) {
		t.Errorf("%+v, %v", y, err)
	}
	if _, err := w.as(ada).StartWorkspace(t.Context(), x.ID); status(err) != http.StatusForbidden {
		t.Error("started without a role:", err)
	}
}

func TestStopResumeDelete(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	c, id := w.as(ada), identity.WorkspaceID(x.ID)
	if y, err := c.StopWorkspace(t.Context(), x.ID); err != nil || y.Desired != "stopped" {
		t.Errorf("%+v, %v", y, err)
	}
	if y, err := c.StartWorkspace(t.Context(), x.ID); err != nil || y.Desired != "running" {
		t.Errorf("%+v, %v", y, err)
	}
	if err := c.DeleteWorkspace(t.Context(), x.ID); err != nil {
		t.Error(err)
	}
	if row, _ := w.workspaces.Get(id); row.Desired != workspace.WantDeleted {
		t.Errorf("%+v", row)
	}
	w.raw(ada, "GET", "/api/v1/workspaces/"+x.ID+"/exec", "", "")
	if w.executed != id {
		t.Errorf("the gateway was handed %q", w.executed)
	}
}

func TestFollowStart(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	id := identity.WorkspaceID(x.ID)
	w.workspaces.say(id, workspace.Creating, "Creating.")
	lines := make(chan api.Progress, 10)
	type end struct {
		x   api.Workspace
		err error
	}
	done := make(chan end, 1)
	go func() {
		x, err := w.as(ada).FollowStart(t.Context(), x.ID, func(p api.Progress) { lines <- p })
		done <- end{x, err}
	}()
	if p := <-lines; p.Text != "Creating." || p.Phase != "creating" {
		t.Errorf("the replay begins with %+v", p)
	}
	w.workspaces.say(id, workspace.Initializing, "Cloning.")
	if p := <-lines; p.Text != "Cloning." {
		t.Errorf("then comes %+v", p)
	}
	w.workspaces.say(id, workspace.Running, "Ready.")
	if p := <-lines; p.Text != "Ready." {
		t.Errorf("the last is %+v", p)
	}
	if e := <-done; e.err != nil || e.x.Phase != "running" {
		t.Errorf("the story ends with %+v, %v", e.x, e.err)
	}
	if list, err := w.as(ada).Logs(t.Context(), x.ID); err != nil || len(list) != 3 {
		t.Error(list, err)
	}
}

func TestFollowStartEndsWithAccess(t *testing.T) {
	w := newWorld(t)
	x := w.started(ada)
	began := make(chan struct{}, 10)
	w.workspaces.say(identity.WorkspaceID(x.ID), workspace.Creating, "Creating.")
	done := make(chan error, 1)
	go func() {
		_, err := w.as(ada).FollowStart(t.Context(), x.ID, func(api.Progress) { began <- struct{}{} })
		done <- err
	}()
	<-began
	w.sessions.EndUser(t.Context(), ada, "you signed out")
	if err := <-done; !errors.Is(err, api.ErrClosed) {
		t.Error("the stream ended with", err)
	}
}
