package apiserver

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Snapshots are kept copies of checkouts, as snapshot.Keeper keeps them.
type Snapshots interface {
	Get(context.Context, identity.SnapshotID) (snapshot.Row, bool, error)
	List(context.Context) ([]snapshot.Row, error)
	Delete(context.Context, identity.SnapshotID, audit.Event) error
}

func (s *server) snapshotEndpoints() []endpoint {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	return []endpoint{
		{method: get, path: "/snapshots", access: web.Asks(selfOrOperator), serve: s.under(s.self, s.snapshots), query: paged(), out: api.Page[api.Snapshot]{},
			says: "One's own snapshots and those one may end, newest first"},
		{method: post, path: "/workspaces/{id}/snapshots", access: web.Needs(identity.WorkspaceOpen), on: s.workspaceIn, serve: s.takeSnapshot,
			in: api.TakeSnapshot{}, out: api.Snapshot{}, status: http.StatusCreated,
			says: "Keeps a copy of the checkout of a running workspace, with what is not committed"},
		{method: del, path: "/snapshots/{id}", access: web.Asks("workspace:delete on the workspace that it was taken of"), serve: s.deleteSnapshot, status: http.StatusNoContent,
			says: "Removes a snapshot"},
		{method: post, path: "/snapshots/{id}/open", access: web.Asks("workspace:create and repo:read on its repository"), serve: s.openSnapshot,
			in: api.OpenSnapshot{}, out: api.Workspace{}, status: http.StatusCreated,
			says: "Starts a workspace from a snapshot. What may hold somebody else's work takes confirmed"},
	}
}

// taken is the resource that stands for a snapshot: the workspace that it was taken of, which may be gone.
func taken(row snapshot.Row) identity.Resource {
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(row.Workspace), Project: row.Project, Owner: row.Owner}
}

func (s *server) snapshots(w http.ResponseWriter, r *http.Request) error {
	all, err := s.c.Snapshots.List(r.Context())
	if err != nil {
		return err
	}
	var list []api.Snapshot
	for _, row := range all {
		if s.may(r, identity.WorkspaceList, taken(row)) {
			list = append(list, s.snapshotOf(r, row))
		}
	}
	page, err := pageOf(r, list, func(x api.Snapshot) string { return newestFirst(x.Created) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

func (s *server) takeSnapshot(w http.ResponseWriter, r *http.Request) error {
	var o api.TakeSnapshot
	if err := read(r, &o); err != nil {
		return err
	}
	row, err := s.row(r)
	if err != nil {
		return err
	}
	event := s.event(r, "snapshot:create", workspaceResource(row))
	event.Workspace = row.ID
	kept, err := s.c.TakeSnapshot(r.Context(), row, o.Note, event)
	if err != nil {
		return err
	}
	return answer(w, http.StatusCreated, s.snapshotOf(r, kept))
}

// snapshotIn finds the snapshot of the address.
func (s *server) snapshotIn(r *http.Request) (snapshot.Row, error) {
	if err := known(r); err != nil {
		return snapshot.Row{}, err
	}
	asked := r.PathValue("id")
	id, err := identity.ParseSnapshotID(asked)
	if err != nil {
		return snapshot.Row{}, problem.Wrap(err, problem.Invalid, "%q is not a snapshot's ID; it looks like snap-abcdefghij234567.", asked)
	}
	return s.snapshotNamed(r.Context(), id)
}

// snapshotToEnd finds the snapshot of the address, which its fingerprint names too.
func (s *server) snapshotToEnd(r *http.Request) (snapshot.Row, error) {
	asked := r.PathValue("id")
	if !identity.IsFingerprint(asked) {
		return s.snapshotIn(r)
	}
	if err := known(r); err != nil {
		return snapshot.Row{}, err
	}
	all, err := s.c.Snapshots.List(r.Context())
	if err != nil {
		return snapshot.Row{}, err
	}
	i := slices.IndexFunc(all, func(row snapshot.Row) bool { return row.ID.Fingerprint() == asked })
	if i < 0 {
		return snapshot.Row{}, snapshot.NotHere(asked)
	}
	return all[i], nil
}

func (s *server) snapshotNamed(ctx context.Context, id identity.SnapshotID) (snapshot.Row, error) {
	row, found, err := s.c.Snapshots.Get(ctx, id)
	if err == nil && !found {
		err = snapshot.NotHere(string(id))
	}
	return row, err
}

func (s *server) deleteSnapshot(w http.ResponseWriter, r *http.Request) error {
	row, err := s.snapshotToEnd(r)
	if err != nil {
		return err
	}
	on := taken(row)
	err = s.open(w, r, identity.WorkspaceDelete, on, false, func(w http.ResponseWriter, r *http.Request) error {
		event := s.event(r, "snapshot:delete", on)
		event.Workspace, event.Resource = row.Workspace, "snapshot "+row.ID.Fingerprint()
		if err := s.c.Snapshots.Delete(r.Context(), row.ID, event); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
	return hideSnapshot(err, row)
}

// openSnapshot starts a workspace whose checkout a snapshot fills.
func (s *server) openSnapshot(w http.ResponseWriter, r *http.Request) error {
	row, err := s.snapshotIn(r)
	if err != nil {
		return err
	}
	var o api.OpenSnapshot
	if err := read(r, &o); err != nil {
		return err
	}
	return s.startFromSnapshot(w, r, row, api.Order{Confirmed: o.Confirmed})
}

// startFromSnapshot asks for what opening takes today: a workspace on the repository, and reading it, with a step-up where
// that takes one. o says what else is wanted of the workspace.
func (s *server) startFromSnapshot(w http.ResponseWriter, r *http.Request, row snapshot.Row, o api.Order) error {
	who, err := s.somebody(r)
	if err != nil {
		return err
	}
	p, repository, ok := s.c.Access.Facts().Projects.ForRepository(row.Repository)
	if !ok || p.ID != row.Project {
		return snapshot.NotHere(string(row.ID))
	}
	on := repository.Resource(p.ID)
	// The branch that was checked out may be nowhere else; the repository's file is read where the workspace read it.
	create := s.request(r, identity.WorkspaceCreate, on)
	create.Durable, create.Class = true, s.className(workspace.Workspace{Project: p.ID, Details: workspace.Details{Class: o.Class}})
	err = s.openFor(w, r, create, func(w http.ResponseWriter, r *http.Request) error {
		reading := s.request(r, identity.RepoRead, on)
		reading.Durable, reading.Detail = true, map[string]any{"snapshot": row.ID.Fingerprint()}
		return s.openFor(w, r, reading, func(w http.ResponseWriter, r *http.Request) error {
			d, err := s.details(o, target{project: p})
			if err != nil {
				return err
			}
			d.Snapshot, d.Context = string(row.ID), "snapshot/"+string(row.ID)
			d.Origins = row.Passed()
			d.Foreign = snapshot.Foreign(d.Origins, who.User)
			if d.Foreign && !o.Confirmed {
				return unconfirmed(row, who.User)
			}
			made, err := s.c.Workspaces.Create(r.Context(), workspace.Order{
				Owner: who.User, OwnerName: userName(s.c.Access.Facts(), who.User), Session: who.Session,
				Project: row.Project, Repository: row.Repository, Ref: row.Ref, IP: web.ClientIP(r), Details: d,
			})
			if err != nil {
				return err
			}
			w.Header().Set("Location", "/api/v1/workspaces/"+string(made.ID))
			return answer(w, http.StatusCreated, s.wire(r, made))
		})
	})
	return hideSnapshot(err, row)
}

// createFromSnapshot serves an order whose context names a snapshot; wrong is what is wrong with that name.
func (s *server) createFromSnapshot(w http.ResponseWriter, r *http.Request, o api.Order, id identity.SnapshotID, wrong error) error {
	if err := cmp.Or(wrong, known(r)); err != nil {
		return err
	}
	row, err := s.snapshotNamed(r.Context(), id)
	if err != nil {
		return err
	}
	return s.startFromSnapshot(w, r, row, api.Order{Class: o.Class, File: o.File, Confirmed: o.Confirmed})
}

// contextOfSnapshot says what opening one would start, to who may read its repository.
func (s *server) contextOfSnapshot(w http.ResponseWriter, r *http.Request, id identity.SnapshotID, wrong error) error {
	if wrong != nil {
		return wrong
	}
	row, err := s.snapshotNamed(r.Context(), id)
	if err != nil {
		return err
	}
	p, repository, ok := s.c.Access.Facts().Projects.ForRepository(row.Repository)
	if !ok || p.ID != row.Project || !s.may(r, identity.WorkspaceCreate, repository.Resource(p.ID)) {
		return snapshot.NotHere(string(id))
	}
	x := s.contextOf(target{repository: row.Repository, ref: row.Ref, project: p})
	who := web.PrincipalFrom(r.Context()).User
	x.Snapshot = &api.ContextSnapshot{
		ID: string(row.ID), Own: row.Owner == who, OwnerName: row.OwnerName, Note: row.Note, Created: row.Created, Uncommitted: row.Dirty,
		Foreign: snapshot.Foreign(row.Passed(), who),
	}
	for _, o := range row.Origins {
		if o.Owner != who {
			x.Snapshot.Origins = append(x.Snapshot.Origins, api.Origin{ID: o.ID.Fingerprint(), OwnerName: o.Name, Created: o.Created})
		}
	}
	return answer(w, http.StatusOK, x)
}

// unconfirmed says whose a snapshot is, and whose its files were before: what the start runs of them is theirs.
func unconfirmed(row snapshot.Row, who identity.UserID) error {
	var whose []string
	for _, o := range row.Passed() {
		if o.Owner != who {
			id := o.ID.Fingerprint()
			if o.ID == row.ID { // which is known to who asks
				id = string(row.ID)
			}
			whose = append(whose, fmt.Sprintf("%s, made by %s on %s", id, o.Name, o.Created.UTC().Format("2006-01-02 15:04 UTC")))
		}
	}
	return problem.New(problem.Conflict, "What is in the snapshot %s comes from somebody else, and the workspace would run it as you: %s. If you want it, start it with `confirmed`.",
		row.ID, strings.Join(whose, "; "))
}

// hideSnapshot tells who may not know of a repository no more than that there is no such snapshot.
func hideSnapshot(err error, row snapshot.Row) error {
	if err != nil && problem.KindOf(err) == problem.NotFound {
		return snapshot.NotHere(string(row.ID))
	}
	return err
}

// snapshotContext is the snapshot that a context names as snapshot/ID; ok is false where it names none.
func snapshotContext(context string) (id identity.SnapshotID, ok bool, err error) {
	rest, ok := strings.CutPrefix(context, "snapshot/")
	if !ok {
		return "", false, nil
	}
	id, err = identity.ParseSnapshotID(strings.TrimSuffix(rest, "/"))
	if err != nil {
		return "", true, problem.Wrap(err, problem.Invalid, "%q is not a snapshot's ID; it looks like snap-abcdefghij234567.", rest)
	}
	return id, true, nil
}

func (s *server) snapshotOf(r *http.Request, row snapshot.Row) api.Snapshot {
	f := s.c.Access.Facts()
	x := api.Snapshot{
		ID: row.ID.Fingerprint(), Fingerprint: row.ID.Fingerprint(), Owner: row.Owner.String(), OwnerName: row.OwnerName, Own: row.Owner == web.PrincipalFrom(r.Context()).User,
		Foreign:   snapshot.Foreign(row.Passed(), web.PrincipalFrom(r.Context()).User),
		Workspace: string(row.Workspace), Project: string(row.Project), Repository: row.Repository, Branch: row.Branch, Commit: row.Commit,
		Uncommitted: row.Dirty, Note: row.Note, Size: row.Size, Digest: row.Digest, Created: row.Created, Expires: row.Expires,
		Can: []string{},
	}
	if p, ok := f.Projects.Project(row.Project); ok {
		x.Project = p.Name
	}
	// Who opens another's has the address from them: neither it nor the ID in it is for whoever may list and delete.
	if x.Own {
		x.ID = string(row.ID)
		x.URL = s.c.URL + "/#snapshot/" + string(row.ID)
	}
	if p, repository, ok := f.Projects.ForRepository(row.Repository); ok && x.Own && p.ID == row.Project && s.may(r, identity.RepoRead, repository.Resource(p.ID)) {
		x.Can = append(x.Can, "open")
	}
	if s.may(r, identity.WorkspaceDelete, taken(row)) {
		x.Can = append(x.Can, "delete")
	}
	return x
}
