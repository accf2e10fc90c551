package docker

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// person is a user of an image.
type person struct {
	image    string // ID
	name     string // as the engine is told: a name, or a number, with the group if one was named
	uid, gid int
	home     string
}

// otherHome is the home of users whom the image gives none.
const otherHome = "/home/lanyard"

// maxPasswd bounds what is read of an image's /etc/passwd, in bytes.
const maxPasswd = 1 << 20

// userOf finds a user of an image; name is empty for the image's own.
func (r *Runtime) userOf(ctx context.Context, ref, name string) (person, error) {
	im, err := r.inspect(ctx, ref)
	if err != nil {
		return person{}, r.failed("find the image "+ref, err)
	}
	if name == "" && im.Config != nil {
		name = im.Config.User
	}
	name = cmp.Or(name, "root")
	root, err := r.people(ctx, im.ID)
	if err != nil {
		return person{}, err
	}
	u, err := image.FindUser(root, name)
	if err != nil {
		return person{}, err
	}
	p := person{image: im.ID, name: name, uid: u.UID, gid: u.GID, home: u.Home}
	if p.home == "" || p.home == "/nonexistent" {
		p.home = otherHome
	}
	if p.home == workspaceFolder || overlaps(p.home) {
		return person{}, problem.New(problem.Invalid, "The image says that %s is the home folder of its user %.60s, where nothing can be mounted. Name another user.", p.home, name)
	}
	return p, nil
}

// people returns a folder that holds an image's /etc/passwd. A container that never runs is what the engine reads it from.
func (r *Runtime) people(ctx context.Context, imageID string) (string, error) {
	_, hash, _ := strings.Cut(imageID, ":")
	if hash == "" || strings.ContainsAny(hash, "/.") {
		return "", fmt.Errorf("docker: the image's ID is %q", imageID)
	}
	dir := filepath.Join(r.root, "images", hash)
	etc := filepath.Join(dir, "etc")
	if _, err := os.Stat(filepath.Join(etc, "passwd")); err == nil {
		return dir, nil
	}
	server, err := r.server()
	if err != nil {
		return "", err
	}
	made, err := r.engine.ContainerCreate(ctx, &container.Config{
		Image: imageID, Entrypoint: []string{agentProgram}, Cmd: []string{}, NetworkDisabled: true, Labels: map[string]string{labelServer: server, labelWorkspace: "", labelBeside: ""},
	}, confined(), nil, nil, "")
	if err != nil {
		return "", r.failed("look into the image", err)
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if err := r.remove(clean, made.ID); err != nil {
			r.log.Warn("docker: a container that never ran is left", "container", made.ID, "err", err)
		}
	}()
	passwd, err := r.readFile(ctx, made.ID, "/etc/passwd")
	if err != nil {
		return "", err
	}
	if err := makeFolders(etc); err != nil {
		return "", err
	}
	return dir, replaceFile(filepath.Join(etc, "passwd"), passwd, 0o644)
}

// readFile reads a regular file of a container; what is no regular file, or is not there, is empty.
func (r *Runtime) readFile(ctx context.Context, id, path string) ([]byte, error) {
	archive, _, err := r.engine.CopyFromContainer(ctx, id, path)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, r.failed("look into the image", err)
	}
	defer archive.Close()
	t := tar.NewReader(archive)
	h, err := t.Next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("docker: %s of the image: %w", path, err)
	}
	if h.Typeflag != tar.TypeReg {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(t, maxPasswd))
	if err != nil {
		return nil, fmt.Errorf("docker: %s of the image: %w", path, err)
	}
	return b, nil
}

// sameUser is who, with the numbers of the user whose files a workspace has: a file has one owner, so who is to write it is that one.
func (r *Runtime) sameUser(ctx context.Context, of identity.WorkspaceID, who person) (person, error) {
	theirs, err := r.containers(ctx, labelWorkspace, string(of))
	if err != nil {
		return person{}, err
	}
	for _, c := range theirs {
		host, err := strconv.Atoi(c.Labels[labelUID])
		if err != nil {
			continue
		}
		base, err := r.hostUser(ctx, 0)
		if err != nil {
			return person{}, err
		}
		if uid := host - base; uid != who.uid {
			who.uid, who.gid, who.name = uid, uid, fmt.Sprintf("%d:%d", uid, uid)
		}
		return who, nil
	}
	return person{}, problem.New(problem.Conflict, "The workspace %s, beside which another is to start, has no files here.", of)
}

// machine is what the engine says of itself that does not change while it runs in one way.
type machine struct {
	processors int
	base       int    // the host's number of a container's root
	root       string // folder of the engine's data
	snapshots  bool   // it keeps images in containerd's store
}

// machineOf asks the engine, which takes a while over the answer, once.
func (r *Runtime) machineOf(ctx context.Context) (machine, error) {
	r.mu.Lock()
	known := r.machine
	r.mu.Unlock()
	if known != nil {
		return *known, nil
	}
	info, err := r.engine.Info(ctx)
	if err != nil {
		return machine{}, r.failed("say how it is set up", err)
	}
	m := machine{processors: max(info.NCPU, 1), root: info.DockerRootDir, snapshots: keepsSnapshots(info.DriverStatus)}
	for _, o := range info.SecurityOptions {
		if o != "name=userns" && !strings.HasPrefix(o, "name=userns,") {
			continue
		}
		// The engine keeps such a range's data in a folder named by it: …/100000.100000.
		base, _, _ := strings.Cut(filepath.Base(info.DockerRootDir), ".")
		if m.base, err = strconv.Atoi(base); err != nil {
			return machine{}, problem.New(problem.Unavailable, "The Docker engine maps users (userns-remap), and its data folder %s does not say where to.", info.DockerRootDir)
		}
	}
	r.mu.Lock()
	r.machine = &m
	r.mu.Unlock()
	return m, nil
}

// hostUser is the host's number of a container's user: the same, but for engines that map all users into a range.
func (r *Runtime) hostUser(ctx context.Context, uid int) (int, error) {
	m, err := r.machineOf(ctx)
	return m.base + uid, err
}
