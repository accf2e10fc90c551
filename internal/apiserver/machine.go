package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Machine is what the API asks of workspace.Manager about how workspaces run and are kept.
type Machine interface {
	Life(identity.WorkspaceID) (workspace.Life, bool)
	Place(identity.WorkspaceID) workspace.Place
	Warm() []workspace.WarmState
	Goes(workspace.Workspace) time.Time
	Change(ctx context.Context, id identity.WorkspaceID, change func(*workspace.Details), events ...audit.Event) (workspace.Workspace, error)
	Extend(identity.WorkspaceID) (workspace.Life, error)
	Unsaved(context.Context, identity.WorkspaceID) (*workspace.Unsaved, agentapi.Work, error)
	Export(context.Context, identity.WorkspaceID, io.Writer) error
}

// machineEndpoints are the API's part about how workspaces run and are kept.
func (s *server) machineEndpoints() []endpoint {
	return []endpoint{
		{method: http.MethodGet, path: "/classes", access: web.Asks(inBody), serve: s.under(s.classProject, s.classes),
			says: "The classes that workspaces of a project may be of, the default one first", query: paged(param{"project", "The project's name"}), out: api.Page[api.Class]{}},
		{method: http.MethodPatch, path: "/workspaces/{id}", access: web.Asks(classInBody), serve: s.changeWorkspace,
			says: "Changes how a workspace is kept: its timeout, its class, whether it is pinned", in: api.WorkspaceChange{}, out: api.Workspace{}},
		{method: http.MethodGet, path: "/workspaces/{id}/unsaved", access: web.Needs(identity.WorkspaceList), on: s.workspaceIn, serve: s.unsaved,
			says: "What would be lost with a workspace's files: what is not committed, or not pushed", out: api.Unsaved{}},
		{method: http.MethodGet, path: "/workspaces/{id}/export", access: web.Asks(ownerMustBeGone), serve: s.exportWorkspace,
			says: "The checkouts of a stopped workspace whose owner's account is disabled or gone, as a tar archive. Takes the role admin", media: "application/x-tar"},
	}
}

const ownerMustBeGone = "whether the owner's account is enabled is a part of the decision, and the entry is durable before a byte goes"

// classProject chooses the right to see the project that the query names.
func (s *server) classProject(r *http.Request, _ identity.Principal) (identity.Action, identity.Resource, error) {
	if err := known(r); err != nil {
		return "", identity.Resource{}, err
	}
	name := r.URL.Query().Get("project")
	p, ok := s.c.Access.Facts().Projects.ByName(name)
	if !ok {
		return "", identity.Resource{}, problem.New(problem.NotFound, "%s", access.NotHere(identity.KindProject, name))
	}
	return identity.ProjectView, identity.Resource{Kind: identity.KindProject, Name: string(p.ID), Project: p.ID}, nil
}

func (s *server) classes(w http.ResponseWriter, r *http.Request) error {
	var list []api.Class
	if p, ok := s.c.Access.Facts().Projects.ByName(r.URL.Query().Get("project")); ok && s.c.Classes != nil {
		for i, c := range s.c.Classes(p.ID) {
			list = append(list, api.Class{Name: c.Name, Title: c.Title, Default: i == 0, Limits: limitsOf(c.Limits)})
		}
	}
	at := make(map[string]int, len(list))
	for i, c := range list {
		at[c.Name] = i
	}
	page, err := pageOf(r, list, func(c api.Class) string { return fmt.Sprintf("%04d", at[c.Name]) })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// className is the class that a workspace is of, for policies; empty where that is not known.
func (s *server) className(row workspace.Workspace) string {
	if s.c.ClassOf == nil {
		return row.Class
	}
	c, err := s.c.ClassOf(row)
	if err != nil {
		return row.Class
	}
	return c.Name
}

func limitsOf(l workspace.Limits) api.Limits {
	return api.Limits{CPUs: l.CPUs, Memory: l.Memory, Disk: l.Disk, Processes: l.Processes}
}

// machine adds what a workspace has of its machine.
func (s *server) machine(x *api.Workspace, row workspace.Workspace) {
	d := row.Details
	if d.Snapshot != "" && !x.Own {
		d.Context = "snapshot/" + identity.SnapshotID(d.Snapshot).Fingerprint()
	}
	x.Machine = api.Machine{
		Class: d.Class, Image: d.Image, Plan: d.Plan, Prebuild: d.Prebuild, Context: d.Context, Warm: d.Warm, Cold: d.Cold, Used: d.Used, Pinned: d.Pinned, Archived: d.Archived,
	}
	if d.Failed != nil && row.Phase == workspace.Stopped {
		x.FailedStep = d.Failed.Step
	}
	if s.c.ClassOf != nil {
		if c, err := s.c.ClassOf(row); err == nil {
			l := limitsOf(c.Limits)
			x.Class, x.Limits = c.Name, &l
		}
	}
	if row.Phase != workspace.Running && d.Unsaved != nil {
		x.Unsaved = unsavedOf(*d.Unsaved, agentapi.Work{})
	}
	if s.c.Machine == nil {
		return
	}
	x.Goes = s.c.Machine.Goes(row)
	if at := s.c.Machine.Place(row.ID); at != (workspace.Place{}) {
		x.Queue = &api.Queue{At: at.At, Of: at.Of}
	}
	if l, ok := s.c.Machine.Life(row.ID); ok {
		x.Used, x.Began, x.Timeout, x.Stops, x.Last, x.Notice = l.Used, l.Began, int64(l.Timeout/time.Second), l.Stops, l.Last, l.Notice
	}
}

func unsavedOf(u workspace.Unsaved, work agentapi.Work) *api.Unsaved {
	x := api.Unsaved{Changed: u.Changed, Unpushed: u.Unpushed, Stashes: u.Stashes, Seen: u.Seen}
	for _, c := range work.Checkouts {
		x.Checkouts = append(x.Checkouts, api.UnsavedCheckout{
			Folder: c.Folder, Branch: c.Branch, Files: c.Files, Changed: c.Changed, Commits: c.Commits, Unpushed: c.Unpushed, Stashes: c.Stashes,
		})
	}
	return &x
}

const classInBody = "the class that is wanted stands in the body, and policies may leave it to some"

// changeWorkspace changes how a workspace is kept. What is asked is whether it may be started as it will be then: who lost its
// class may choose another.
func (s *server) changeWorkspace(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.somebody(r); err != nil {
		return err
	}
	var c api.WorkspaceChange
	if err := read(r, &c); err != nil {
		return err
	}
	row, err := s.row(r)
	if err != nil {
		return err
	}
	wanted := row
	if c.Class != nil {
		wanted.Class = *c.Class
	}
	request := s.request(r, identity.WorkspaceStart, workspaceResource(row))
	request.Class = s.className(wanted)
	return s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error { return s.change(w, r, wanted, c) })
}

// change does what changeWorkspace was allowed to. A timeout beyond what the configuration allows is refused, not shortened.
func (s *server) change(w http.ResponseWriter, r *http.Request, row workspace.Workspace, c api.WorkspaceChange) (err error) {
	var timeout time.Duration
	if c.Timeout != nil && *c.Timeout != "" {
		if timeout, err = s.readTimeout(*c.Timeout); err != nil {
			return err
		}
	}
	if c.Class != nil && s.c.ClassOf != nil {
		if _, err := s.c.ClassOf(row); err != nil {
			return err
		}
	}
	if c.Pinned != nil || c.Timeout != nil || c.Class != nil {
		by := s.event(r, "workspace:change", workspaceResource(row))
		by.Workspace, by.Detail = row.ID, map[string]any{}
		note := func(key string, v any, said bool) {
			if said {
				by.Detail[key] = v
			}
		}
		note("pinned", c.Pinned, c.Pinned != nil)
		note("timeout", c.Timeout, c.Timeout != nil)
		note("class", c.Class, c.Class != nil)
		row, err = s.c.Machine.Change(r.Context(), row.ID, func(d *workspace.Details) {
			if c.Pinned != nil {
				d.Pinned = *c.Pinned
			}
			if c.Timeout != nil {
				d.Timeout = timeout
			}
			if c.Class != nil {
				d.Class, d.Fitted = *c.Class, false
			}
		}, by)
		if err != nil {
			return err
		}
	}
	if c.Extend {
		if _, err := s.c.Machine.Extend(row.ID); err != nil {
			return err
		}
	}
	return answer(w, http.StatusOK, s.wire(r, row))
}

func (s *server) readTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch most := s.c.Rules.MaxTimeout; {
	case err != nil:
		return 0, problem.Wrap(err, problem.Invalid, "%q is not a duration; write a number and a unit, such as 90m or 3h.", text)
	case d < time.Minute:
		return 0, problem.New(problem.Invalid, "A workspace's timeout is at least 1m.")
	case most > 0 && d > most:
		return 0, problem.New(problem.Invalid, "A workspace's timeout is at most %s here.", most)
	}
	return d, nil
}

// unsaved answers what would be lost. What the files and commits are called is the owner's.
func (s *server) unsaved(w http.ResponseWriter, r *http.Request) error {
	row, err := s.row(r)
	if err != nil {
		return err
	}
	u, work, err := s.c.Machine.Unsaved(r.Context(), row.ID)
	if err != nil {
		return err
	}
	if u == nil {
		return problem.New(problem.Conflict, "What is not saved in %s is not known: it does not run, and ended without being asked. Start it to see.", row.ID)
	}
	if row.Owner != web.PrincipalFrom(r.Context()).User {
		work = agentapi.Work{}
	}
	return answer(w, http.StatusOK, unsavedOf(*u, work))
}

// losesNothing refuses to delete a workspace that holds what no remote has, unless the one who asks knows.
func (s *server) losesNothing(r *http.Request, row workspace.Workspace) error {
	if s.c.Machine == nil || r.URL.Query().Get("force") == "true" || row.Desired == workspace.WantDeleted {
		return nil
	}
	u, work, err := s.c.Machine.Unsaved(r.Context(), row.ID)
	switch {
	case err != nil:
		return err
	case u == nil:
		return problem.New(problem.Conflict,
			"The workspace %s may hold work that was not pushed: it ended without being asked. Start it to see, or delete it all the same with --force.", row.ID)
	case u.None():
		return nil
	}
	if row.Owner != web.PrincipalFrom(r.Context()).User {
		work = agentapi.Work{} // what the folders are called is the owner's
	}
	var where []string
	for _, c := range work.Checkouts {
		if c.Changed+c.Unpushed+c.Stashes > 0 && len(work.Checkouts) > 1 {
			where = append(where, "/workspace/"+c.Folder)
		}
	}
	in := ""
	if len(where) > 0 {
		in = " in " + strings.Join(where, ", ")
	}
	return problem.New(problem.Conflict, "The workspace %s holds %s%s, which would be lost. Push it, or delete it all the same with --force.", row.ID, u, in)
}

// exportWorkspace answers the files that somebody left behind. As long as the owner's account is enabled they are the owner's alone.
func (s *server) exportWorkspace(w http.ResponseWriter, r *http.Request) error {
	if err := known(r); err != nil {
		return err
	}
	row, err := s.row(r)
	if err != nil {
		return err
	}
	request := s.request(r, identity.WorkspaceExport, workspaceResource(row))
	request.Durable = true
	request.Stands = func(f *access.Facts, _ *access.Decision) string {
		if u, ok := f.Directory.User(row.Owner); ok && u.Active() {
			return "its owner's account is enabled, so its files are the owner's alone"
		}
		return ""
	}
	return s.openFor(w, r, request, func(w http.ResponseWriter, r *http.Request) error {
		h := w.Header()
		h.Set("Content-Type", "application/x-tar")
		h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", string(row.ID)+".tar"))
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		out := begun{ResponseWriter: w}
		err := s.c.Machine.Export(r.Context(), row.ID, &out)
		if err != nil && out.begun {
			s.c.Log.Error("the export of a workspace broke off", "workspace", row.ID, "error", err)
			panic(http.ErrAbortHandler) // a part must not be taken for the whole
		}
		if err != nil {
			for _, key := range []string{"Content-Type", "Content-Disposition"} {
				h.Del(key)
			}
		}
		return err
	})
}

// begun knows whether a byte was written.
type begun struct {
	http.ResponseWriter
	begun bool
}

func (b *begun) Write(p []byte) (int, error) {
	b.begun = true
	return b.ResponseWriter.Write(p)
}
