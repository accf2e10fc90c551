package sandbox

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// A workspace with an image sees an overlay: below the image's files, which all its workspaces share and none may change;
// above a folder of its own, which is new at every start. What is to be kept lies at home and in the checkout.
//
//	w/<label>/over/fs, work   what it changed, and overlayfs's own
//	w/<label>/lower, root     where image and overlay are mounted for the moment of its start
//
// The mounts are needed only until bubblewrap has made a mount namespace of it; then they are taken away, and live on in that
// namespace alone. So a server that is started again has none to find, and one that dies leaves at most one, which the next
// start or delete takes away.

// overlayOptions are those of mount(8) for the overlay of a workspace, seen from where lower is the image.
func overlayOptions(dir, lower string) string {
	escape := strings.NewReplacer(`\`, `\\`, `:`, `\:`, `,`, `\,`).Replace
	return "lowerdir=" + escape(lower) + ",upperdir=" + escape(filepath.Join(dir, "over/fs")) + ",workdir=" + escape(filepath.Join(dir, "over/work"))
}

// mountRoot mounts the overlay of a workspace at <dir>/root. Files of the image belong to root on disk, and to the
// workspace's user in the mount that the overlay stands on, so that this user may write what looks like its own.
func mountRoot(dir, lower string, uid int) error {
	if err := unmountRoot(dir); err != nil {
		return err
	}
	at := filepath.Join(dir, "lower")
	for _, d := range []string{at, filepath.Join(dir, "root")} {
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := mountOwned(lower, at, uid); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The image's files cannot be mounted for the workspace's user: %v. It takes Linux 5.19 and a data folder on ext4, XFS or Btrfs.", err)
	}
	err := unix.Mount("overlay", filepath.Join(dir, "root"), "overlay", unix.MS_NOSUID|unix.MS_NODEV, overlayOptions(dir, at))
	if e := unix.Unmount(at, unix.MNT_DETACH); err == nil && e != nil { // the overlay has a copy of its own
		return errors.Join(e, unmountRoot(dir))
	}
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The image cannot be laid under a workspace: overlayfs says %v. It takes a kernel with overlayfs and a data folder on ext4, XFS or Btrfs, not on another overlay.", err)
	}
	return nil
}

// unmountRoot takes away what a start mounted, or one that a dead server began.
func unmountRoot(dir string) error {
	for _, part := range []string{"root", "lower"} {
		err := unix.Unmount(filepath.Join(dir, part), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EPERM) {
			return fmt.Errorf("unmount %s: %w", part, err)
		}
	}
	return nil
}

// mountOwned mounts from at to, read-only, so that what belongs to root there belongs to uid here.
func mountOwned(from, to string, uid int) error {
	ns, err := userNamespace(uid)
	if err != nil {
		return err
	}
	defer ns.Close()
	tree, err := unix.OpenTree(unix.AT_FDCWD, from, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return fmt.Errorf("open_tree: %w", err)
	}
	defer unix.Close(tree)
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, &unix.MountAttr{
		Attr_set:  unix.MOUNT_ATTR_IDMAP | unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV,
		Userns_fd: uint64(ns.Fd()),
	})
	if err != nil {
		return fmt.Errorf("mount_setattr: %w", err)
	}
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, to, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("move_mount: %w", err)
	}
	return nil
}

// userNamespace returns a user namespace in which root is the host's uid, and nobody else is anybody. It takes a process
// to make one; cat waits until it was opened.
func userNamespace(uid int) (*os.File, error) {
	wait, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	cmd := exec.Command("/bin/cat")
	cmd.Stdin, cmd.Env, cmd.Dir = wait, []string{}, "/"
	one := []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: one, GidMappings: one}
	err = cmd.Start()
	wait.Close()
	if err != nil {
		return nil, fmt.Errorf("user namespace: %w", err)
	}
	ns, err := os.Open("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/ns/user")
	hold.Close()
	_ = cmd.Wait() // it has said nothing
	return ns, err
}

// mountInside is the command line that mounts the overlay in a user and mount namespace of its own and then becomes
// bubblewrap: how a server that is not root does it. All files are the server's own user's.
func mountInside(l launch, bwrap ...string) ([]string, error) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "An image in the sandbox takes unshare, which is in the package util-linux.")
	}
	if err := os.Mkdir(filepath.Join(l.dir, "root"), 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	const script = `mount -t overlay overlay -o "$1" "$2" && shift 2 && exec "$@"`
	args := []string{unshare, "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-c", script, "sh",
		overlayOptions(l.dir, l.spec.Image.Path) + ",userxattr", filepath.Join(l.dir, "root")}
	return append(args, bwrap...), nil
}
