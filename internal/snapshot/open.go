package snapshot

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Get finds a snapshot that has not expired.
func (k *Keeper) Get(ctx context.Context, id identity.SnapshotID) (Row, bool, error) {
	row, found, err := k.c.Rows.Snapshot(ctx, id)
	return row, found && k.c.Now().Before(row.Expires), err
}

// List lists all that have not expired, newest first; whose to show is for the caller.
func (k *Keeper) List(ctx context.Context) ([]Row, error) {
	all, err := k.c.Rows.Snapshots(ctx)
	now := k.c.Now()
	live := all[:0]
	for _, r := range all {
		if now.Before(r.Expires) {
			live = append(live, r)
		}
	}
	return live, err
}

// Delete removes a snapshot; event is stored with it. One that is not there is a problem.NotFound.
func (k *Keeper) Delete(ctx context.Context, id identity.SnapshotID, event audit.Event) error {
	found, err := k.c.Rows.DropSnapshot(ctx, id, event)
	if err != nil {
		return err
	}
	if !found {
		return NotHere(string(id))
	}
	if err := os.Remove(k.file(id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.c.Log.Warn("the file of a deleted snapshot is left; it is tried again", "snapshot", id, "error", err)
	}
	return nil
}

// NotHere is the error for one that is not there and for one that is hidden.
func NotHere(id string) error {
	return problem.New(problem.NotFound, "There is no snapshot %q here that you may use. It may have expired; `lanyard snapshot list` lists yours.", bounded(id, 64))
}

// Target takes a checkout (agentapi.Client).
type Target interface {
	Unpack(context.Context, agentapi.Unpack, agentapi.Pack, io.Reader) (agentapi.Unpacked, error)
}

// Restore makes a snapshot's checkout in a workspace, as the folder of that name; what was not committed is uncommitted again.
// A folder that is there already stays as it is. The file is used only if it is what was kept.
func (k *Keeper) Restore(ctx context.Context, id identity.SnapshotID, name string, to Target) error {
	row, found, err := k.Get(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return NotHere(string(id))
	}
	if row.Node != k.c.Node {
		return problem.New(problem.Unavailable, "The snapshot %s lies on another server of this installation. Open it there, or take a new one.", id)
	}
	f, err := k.verified(row)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	var p agentapi.Pack
	head, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(head, &p)
	}
	if err != nil {
		return fmt.Errorf("read the snapshot %s: %w", id, err)
	}
	p.Origin = row.Repository // and not what the workspace that it was taken of said
	_, err = to.Unpack(ctx, agentapi.Unpack{Name: name, Uncommitted: true, Keep: true}, p, in)
	return err
}

// verified opens a snapshot's file, whose bytes are those that were kept.
func (k *Keeper) verified(row Row) (*os.File, error) {
	f, err := os.Open(k.file(row.ID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, problem.Wrap(err, problem.Unavailable, "The file of the snapshot %s is not on the server any more, so it cannot be opened.", row.ID)
	}
	if err != nil {
		return nil, fmt.Errorf("open the snapshot %s: %w", row.ID, err)
	}
	sum := sha256.New()
	if _, err = io.Copy(sum, f); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err == nil && "sha256:"+hex.EncodeToString(sum.Sum(nil)) != row.Digest {
		err = problem.New(problem.Unavailable, "The file of the snapshot %s is not what was kept, so it is not opened. Tell who runs Lanyard.", row.ID)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepEvery is how often what has expired is removed; orphaned is how old a file without a row is by then.
const (
	sweepEvery = time.Hour
	orphaned   = time.Hour
)

// Run removes what has expired until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		if err := k.Sweep(ctx); err != nil && ctx.Err() == nil {
			k.c.Log.Warn("expired snapshots could not be removed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Sweep removes this node's snapshots that have expired, and files that no row names.
func (k *Keeper) Sweep(ctx context.Context) error {
	all, err := k.c.Rows.Snapshots(ctx)
	if err != nil {
		return err
	}
	now := k.c.Now()
	known := map[string]bool{}
	for _, r := range all {
		switch {
		case r.Node != k.c.Node:
		case now.Before(r.Expires):
			known[string(r.ID)] = true
		default:
			event := audit.Event{Time: now, Action: "snapshot:delete", Outcome: audit.Done, Actor: "service:workspaces", User: audit.PersonOf(r.Owner, r.OwnerName),
				Workspace: r.Workspace, Resource: "snapshot " + r.ID.Fingerprint(), Reasons: []string{"it has expired"}}
			if err := k.Delete(ctx, r.ID, event); err != nil && problem.KindOf(err) != problem.NotFound {
				return err
			}
		}
	}
	files, err := os.ReadDir(k.c.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := f.Info()
		ours := strings.HasPrefix(f.Name(), partial) || strings.HasPrefix(f.Name(), "snap-")
		if err != nil || !ours || known[f.Name()] || now.Sub(info.ModTime()) < orphaned {
			continue
		}
		if err := os.Remove(k.file(identity.SnapshotID(f.Name()))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
