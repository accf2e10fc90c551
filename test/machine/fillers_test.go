package machine

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// smallDisk is a folder on an ext4 file system of its own, of so many bytes and files, in which temporary files of this test are made.
func smallDisk(t *testing.T, size, files string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("a disk of its own takes root")
	}
	harness.Need(t, "mkfs.ext4")
	if _, err := harness.Programs(); err != nil { // they lie elsewhere
		t.Fatal(err)
	}
	disk, err := os.MkdirTemp("", "lyf-") // short: sockets live below it
	if err != nil {
		t.Fatal(err)
	}
	image := disk + ".ext4"
	t.Cleanup(func() {
		_ = os.Remove(disk)
		_ = os.Remove(image)
	})
	made := exec.Command("/bin/sh", "-ec", `truncate -s "$1" "$3" && mkfs.ext4 -q -F -m 0 -N "$2" "$3" && mount -o loop "$3" "$4"`, "sh", size, files, image, disk)
	if said, err := made.CombinedOutput(); err != nil {
		t.Skipf("no file system in a file can be mounted here: %v: %s", err, said)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	if err := os.Chmod(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", disk)
	return disk
}

// fillers are ways to fill a disk.
var fillers = []struct{ name, line string }{
	{"write", `cat /dev/zero >/workspace/full/a`},
	{"give out", `for n in 1 2 3 4 5 6 7 8 9; do fallocate -l 8M /workspace/full/a$n && sleep 0.2; done; fallocate -l 1G /workspace/full/b; cat /dev/zero >/workspace/full/c`},
	{"many files", `cd /workspace/full; n=0; while :; do n=$((n+1)); mkdir d$n; (cd d$n; seq 1000 | xargs touch); done`},
}

// fills lets the greedy workspace fill the disk, and looks that it alone is stopped for it.
func (h hog) fills(t *testing.T, name, line string) {
	t.Helper()
	term := h.Terminal("ada", h.greedy)
	if err := term.Type("mkdir -p /workspace/full; " + line + "\n"); err != nil {
		t.Fatal(err)
	}
	h.Eventually(name+": the filler is stopped", func() bool {
		now, err := h.Operator.Workspace(h.Context(), h.greedy.ID)
		return err == nil && now.Phase == "stopped"
	})
	now, err := h.As("ada").Workspace(h.Context(), h.greedy.ID)
	if err != nil || !strings.Contains(now.Message, "nearly full") || !strings.Contains(now.Message, "Its files are kept. Start it again") {
		t.Errorf("%s: the filler: %q %v", name, now.Message, err)
	}
	h.says(t, name)
	h.Eventually(name+": the other one writes", func() bool {
		_, code, err := h.TryExec(h.Context(), "ada", h.other, "echo more >>notes.txt && git add notes.txt && git -c user.name=a -c user.email=a@example.test commit -qm more")
		return err == nil && code == 0
	})
	h.Eventually(name+": why is in the log", func() bool {
		var log bytes.Buffer
		return h.Operator.ExportAudit(h.Context(), &log) == nil && strings.Contains(log.String(), "the disk of this machine is nearly full")
	})
}

// clears starts the filler again, with all that it had, and lets it make room.
func (h hog) clears(t *testing.T, name string) {
	t.Helper()
	h.Eventually(name+": the filler starts to make room", func() bool {
		_, err := h.As("ada").StartWorkspace(h.Context(), h.greedy.ID)
		return err == nil
	})
	h.phase(h.greedy.ID, "running")
	if out, code := h.Exec("ada", h.greedy, "ls /workspace/full | wc -l; rm -rf /workspace/full"); code != 0 || strings.HasPrefix(out, "0") {
		t.Errorf("%s: what the filler had: %d %q", name, code, out)
	}
	h.Eventually(name+": there is room for others", func() bool {
		ws, err := h.As("ada").CreateWorkspace(h.Context(), api.Order{ContextURL: repository, Class: "small"})
		if err != nil {
			return false
		}
		h.phase(ws.ID, "running")
		if err := h.As("ada").ForceDeleteWorkspace(h.Context(), ws.ID); err != nil {
			t.Error(err)
		}
		h.phase(ws.ID, "")
		return true
	})
}

// A workspace that fills the disk on which the server's data lie is stopped with its reason and keeps its files, and nobody else
// loses more than the moment.
func TestFillers(t *testing.T) {
	disk := smallDisk(t, "256M", "9000")
	h := world{harness.Start(t)}.hog(t)
	for _, f := range fillers {
		h.fills(t, f.name, f.line)
		if _, err := os.Stat(filepath.Join(h.Files(h.greedy), "full")); err != nil {
			t.Errorf("%s: the filler's files: %v", f.name, err)
		}
		var s unix.Statfs_t
		if err := unix.Statfs(disk, &s); err == nil && int64(s.Bavail)*s.Bsize < 8<<20 {
			t.Logf("%s: %d KiB are left", f.name, int64(s.Bavail)*s.Bsize>>10)
		}
		h.clears(t, f.name)
	}
	if said := h.Lanyard("audit", "verify"); said.Status != 0 {
		t.Errorf("the log: %+v", said)
	}
	h.asItWas(t)
}

func TestFillersInDocker(t *testing.T) {
	slow(t, "an engine on a disk of its own")
	smallDisk(t, "1536M", "60000")
	engine, err := harness.StartEngine()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.End)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	h := world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}.hog(t)
	for _, f := range fillers {
		h.fills(t, f.name, f.line)
		h.clears(t, f.name)
	}
	h.asItWas(t)
}

// A step of a build that fills the disk is ended with its reason, and what the steps before it made is removed; nobody else is stopped.
func TestBuildsThatFillInDocker(t *testing.T) {
	slow(t, "an engine on a disk of its own")
	disk := smallDisk(t, "1536M", "60000")
	engine, err := harness.StartEngine()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.End)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	h := world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}.hog(t)
	free := func() int64 {
		var s unix.Statfs_t
		if err := unix.Statfs(disk, &s); err != nil {
			t.Fatal(err)
		}
		return int64(s.Bavail) * s.Bsize
	}
	before := free()
	text := "FROM " + engine.Image + "\nRUN head -c 64M /dev/zero >/first\nRUN cat /dev/zero >/second\n"
	commit := exec.CommandContext(t.Context(), "git", "--git-dir", filepath.Join(h.Data, "git", "payments/api.git"), "fast-import", "--quiet", "--force", "--done")
	commit.Stdin = strings.NewReader(fmt.Sprintf("commit refs/heads/fills\ncommitter Ada <ada@contoso.example> 1767225600 +0000\ndata 6\nfills\nfrom refs/heads/main^0\n"+
		"M 100644 inline .gitpod.yml\ndata 26\nimage: {file: Dockerfile}\n\nM 100644 inline Dockerfile\ndata %d\n%s\ndone\n", len(text), text))
	if out, err := commit.CombinedOutput(); err != nil {
		t.Fatalf("git fast-import: %v\n%s", err, out)
	}
	ws, err := h.As("ada").CreateWorkspace(h.Context(), api.Order{ContextURL: repository + "/tree/fills"})
	if err != nil {
		t.Fatal(err)
	}
	h.phase(ws.ID, "stopped")
	now, err := h.As("ada").Workspace(h.Context(), ws.ID)
	if err != nil || !strings.Contains(now.Message, "RUN cat /dev/zero >/second") || !strings.Contains(now.Message, "the disk of this machine is nearly full") {
		t.Errorf("why it did not start: %q %v", now.Message, err)
	}
	h.says(t, "afterwards")
	h.Eventually("what the build took is given back", func() bool { return free() > before-32<<20 })
	if err := h.As("ada").ForceDeleteWorkspace(h.Context(), ws.ID); err != nil {
		t.Error(err)
	}
	h.phase(ws.ID, "")
	h.asItWas(t)
}
