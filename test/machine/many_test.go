package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/test/harness"
)

func slow(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skipf("%s: set LANYARD_SLOW=1 (make test-all)", why)
	}
}

// Many workspaces run at once, and a server that is killed finds all of them again. LANYARD_MANY says how many.
func TestMany(t *testing.T) {
	slow(t, "200 workspaces")
	w := world{harness.Start(t)}
	w.many(t, 200, w.processes)
}

// The same in Docker. What an engine has for each container, its shim, is counted as the workspace's.
func TestManyInDocker(t *testing.T) {
	slow(t, "30 workspaces in an engine")
	engine := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+engine.Socket)
	w := world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", engine.Image)}
	c, err := client.NewClientWithOpts(client.WithHost("unix://"+engine.Socket), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w.many(t, 30, func(t *testing.T, id string) []int { return contained(t, c, id) })
}

// many starts workspaces and kills the server under them; processes are those of one.
func (w world) many(t *testing.T, many int, processes func(*testing.T, string) []int) {
	if n, err := strconv.Atoi(os.Getenv("LANYARD_MANY")); err == nil {
		many = n
	}
	ada := w.As("ada")
	all := make([]string, many)
	var starts sync.WaitGroup
	turns := make(chan struct{}, 20) // at once
	begun := time.Now()
	for i := range all {
		starts.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			ws, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: repository})
			if err == nil {
				all[i] = ws.ID
				ws, err = ada.Follow(w.Context(), ws.ID, func(api.Progress) {})
			}
			if err != nil || ws.Phase != "running" {
				t.Errorf("workspace %d is %s (%s): %v", i, ws.Phase, ws.Message, err)
			}
		})
	}
	starts.Wait()
	if t.Failed() {
		return
	}
	took := time.Since(begun)
	before := make([][]int, many)
	memory := make([]int64, many)
	var sum int64
	for i, id := range all {
		before[i] = processes(t, id)
		for _, pid := range before[i] {
			memory[i] += pss(t, pid)
		}
		if memory[i] == 0 {
			t.Errorf("workspace %d has no memory: %v", i, before[i])
		}
		sum += memory[i]
	}
	slices.Sort(memory)
	mib := func(n int64) float64 { return float64(n) / (1 << 20) }
	t.Logf("%d workspaces run after %s, with %.1f MiB each (%.1f to %.1f); the server has %.1f MiB", many, took.Round(time.Millisecond),
		mib(sum)/float64(many), mib(memory[0]), mib(memory[many-1]), mib(pss(t, w.Pid())))
	w.Kill()
	begun = time.Now()
	w.Run()
	for i, id := range all {
		w.phase(id, "running")
		w.Eventually("the agent is back", func() bool {
			out, code, err := w.TryExec(w.Context(), "ada", api.Workspace{ID: id}, "echo back")
			return err == nil && code == 0 && out == "back\n"
		})
		if after := processes(t, id); !slices.ContainsFunc(before[i], func(pid int) bool { return slices.Contains(after, pid) }) {
			t.Errorf("workspace %d began again: %v before the server was killed, %v now", i, before[i], after)
		}
	}
	t.Logf("the server was killed; every workspace has answered the next one %s after its start", time.Since(begun).Round(time.Millisecond))
}

// contained are the processes of a workspace in Docker, the shim above its first one among them.
func contained(t *testing.T, c *client.Client, id string) (pids []int) {
	t.Helper()
	all, err := c.ContainerList(t.Context(), container.ListOptions{Filters: filters.NewArgs(filters.Arg("label", "lanyard.workspace="+id))})
	if err != nil || len(all) != 1 {
		t.Fatalf("the container of %s: %v %v", id, all, err)
	}
	about, err := c.ContainerInspect(t.Context(), all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	top, err := c.ContainerTop(t.Context(), all[0].ID, []string{"-eo", "pid"})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range top.Processes {
		if pid, err := strconv.Atoi(line[0]); err == nil {
			pids = append(pids, pid)
		}
	}
	var shim int
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", about.State.Pid))
	if err == nil {
		_, err = fmt.Sscanf(string(stat[strings.LastIndexByte(string(stat), ')')+1:]), " %c %d", new(rune), &shim)
	}
	if err != nil {
		t.Fatal(err)
	}
	return append(pids, shim)
}

// processes are those of a workspace in the sandbox.
func (w world) processes(t *testing.T, id string) (pids []int) {
	t.Helper()
	info, err := os.Stat(filepath.Join(w.Data, "server", "sandbox", "w", identity.WorkspaceID(id).Label(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	uid := fmt.Sprint(owner(info))
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// An undumpable process belongs to root there, and says who it is.
		if status, err := os.ReadFile("/proc/" + e.Name() + "/status"); err == nil && strings.Contains(string(status), "\nUid:\t"+uid+"\t") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// pss is the memory of a process, what it shares counted by its share, in bytes.
func pss(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0 // it has ended
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n << 10
		}
	}
	return 0
}
