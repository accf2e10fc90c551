package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// guest is who a workspace runs as, seen from inside.
type guest struct {
	uid, gid int
	home     string
	unnamed  bool // the image knows no such user
}

// guestOf says who that is: the machine's files know lanyard alone, an image has users of its own.
func guestOf(spec workspace.Spec) (guest, error) {
	if spec.Image.Path == "" {
		return guest{uid: insideUID, gid: insideUID, home: "/home/" + userName}, nil
	}
	u, err := image.FindUser(spec.Image.Path, spec.User)
	if err != nil {
		return guest{}, err
	}
	g := guest{uid: u.UID, gid: u.GID, home: u.Home, unnamed: u.Name == ""}
	if g.home == "" || !mayHold(g.home) {
		g.home = "/home/" + userName
	}
	return g, nil
}

// own are the folders that the sandbox itself mounts in every workspace.
var own = []string{"/proc", "/dev", "/tmp", "/run", "/workspace", "/opt/lanyard"}

// mayHold reports whether a folder of the workspace may be mounted at a path: not over, in or around what is the sandbox's.
func mayHold(at string) bool {
	if !path.IsAbs(at) || path.Clean(at) != at || at == "/" || strings.ContainsRune(at, 0) {
		return false
	}
	for _, o := range own {
		if overlap(at, o) {
			return false
		}
	}
	return !slices.Contains([]string{"/bin", "/etc", "/lib", "/lib64", "/sbin", "/usr", "/var", "/home"}, at)
}

// overlap reports whether one of two folders is the other or lies in it.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// makeOver makes the upper half of the overlay anew, with the folders that bubblewrap mounts at. They are made here, as
// folders, whatever the image has in their place: a link there would be followed by bubblewrap.
func (l launch) makeOver() error {
	over := filepath.Join(l.dir, "over")
	if err := removeTree(over); err != nil {
		return err
	}
	if err := os.Mkdir(over, 0o700); err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(over, "work"), 0o700); err != nil {
		return err
	}
	upper := filepath.Join(over, "fs")
	if err := makeDir(upper, 0o755, l.state.UID, l.state.UID); err != nil {
		return err
	}
	targets := append([]string{"/etc", l.guest.home}, own...)
	for _, v := range l.spec.Volumes {
		targets = append(targets, v.Target)
	}
	for _, t := range targets {
		at := upper
		for part := range strings.SplitSeq(t[1:], "/") {
			at = filepath.Join(at, part)
			if err := makeDir(at, 0o755, l.state.UID, l.state.UID); err != nil {
				return err
			}
		}
	}
	// An image's /tmp is on disk, as in a container, and as new as everything else.
	if err := os.Chmod(filepath.Join(upper, "tmp"), 0o777|fs.ModeSticky); err != nil {
		return err
	}
	return l.writeEtc(upper)
}

// writeEtc writes those files of /etc that an image cannot know.
func (l launch) writeEtc(upper string) error {
	lower, err := os.OpenRoot(l.spec.Image.Path)
	if err != nil {
		return err
	}
	defer lower.Close()
	files := map[string]string{
		"hosts":       etcFiles["hosts"],
		"hostname":    hostName(l.spec.Name) + "\n",
		"resolv.conf": etcFiles["resolv.conf"],
		"gitconfig":   readSmall(lower, "etc/gitconfig") + "\n" + strings.ReplaceAll(etcFiles["gitconfig"], "/home/"+userName+"/", l.guest.home+"/"),
	}
	if l.guest.unnamed {
		files["passwd"] = readSmall(lower, "etc/passwd") + fmt.Sprintf("%s:x:%d:%d:Lanyard workspace:%s:/bin/sh\n", userName, l.guest.uid, l.guest.gid, l.guest.home)
	}
	for name, content := range files {
		to := filepath.Join(upper, "etc", name)
		if err := os.WriteFile(to, []byte(content), 0o644); err != nil {
			return err
		}
		if os.Geteuid() == 0 {
			if err := os.Lchown(to, l.state.UID, l.state.UID); err != nil {
				return err
			}
		}
	}
	return nil
}

// readSmall reads a file of an image that is there and of a reasonable size.
func readSmall(r *os.Root, name string) string {
	f, err := r.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 1<<20))
	if err != nil {
		return ""
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	return string(b)
}

// makeHome makes the home folder: at first a copy of what the image has there.
func (l launch) makeHome() error {
	home := filepath.Join(l.dir, "home")
	if _, err := os.Lstat(home); err == nil || l.spec.Image.Path == "" {
		return makeDir(home, 0o700, l.state.UID, l.state.UID)
	}
	fresh := home + ".new"
	if err := removeTree(fresh); err != nil {
		return err
	}
	if err := makeDir(fresh, 0o700, l.state.UID, l.state.UID); err != nil {
		return err
	}
	if err := copyHome(l.spec.Image.Path, strings.TrimPrefix(l.guest.home, "/"), fresh, l.state.UID); err != nil {
		return err
	}
	return os.Rename(fresh, home)
}

// copyHome copies a folder of an image. Links stay links, and nothing outside either folder is read or written.
func copyHome(imagePath, from, to string, uid int) error {
	files, err := os.OpenRoot(imagePath)
	if err != nil {
		return err
	}
	defer files.Close()
	source, err := files.OpenRoot(from)
	if err != nil {
		return nil // the image has no such folder, or it leads elsewhere
	}
	defer source.Close()
	target, err := os.OpenRoot(to)
	if err != nil {
		return err
	}
	defer target.Close()
	return fs.WalkDir(source.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		if err := copyEntry(source, target, name, d); err != nil {
			return err
		}
		if os.Geteuid() != 0 {
			return nil
		}
		return target.Lchown(name, uid, uid)
	})
}

func copyEntry(source, target *os.Root, name string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return target.Mkdir(name, mode.Perm()|0o700)
	case mode&fs.ModeSymlink != 0:
		to, err := source.Readlink(name)
		if err != nil {
			return err
		}
		return target.Symlink(to, name)
	case !mode.IsRegular():
		return nil
	}
	in, err := source.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := target.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm()|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// mountVolumes says which of the workspace's volumes are mounted. None is where an earlier run may have left something:
// bubblewrap follows a link in the place of a mount point, and the host's files are still there for it while it mounts. Those
// that are left out are told.
func (l *launch) mountVolumes(progress func(string)) error {
	mounted, left := l.spec.Mounted(l.guest.home)
	for i, v := range mounted {
		for _, kept := range []string{"/workspace", l.guest.home} {
			if overlap(v.Target, kept) {
				return problem.New(problem.Invalid, "The volume %.60q cannot be mounted at %.100q: the sandbox mounts nothing over or around %s, which is kept over stops as it is. Leave the mount out, or start the workspace on a server with Docker.", v.Name, v.Target, kept)
			}
		}
		for _, other := range mounted[:i] {
			if overlap(v.Target, other.Target) {
				return problem.New(problem.Invalid, "The volume %.60q cannot be mounted at %.100q: the sandbox mounts no volume in another, and %.60q is at %.100q.", v.Name, v.Target, other.Name, other.Target)
			}
		}
		if !mayHold(v.Target) || !volumeName(v.Name) {
			return problem.New(problem.Invalid, "The volume %.60q cannot be mounted at %.100q.", v.Name, v.Target)
		}
		if l.spec.Image.Path == "" {
			left = append(left, fmt.Sprintf("The volume %s is left out: without an image the sandbox's files are this machine's own, and %s is one of them.", v.Name, v.Target))
		}
	}
	if l.spec.Volumes = mounted; l.spec.Image.Path == "" {
		l.spec.Volumes = nil
	}
	for _, text := range left {
		progress(text)
	}
	return nil
}

// makeVolumes makes the folders of the volumes that are mounted.
func (l launch) makeVolumes() error {
	for _, v := range l.spec.Volumes {
		parent := filepath.Join(l.dir, "volumes")
		if err := makeDir(parent, 0o710, 0, l.state.UID); err != nil {
			return err
		}
		if err := makeDir(filepath.Join(parent, v.Name), 0o700, l.state.UID, l.state.UID); err != nil {
			return err
		}
	}
	return nil
}

// volumeName is workspace.Volume's rule.
func volumeName(s string) bool {
	return s != "" && len(s) <= 63 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s[0] != '-'
}
