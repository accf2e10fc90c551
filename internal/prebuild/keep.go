package prebuild

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Get finds a prebuild.
func (k *Keeper) Get(ctx context.Context, id identity.PrebuildID) (Row, bool, error) {
	return k.c.Rows.Prebuild(ctx, id)
}

// List lists all, newest first; whose to show is for the caller.
func (k *Keeper) List(ctx context.Context) ([]Row, error) { return k.c.Rows.Prebuilds(ctx) }

// Of lists those of a repository that can be used here, newest first.
func (k *Keeper) Of(ctx context.Context, project identity.ProjectID, repository string) ([]Row, error) {
	all, err := k.c.Rows.Prebuilds(ctx)
	now := k.c.Now()
	var usable []Row
	for _, r := range all {
		if r.State == Done && r.Project == project && r.Repository == repository && r.Node == k.c.Node && now.Before(r.Expires) {
			usable = append(usable, r)
		}
	}
	return usable, err
}

// Put writes a row; what is too long of what was said is cut at its beginning.
func (k *Keeper) Put(ctx context.Context, r Row, events ...audit.Event) error {
	if len(r.Log) > MaxLog {
		r.Log = "…" + strings.ToValidUTF8(r.Log[len(r.Log)-MaxLog:], "")
	}
	return k.c.Rows.PutPrebuild(ctx, r, events...)
}

// Finish writes how one ended, and how long it is kept.
func (k *Keeper) Finish(ctx context.Context, r Row, events ...audit.Event) (Row, error) {
	r.Ended = k.c.Now()
	r.Expires = r.Ended.Add(min(keepSeen, k.c.Limits.Keep))
	if r.State == Done {
		r.Expires = r.Ended.Add(k.c.Limits.Keep)
	}
	return r, k.Put(ctx, r, events...)
}

// NotHere is the error for one that is not there and for one that is hidden.
func NotHere(id string) error {
	return problem.New(problem.NotFound, "There is no prebuild %q here that you may see; `lanyard prebuilds list` lists those that there are.", id[:min(len(id), 64)])
}

// Delete removes a prebuild; event is stored with it. One that is not there is a problem.NotFound.
func (k *Keeper) Delete(ctx context.Context, id identity.PrebuildID, event audit.Event) error {
	found, err := k.c.Rows.DropPrebuild(ctx, id, event)
	if err != nil {
		return err
	}
	if !found {
		return NotHere(string(id))
	}
	if err := os.Remove(k.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.c.Log.Warn("the file of a deleted prebuild is left; it is tried again", "prebuild", id, "error", err)
	}
	return nil
}

// orphaned is how old a file without a row is when it is removed.
const orphaned = time.Hour

// Sweep removes this node's prebuilds that have expired, that are more than a branch keeps, or that all together have no room for,
// and files that no row names.
func (k *Keeper) Sweep(ctx context.Context) error {
	all, err := k.c.Rows.Prebuilds(ctx)
	if err != nil {
		return err
	}
	now := k.c.Now()
	known, kept, sum := map[string]bool{}, map[[3]string]int{}, int64(0)
	for _, r := range all { // newest first
		if r.Node != k.c.Node || r.State == Waiting || r.State == Running {
			known[string(r.ID)] = true
			continue
		}
		why := ""
		if branch := [3]string{string(r.Project), r.Repository, r.Ref + " " + string(r.State)}; !now.Before(r.Expires) {
			why = "it has expired"
		} else if kept[branch]++; kept[branch] > min(k.c.Keep(r.Project, r.Repository), k.c.Limits.PerBranch) {
			why = "newer ones of its branch are kept"
		} else if sum+r.Size > k.c.Limits.Total {
			why = "newer ones have all the room that there is for prebuilds"
		}
		if why == "" {
			sum += r.Size
			known[string(r.ID)] = true
			continue
		}
		event := audit.Event{Time: now, Action: "prebuild:delete", Outcome: audit.Done, Actor: "service:workspaces", Resource: "prebuild " + string(r.ID), Reasons: []string{why}}
		if err := k.Delete(ctx, r.ID, event); err != nil && problem.KindOf(err) != problem.NotFound {
			return err
		}
	}
	return k.sweepFiles(known, now)
}

func (k *Keeper) sweepFiles(known map[string]bool, now time.Time) error {
	files, err := os.ReadDir(k.c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := f.Info()
		ours := strings.HasPrefix(f.Name(), partial) || strings.HasPrefix(f.Name(), "pre-")
		if err != nil || !ours || known[f.Name()] || now.Sub(info.ModTime()) < orphaned {
			continue
		}
		if err := os.Remove(k.file(identity.PrebuildID(f.Name()))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
