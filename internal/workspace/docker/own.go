package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/docker/docker/api/types/volume"
)

// parts are the volumes of a launch that begin as root's and are to be the user's, each with where it is mounted. Those that are
// mounted read-only stay root's: into such a one the engine puts nothing.
func (l launch) parts() (names, folders []string) {
	add := func(part, folder string) {
		names, folders = append(names, volumeName(l.spec.ID, part)), append(folders, folder)
	}
	add(partHome, l.who.home)
	if l.place == l.spec.ID {
		add(partFiles, workspaceFolder)
	}
	for _, v := range l.spec.Volumes {
		if !v.ReadOnly {
			add("v-"+v.Name, v.Target)
		}
	}
	return names, folders
}

// ownHere makes volumes the user's by the folders in which the engine keeps them: the engine itself starts a
// process to write into them. It reports whether it could: this takes root, and an engine whose folders are these, of the host's users.
func (r *Runtime) ownHere(ctx context.Context, l launch) (bool, error) {
	if os.Geteuid() != 0 {
		return false, nil
	}
	m, err := r.machineOf(ctx)
	if err != nil {
		return false, err
	}
	all, err := r.volumes(ctx, labelWorkspace, string(l.spec.ID))
	if err != nil {
		return false, err
	}
	known := make(map[string]*volume.Volume, len(all))
	for _, v := range all {
		known[v.Name] = v
	}
	names, _ := l.parts()
	for _, name := range names {
		at := filepath.Join(m.root, "volumes", name, "_data")
		if v := known[name]; v == nil || v.Driver != "local" || v.Mountpoint != at || !ownedBy(filepath.Dir(at), 0, m.base) {
			return false, nil
		}
		if err := own(at, m.base+l.who.uid, m.base+l.who.gid); err != nil {
			return false, err
		}
	}
	return true, nil
}

// ownedBy reports whether a folder is one of these users'.
func ownedBy(path string, users ...int) bool {
	var s unix.Stat_t
	if unix.Lstat(path, &s) != nil || s.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	for _, u := range users {
		if int(s.Uid) == u {
			return true
		}
	}
	return false
}

// own gives a folder, and nothing in it, to a user. A link is not followed.
func own(path string, uid, gid int) error {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("docker: open %s: %w", path, err)
	}
	defer unix.Close(fd)
	if err := unix.Fchown(fd, uid, gid); err != nil {
		return fmt.Errorf("docker: give %s to its user: %w", path, err)
	}
	if err := unix.Fchmod(fd, 0o755); err != nil {
		return fmt.Errorf("docker: give %s to its user: %w", path, err)
	}
	return nil
}
