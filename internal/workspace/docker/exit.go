package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/docker/docker/api/types/container"
	engineimage "github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"

	"github.com/lanyardhq/lanyard/internal/workspace"
)

// exit is the container whose network the steps of a build join.
type exit struct {
	r  *Runtime
	id string
}

// openExit starts it: the agent, with the workspace's socket, and nothing else.
func (r *Runtime) openExit(ctx context.Context, o workspace.BuildOrder) (*exit, error) {
	s, err := r.prepare()
	if err != nil {
		return nil, err
	}
	image, err := r.emptyImage(ctx, s.server)
	if err != nil {
		return nil, err
	}
	uid, err := r.hostUser(ctx, 0)
	if err != nil {
		return nil, err
	}
	dir, err := o.Endpoint(ctx, uid)
	if err != nil {
		return nil, err
	}
	host := confined()
	host.Tmpfs = map[string]string{privateFolder: "rw,nosuid,nodev,noexec,size=16m,mode=0700"}
	host.Mounts = []mount.Mount{
		{Type: mount.TypeBind, Source: s.agent, Target: agentFolder, ReadOnly: true},
		{Type: mount.TypeBind, Source: dir, Target: socketFolder, ReadOnly: true},
	}
	made, err := r.engine.ContainerCreate(ctx, &container.Config{
		Image: image, Entrypoint: []string{agentProgram}, Cmd: []string{}, User: "0", Env: []string{"HOME=/home/lanyard"}, NetworkDisabled: true,
		// It is no workspace: nobody lists it as one.
		Labels: map[string]string{labelServer: s.server, labelWorkspace: "", labelBeside: string(o.ID), labelUID: strconv.Itoa(uid)},
	}, host, nil, nil, "")
	if err != nil {
		return nil, r.failed("make the exit of a build", err)
	}
	e := &exit{r: r, id: made.ID}
	if err := r.engine.ContainerStart(ctx, made.ID, container.StartOptions{}); err != nil {
		e.close(ctx)
		return nil, r.failed("start the exit of a build", err)
	}
	return e, nil
}

// close removes it, also when ctx has ended.
func (e *exit) close(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if err := e.r.remove(ctx, e.id); err != nil {
		e.r.log.Warn("docker: the exit of a build is left", "container", e.id, "err", err)
	}
}

// emptyImage returns an image that holds a few empty folders.
func (r *Runtime) emptyImage(ctx context.Context, server string) (string, error) {
	const name = "lanyard-exit:1"
	if im, err := r.engine.ImageInspect(ctx, name); err == nil {
		return im.ID, nil
	} else if !notFound(err) {
		return "", r.failed("look for an image", err)
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, dir := range []string{"etc/", "home/", "home/lanyard/", "opt/", "run/", "tmp/", "workspace/"} {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, Format: tar.FormatPAX}); err != nil {
			return "", fmt.Errorf("docker: an image: %w", err)
		}
	}
	if err := t.Close(); err != nil {
		return "", fmt.Errorf("docker: an image: %w", err)
	}
	said, err := r.engine.ImageImport(ctx, engineimage.ImportSource{Source: &b, SourceName: "-"}, name, engineimage.ImportOptions{Platform: platform()})
	if err != nil {
		return "", r.failed("make an image", err)
	}
	defer said.Close()
	if _, err := io.Copy(io.Discard, said); err != nil {
		return "", r.failed("make an image", err)
	}
	im, err := r.engine.ImageInspect(ctx, name)
	if err != nil {
		return "", r.failed("look for an image", err)
	}
	return im.ID, nil
}
