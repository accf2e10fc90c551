package sandbox

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Sizes of the memory-backed folders of a workspace, in bytes.
const (
	tmpBytes = 4 << 30
	shmBytes = 1 << 30
	runBytes = 16 << 20
)

// arguments are bubblewrap's. Everything that is not said here is not in the workspace.
func arguments(l launch) []string {
	args := []string{
		"--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup",
		"--disable-userns",
		"--as-pid-1",
		"--new-session",
		"--cap-drop", "ALL",
		"--seccomp", strconv.Itoa(fdFilter),
		"--info-fd", strconv.Itoa(fdInfo),
		"--uid", strconv.Itoa(l.guest.uid), "--gid", strconv.Itoa(l.guest.gid),
		"--hostname", hostName(l.spec.Name),
	}
	machine := l.spec.Image.Path == "" // its files are this machine's own, and no image's
	if machine {
		args = append(args, "--ro-bind", "/usr", "/usr")
		args = append(args, topFolders()...)
		args = append(args, "--ro-bind", l.shared.etc, "/etc")
	} else {
		args = append(args, "--bind", filepath.Join(l.dir, "root"), "/")
	}
	args = append(args,
		"--proc", "/proc",
		"--dev", "/dev",
		"--size", size(shmBytes, l.spec.Limits.Memory/4), "--perms", "1777", "--tmpfs", "/dev/shm",
		"--remount-ro", "/dev",
		"--size", strconv.Itoa(runBytes), "--perms", "0755", "--tmpfs", "/run",
		"--ro-bind", l.socket, "/run/lanyard",
		"--ro-bind", l.shared.agent, "/opt/lanyard",
		"--bind", filepath.Join(l.dir, "home"), l.guest.home,
		"--bind", l.files, "/workspace",
	)
	for _, v := range l.spec.Volumes {
		how := "--bind"
		if v.ReadOnly {
			how = "--ro-bind"
		}
		args = append(args, how, filepath.Join(l.dir, "volumes", v.Name), v.Target)
	}
	if machine {
		args = append(args, "--size", size(tmpBytes, l.spec.Limits.Memory/2), "--perms", "1777", "--tmpfs", "/tmp", "--symlink", "../tmp", "/var/tmp", "--symlink", "../run", "/var/run", "--remount-ro", "/")
	}
	args = append(args, "--chdir", "/workspace", "--clearenv")
	for _, k := range slices.Sorted(maps.Keys(l.spec.Env)) {
		args = append(args, "--setenv", k, l.spec.Env[k])
	}
	args = append(args, "--setenv", "HOME", l.guest.home) // wherever the image's passwd(5) has it
	return append(args, "--setenv", agentapi.StarterEnv, strconv.Itoa(fdStarter))
}

// size is the size of a memory-backed folder: never all of the memory that a workspace may have, or filling it would end the
// agent, for want of anything else that could be ended to make room.
func size(usual, most int64) string {
	if most > 0 {
		usual = min(usual, most)
	}
	return strconv.FormatInt(usual, 10)
}

// topFolders gives /bin and its like as this machine has them: links into /usr, or folders of their own.
func topFolders() []string {
	var args []string
	for _, dir := range []string{"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"} {
		if link, err := os.Readlink(dir); err == nil {
			args = append(args, "--symlink", link, dir)
		} else if info, err := os.Stat(dir); err == nil && info.IsDir() {
			args = append(args, "--ro-bind", dir, dir)
		}
	}
	return args
}

// hostName makes a host name (RFC 1123: letters, digits, hyphens, at most 63) of a workspace's name.
func hostName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-':
			return r
		}
		return '-'
	}, name)
	name = strings.Trim(name[:min(len(name), 63)], "-")
	if name == "" {
		return "workspace"
	}
	return name
}
