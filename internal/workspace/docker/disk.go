package docker

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

var _ workspace.Disk = (*Runtime)(nil)

// askedEvery is how often the engine is asked what everything takes, where this server may not look itself: it walks through all
// that it has, of others too.
const askedEvery = 10 * time.Minute

// asked is what the engine said that workspaces take.
type asked struct {
	at  time.Time
	use map[identity.WorkspaceID]workspace.DiskUse
}

// Spaces implements workspace.Disk: the server's own data, and those of the engine.
func (r *Runtime) Spaces(ctx context.Context) ([]workspace.Space, error) {
	m, err := r.machineOf(ctx)
	if err != nil {
		return nil, err
	}
	all, err := space.Each(filepath.Dir(r.root), m.root)
	if err != nil {
		return nil, err
	}
	all[len(all)-1].Holds = true // the engine's, which is also the server's where there is one
	return all, nil
}

// DiskUse implements workspace.Disk: the volumes, and what the container changed of its image.
func (r *Runtime) DiskUse(ctx context.Context, id identity.WorkspaceID, most workspace.DiskUse) (workspace.DiskUse, error) {
	dirs, first, err := r.folders(ctx, id)
	if err != nil {
		return workspace.DiskUse{}, err
	}
	for _, dir := range dirs {
		if d, err := os.Open(dir); err == nil {
			d.Close()
		} else if errors.Is(err, fs.ErrPermission) { // the server is not root
			return r.askUse(ctx, id)
		}
	}
	return space.OfWorkspace(ctx, first, dirs, most), context.Cause(ctx)
}

// folders are where the files of a workspace lie on this machine. first is its process 1, 0 where none runs.
func (r *Runtime) folders(ctx context.Context, id identity.WorkspaceID) (dirs []string, first int, err error) {
	volumes, err := r.volumes(ctx, labelWorkspace, string(id))
	if err != nil {
		return nil, 0, err
	}
	for _, v := range volumes {
		dirs = append(dirs, v.Mountpoint)
	}
	own, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return nil, 0, err
	}
	for _, c := range own {
		what, err := r.engine.ContainerInspect(ctx, c.ID)
		if notFound(err) {
			continue
		}
		if err != nil {
			return nil, 0, r.failed("look at a container", err)
		}
		if what.State.Running {
			first = what.State.Pid
		}
		upper := what.GraphDriver.Data["UpperDir"] // overlay2 alone says where
		if upper == "" && what.State.Running {
			upper = ownLayer(what.State.Pid)
		}
		if upper != "" {
			dirs = append(dirs, upper)
		}
	}
	return dirs, first, nil
}

// askUse is what the engine says that a workspace takes, now and then.
func (r *Runtime) askUse(ctx context.Context, id identity.WorkspaceID) (workspace.DiskUse, error) {
	r.asking.Lock()
	defer r.asking.Unlock()
	if time.Since(r.asked.at) < askedEvery {
		return r.asked.use[id], nil
	}
	all, err := r.engine.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.ContainerObject, types.VolumeObject}})
	if err != nil {
		return workspace.DiskUse{}, r.failed("say what is on disk", err)
	}
	server, err := r.server()
	if err != nil {
		return workspace.DiskUse{}, err
	}
	use := map[identity.WorkspaceID]workspace.DiskUse{}
	add := func(labels map[string]string, bytes int64) {
		if labels[labelServer] == server {
			of := identity.WorkspaceID(labels[labelWorkspace])
			use[of] = workspace.DiskUse{Bytes: use[of].Bytes + max(0, bytes)} // -1 is not known
		}
	}
	for _, c := range all.Containers {
		add(c.Labels, c.SizeRw)
	}
	for _, v := range all.Volumes {
		if v.UsageData != nil {
			add(v.Labels, v.UsageData.Size)
		}
	}
	r.asked = asked{at: time.Now(), use: use}
	return use[id], nil
}

// Written implements workspace.Disk.
func (r *Runtime) Written(ctx context.Context) (map[identity.WorkspaceID]int64, error) {
	all, err := r.containers(ctx)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	known := r.firsts
	r.mu.Unlock()
	first, firsts := map[identity.WorkspaceID]int{}, map[string]int{}
	for _, c := range all {
		id := identity.WorkspaceID(c.Labels[labelWorkspace])
		if id == "" || c.State != container.StateRunning {
			continue
		}
		pid := known[c.ID]
		if pid == 0 { // a container is started once
			what, err := r.engine.ContainerInspect(ctx, c.ID)
			if err != nil {
				continue // it has ended
			}
			pid = what.State.Pid
		}
		first[id], firsts[c.ID] = pid, pid
	}
	r.mu.Lock()
	r.firsts = firsts
	r.mu.Unlock()
	return space.Written(first), nil
}
