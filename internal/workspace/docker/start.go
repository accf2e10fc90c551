package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// cleanTime bounds what is cleared away after a start that failed.
const cleanTime = 30 * time.Second

// Start implements workspace.Runtime.
func (r *Runtime) Start(ctx context.Context, spec workspace.Spec, progress func(string)) error {
	if spec.Beside != "" { // which does not stop, nor go, meanwhile
		m := r.lockOf(spec.Beside)
		m.RLock()
		defer m.RUnlock()
	}
	defer r.lock(spec.ID)()
	if progress == nil {
		progress = func(string) {}
	}
	before, err := r.containers(ctx, labelWorkspace, string(spec.ID))
	if err != nil {
		return err
	}
	for _, c := range before {
		if c.State != container.StateRunning {
			continue
		}
		uid, err := strconv.Atoi(c.Labels[labelUID])
		if err != nil {
			return fmt.Errorf("docker: the container of %s has no user: %w", spec.ID, err)
		}
		_, err = spec.Endpoint(ctx, uid)
		return err
	}
	s, err := r.prepare()
	if err != nil {
		return err
	}
	ref := spec.Image.Ref
	if ref == "" {
		ready, err := r.pull(ctx, r.defaultOrder(), progress)
		if err != nil {
			return err
		}
		ref = ready.Image.Ref
	}
	who, err := r.userOf(ctx, ref, spec.User)
	if err != nil {
		return err
	}
	place := spec.ID // whose files they are
	if spec.SharesFiles {
		place = spec.Beside
		if who, err = r.sameUser(ctx, place, who); err != nil {
			return err
		}
	}
	host, err := r.hostUser(ctx, who.uid)
	if err != nil {
		return err
	}
	mounted, left := spec.Mounted(who.home)
	for _, text := range left {
		progress(text)
	}
	spec.Volumes = mounted
	made, _, err := r.makeVolumes(ctx, spec, progress)
	if err != nil {
		return err
	}
	dir, err := spec.Endpoint(ctx, host)
	if err != nil {
		return err
	}
	progress("starting the container")
	l := launch{spec: spec, ref: ref, who: who, host: host, place: place, socket: dir, agent: s.agent, server: s.server}
	l.own = made > 0 || !slices.ContainsFunc(before, func(c container.Summary) bool {
		return c.State == container.StateExited && c.Labels[labelUID] == strconv.Itoa(host)
	})
	// The containers of earlier starts go meanwhile. One that stays is removed by the next start, or with the workspace.
	var gone sync.WaitGroup
	defer gone.Wait()
	for _, c := range before {
		gone.Go(func() {
			if err := r.remove(ctx, c.ID); err != nil {
				r.log.Warn("docker: the container of an earlier start is left", "workspace", spec.ID, "err", err)
			}
		})
	}
	return r.launch(ctx, l)
}

// launch is one start of a workspace.
type launch struct {
	spec   workspace.Spec
	ref    string // image
	who    person
	host   int                  // the host's number of that user
	place  identity.WorkspaceID // whose /workspace it is
	socket string               // folder to mount at /run/lanyard
	agent  string               // folder to mount at /opt/lanyard
	server string
	own    bool // the folders may not be the user's yet
}

// launch makes the container and starts it; where that fails nothing is left of it.
func (r *Runtime) launch(ctx context.Context, l launch) error {
	config, host, err := r.container(ctx, l)
	if err != nil {
		return err
	}
	made, err := r.engine.ContainerCreate(ctx, config, host, nil, nil, containerName(l.spec.ID))
	if err != nil {
		return r.failed("make the container of "+string(l.spec.ID), err)
	}
	err = r.linkless(ctx, made.ID, l)
	if err == nil && l.own {
		err = r.handOver(ctx, made.ID, l)
	}
	if err == nil {
		err = r.engine.ContainerStart(ctx, made.ID, container.StartOptions{})
	}
	if err == nil {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if problem.KindOf(err) != problem.Invalid { // which says itself what is wrong with the image
		err = problem.Wrap(err, problem.Unavailable, "The workspace %s did not start: %s", l.spec.ID, plain(err))
	}
	return errors.Join(err, r.remove(clean, made.ID))
}

// container describes the container: everything that is not said here is not in the workspace, or the engine's default.
func (r *Runtime) container(ctx context.Context, l launch) (*container.Config, *container.HostConfig, error) {
	labels := maps.Clone(l.spec.Labels)
	if labels == nil {
		labels = make(map[string]string)
	}
	// All of ours, always: an image may bring labels too.
	maps.Copy(labels, map[string]string{
		labelServer: l.server, labelWorkspace: string(l.spec.ID), labelBeside: string(l.spec.Beside), labelUID: strconv.Itoa(l.host), labelImage: l.ref,
	})
	env := map[string]string{"HOME": l.who.home}
	maps.Copy(env, l.spec.Env)
	env[agentapi.StarterEnv] = "" // nobody waits here for the agent, whatever an image or a repository says
	config := &container.Config{
		Image: l.who.image, Hostname: hostName(l.spec.Name), User: l.who.name, WorkingDir: workspaceFolder, Env: listed(env), Labels: labels,
		Entrypoint: []string{agentProgram}, Cmd: []string{}, // the image's own are not run
		Healthcheck: &container.HealthConfig{Test: []string{"NONE"}},
		// No process of the workspace is asked to end by the engine: the agent does that before.
		StopSignal: "SIGKILL", NetworkDisabled: true,
	}
	host := confined()
	// The socket's folder is its user's by a group of that number, and an image's users may have another one of their own.
	host.GroupAdd = []string{strconv.Itoa(l.who.uid)}
	host.LogConfig = container.LogConfig{Type: "json-file", Config: map[string]string{"max-size": "1m", "max-file": "1"}}
	host.Tmpfs = map[string]string{privateFolder: fmt.Sprintf("rw,nosuid,nodev,noexec,size=16m,mode=0700,uid=%d,gid=%d", l.who.uid, l.who.gid)}
	var err error
	if host.Mounts, err = l.mounts(); err != nil {
		return nil, nil, err
	}
	if host.Resources, err = r.resources(ctx, l.spec.Limits); err != nil {
		return nil, nil, err
	}
	return config, host, nil
}

// listed is an environment as lines, in order.
func listed(env map[string]string) []string {
	list := make([]string, 0, len(env))
	for k, v := range env {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	return list
}
