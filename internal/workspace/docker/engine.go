package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// The labels of what is this server's.
const (
	labelServer    = "lanyard.server"
	labelWorkspace = "lanyard.workspace"
	labelBeside    = "lanyard.beside"
	labelUID       = "lanyard.uid"
	labelImage     = "lanyard.image" // what was asked for
	labelBuilt     = "lanyard.built" // on images: the key of what they were built from
)

// mine filters by this server's label and by more of the form "label", value.
func (r *Runtime) mine(more ...string) (filters.Args, error) {
	server, err := r.server()
	if err != nil {
		return filters.Args{}, err
	}
	f := filters.NewArgs(filters.Arg("label", labelServer+"="+server))
	for i := 0; i+1 < len(more); i += 2 {
		f.Add("label", more[i]+"="+more[i+1])
	}
	return f, nil
}

// containers lists this server's containers that have a label, running or not.
func (r *Runtime) containers(ctx context.Context, label ...string) ([]container.Summary, error) {
	f, err := r.mine(label...)
	if err != nil {
		return nil, err
	}
	all, err := r.engine.ContainerList(ctx, container.ListOptions{All: true, Filters: f})
	if err != nil {
		return nil, r.failed("list containers", err)
	}
	return all, nil
}

// volumes lists this server's volumes that have a label.
func (r *Runtime) volumes(ctx context.Context, label ...string) ([]*volume.Volume, error) {
	f, err := r.mine(label...)
	if err != nil {
		return nil, err
	}
	all, err := r.engine.VolumeList(ctx, volume.ListOptions{Filters: f})
	if err != nil {
		return nil, r.failed("list volumes", err)
	}
	return all.Volumes, nil
}

// kill ends a container's processes and waits until they have ended.
func (r *Runtime) kill(ctx context.Context, id string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // of the waiting
	ended, failed := r.engine.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	if err := r.engine.ContainerKill(ctx, id, "KILL"); err != nil && !notFound(err) && !notRunning(err) {
		return r.failed("end a container", err)
	}
	select {
	case <-ended:
		// Current engines tell the end before their lists show it. They describe a container only when they have noted its end.
		if _, err := r.engine.ContainerInspect(ctx, id); err != nil && !notFound(err) {
			return r.failed("describe a container", err)
		}
		return nil
	case err := <-failed:
		if notFound(err) {
			return nil
		}
		return r.failed("wait for a container's end", err)
	}
}

// remove removes a container with the volumes that nobody named.
func (r *Runtime) remove(ctx context.Context, id string) error {
	err := r.engine.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	if err == nil || notFound(err) {
		return nil
	}
	if strings.Contains(err.Error(), "already in progress") { // begun by a server that died, or by a person
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		gone, failed := r.engine.ContainerWait(ctx, id, container.WaitConditionRemoved)
		select {
		case <-gone:
			return nil
		case err = <-failed:
			if notFound(err) {
				return nil
			}
		}
	}
	return r.failed("remove a container", err)
}

// List implements workspace.Runtime.
func (r *Runtime) List(ctx context.Context) ([]workspace.Observed, error) {
	volumes, err := r.volumes(ctx)
	if err != nil {
		return nil, err
	}
	containers, err := r.containers(ctx)
	if err != nil {
		return nil, err
	}
	seen := make(map[identity.WorkspaceID]*workspace.Observed)
	of := func(labels map[string]string) *workspace.Observed {
		id := identity.WorkspaceID(labels[labelWorkspace])
		if id == "" {
			return &workspace.Observed{} // what a build needs
		}
		if seen[id] == nil {
			seen[id] = &workspace.Observed{ID: id, Beside: identity.WorkspaceID(labels[labelBeside])}
		}
		return seen[id]
	}
	for _, v := range volumes {
		of(v.Labels)
	}
	for _, c := range containers {
		o := of(c.Labels)
		o.Running = o.Running || c.State == container.StateRunning
		if at := time.Unix(c.Created, 0); at.After(o.Started) { // a container is started once, at once
			o.Started, o.Image = at, digestOf(c.Labels[labelImage])
		}
	}
	list := make([]workspace.Observed, 0, len(seen))
	for _, o := range seen {
		list = append(list, *o)
	}
	return list, nil
}

// notRunning reports whether the engine says that a container does not run.
func notRunning(err error) bool {
	var conflict interface{ Conflict() }
	return errors.As(err, &conflict) || strings.Contains(err.Error(), "is not running")
}

// failed makes an error of the engine's: one that a person can do something about where the engine is not there.
func (r *Runtime) failed(doing string, err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("docker: %s: %w", doing, err)
	case errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "permission denied while trying to connect"):
		return problem.Wrap(err, problem.Unavailable, "The Docker engine's socket %s may not be opened by the server's user: put that user into the group docker (which makes it as powerful as root), or run the server as root.", r.socket)
	case client.IsErrConnectionFailed(err):
		return problem.Wrap(err, problem.Unavailable, "The Docker engine does not answer at %s. Start it (systemctl start docker), install it (apt-get install docker.io), or name another socket: in lanyard.yaml with runtimes: {docker: {socket: …}}, for `lanyard dev` in DOCKER_HOST.", r.socket)
	}
	return problem.Wrap(err, problem.Unavailable, "The Docker engine could not %s: %s", doing, plain(err))
}

// plain is the engine's own message without the client's preface.
func plain(err error) string {
	text := strings.TrimPrefix(err.Error(), "Error response from daemon: ")
	return strings.ToValidUTF8(text[:min(len(text), 1000)], "")
}
