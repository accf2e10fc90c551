package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// fakeBwrap is a bubblewrap that does what a broken machine's does.
func fakeBwrap(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(dataFolder(t), "bwrap")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// children counts this process's children, zombies among them.
func children(t *testing.T) (all []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range tasks {
		b, _ := os.ReadFile(f) // a thread may have ended
		all = append(all, strings.Fields(string(b))...)
	}
	return all
}

func wantNoChildren(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); len(children(t)) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("children are left: %v", children(t))
		}
	}
}

func TestFailedStartLeavesNothing(t *testing.T) {
	need(t)
	for name, c := range map[string]struct{ script, want string }{
		"bubblewrap refuses":      {"echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "setting up uid map"},
		"bubblewrap is silent":    {"exit 1", "without a word"},
		"names another's process": {"echo '{\"child-pid\": 1}' >&4; exit 0", "without a word"},
		"agent ends at once":      {`sleep 0.2 & echo "{\"child-pid\": $!}" >&4; echo 'exec: no such file' >&2; wait; exit 1`, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(dataFolder(t))
			cfg.Bwrap = fakeBwrap(t, c.script)
			r, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			id := identity.NewWorkspaceID()
			spec := workspace.Spec{ID: id, Name: "x", Endpoint: func(context.Context, int) (string, error) { return "/nowhere", nil }}
			err = r.Start(runtimetest.Context(t), spec, nil)
			if problem.KindOf(err) != problem.Unavailable || !strings.Contains(problem.Message(err), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
			wantNoChildren(t)
			all, err := r.List(t.Context())
			if err != nil || len(all) != 1 || all[0].Running {
				t.Errorf("listed %+v, %v", all, err)
			}
			if err := r.Delete(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	need(t)
	cfg := config(dataFolder(t))
	cfg.Bwrap = fakeBwrap(t, "exec sleep 1000")
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(runtimetest.Context(t))
	time.AfterFunc(300*time.Millisecond, cancel)
	spec := workspace.Spec{ID: identity.NewWorkspaceID(), Name: "x", Endpoint: func(context.Context, int) (string, error) { return "/nowhere", nil }}
	if err := r.Start(ctx, spec, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	wantNoChildren(t)
}

func TestCheckSaysWhatIsMissing(t *testing.T) {
	need(t)
	for name, c := range map[string]struct {
		change func(*testing.T, *Config, *Runtime)
		want   []string
	}{
		"bubblewrap": {func(_ *testing.T, c *Config, _ *Runtime) { c.Bwrap = "/nowhere/bwrap" }, []string{"bubblewrap is not installed", "apt-get install bubblewrap"}},
		"agent":      {func(_ *testing.T, c *Config, _ *Runtime) { c.AgentPath = "/nowhere/lanyard-agent" }, []string{"/nowhere/lanyard-agent", "make build"}},
		"old bubblewrap": {func(t *testing.T, c *Config, _ *Runtime) {
			c.Bwrap = fakeBwrap(t, "echo 'bwrap: Unknown option --disable-userns' >&2; exit 1")
		}, []string{"older than 0.8"}},
		"no namespaces":    {setting("sys/user/max_user_namespaces", "0"), []string{"sysctl -w user.max_user_namespaces="}},
		"Debian's setting": {setting("sys/kernel/unprivileged_userns_clone", "0"), []string{"sysctl -w kernel.unprivileged_userns_clone=1"}},
		"AppArmor": {func(t *testing.T, c *Config, r *Runtime) {
			c.Bwrap = fakeBwrap(t, "echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1")
			setting("sys/kernel/apparmor_restrict_unprivileged_userns", "1")(t, c, r)
		}, []string{"AppArmor", "apparmor_parser -r", "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"}},
		"a container": {func(t *testing.T, c *Config, _ *Runtime) {
			c.Bwrap = fakeBwrap(t, "echo \"bwrap: Can't mount proc on /newroot/proc: Operation not permitted\" >&2; exit 1")
		}, []string{"Can't mount proc", "container"}},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(dataFolder(t))
			overlay := new(Runtime)
			c.change(t, &cfg, overlay)
			r, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if overlay.procFS != "" {
				r.procFS = overlay.procFS
			}
			err = r.Check(runtimetest.Context(t))
			if problem.KindOf(err) != problem.Unavailable {
				t.Fatalf("%v", err)
			}
			for _, want := range c.want {
				if !strings.Contains(problem.Message(err), want) {
					t.Errorf("%q lacks %q", problem.Message(err), want)
				}
			}
		})
	}
}

// setting makes the kernel appear to have a setting.
func setting(name, value string) func(*testing.T, *Config, *Runtime) {
	return func(t *testing.T, _ *Config, r *Runtime) {
		r.procFS = t.TempDir()
		path := filepath.Join(r.procFS, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDataFolderThatNobodyCanWalk(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not root: workspaces run as the server's user, who can walk there")
	}
	data := dataFolder(t)
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	r, err := New(config(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Check(runtimetest.Context(t)); problem.KindOf(err) != problem.Unavailable || !strings.Contains(problem.Message(err), "chmod o+x "+data) {
		t.Errorf("%v", err)
	}
}

// A user of the host belongs to one workspace while files of it exist, whatever happens to the server in between.
func TestUsersAreNotShared(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("not root: all workspaces run as the server's user")
	}
	cfg := config(dataFolder(t))
	cfg.UIDs = UIDRange{First: 210000, Count: 3}
	open := func() *Runtime {
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	uids := make(map[int]identity.WorkspaceID)
	start := func(id identity.WorkspaceID) (uid int, err error) {
		err = r.Start(runtimetest.Context(t), workspace.Spec{ID: id, Name: "x", Endpoint: func(_ context.Context, u int) (string, error) {
			uid = u
			return "", errors.New("far enough")
		}}, nil)
		return uid, err
	}
	var ids []identity.WorkspaceID
	for range 3 {
		id := identity.NewWorkspaceID()
		uid, _ := start(id)
		if owner, taken := uids[uid]; taken || uid < 210000 || uid > 210002 {
			t.Fatalf("user %d for %s, taken by %s", uid, id, owner)
		}
		uids[uid] = id
		ids = append(ids, id)
		r = open()
	}
	if _, err := start(identity.NewWorkspaceID()); problem.KindOf(err) != problem.Unavailable || !strings.Contains(err.Error(), "taken") {
		t.Errorf("a fourth of three users: %v", err)
	}
	again, _ := start(ids[1])
	if uids[again] != ids[1] {
		t.Errorf("another user for the same workspace: %d", again)
	}
	if err := r.Delete(t.Context(), ids[1]); err != nil {
		t.Fatal(err)
	}
	if uid, _ := start(identity.NewWorkspaceID()); uid != again {
		t.Errorf("user %d, want the freed %d", uid, again)
	}
}

// A PID that now is somebody else's must not be taken for the workspace, and above all not be killed.
func TestReusedPIDIsNotTheWorkspace(t *testing.T) {
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	real, _, err := findProcess(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(config(dataFolder(t)))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]process{
		"other start": {real.PID, real.Start - 1, real.Boot},
		"other boot":  {real.PID, real.Start, "another"},
	} {
		id := identity.NewWorkspaceID()
		if err := os.MkdirAll(r.dir(id), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeState(r.dir(id), state{UID: 210000, Process: &p}); err != nil {
			t.Fatal(err)
		}
		all, err := r.List(t.Context())
		if err != nil || len(all) == 0 {
			t.Fatal(err)
		}
		for _, o := range all {
			if o.Running {
				t.Errorf("%s: runs", name)
			}
		}
		if err := r.Delete(t.Context(), id); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !real.alive() {
			t.Fatalf("%s: killed a stranger", name)
		}
	}
	if !real.alive() {
		t.Error("the process itself is not seen as alive")
	}
}

// Workspaces that run keep the agent and the /etc that they began with when a new version comes.
func TestUpgradeLeavesRunningWorkspaces(t *testing.T) {
	h := harness(t)
	s := runtimetest.NewServer(t, h)
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	before, err := readState(s.Runtime.(*Runtime).dir(id))
	if err != nil {
		t.Fatal(err)
	}
	newer := filepath.Join(t.TempDir(), "lanyard-agent")
	b, err := os.ReadFile(built.agent)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(newer, append(b, "newer"...), 0o755); err != nil { // what follows an ELF file is not looked at
		t.Fatal(err)
	}
	s.Harness.Open = func(t *testing.T) workspace.Runtime {
		cfg := config(filepath.Dir(h.Sockets))
		cfg.AgentPath = newer
		r, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s.Restart(t)
	other := identity.NewWorkspaceID()
	s.Start(t, other)
	s.Start(t, id)
	s.Shell(t, id, "getent passwd lanyard && cat /etc/profile")
	after, err := readState(s.Runtime.(*Runtime).dir(other))
	if err != nil || after.Agent == before.Agent {
		t.Errorf("the new workspace has the old agent %s (%v)", after.Agent, err)
	}
	if _, err := os.Stat(before.Agent); err != nil {
		t.Errorf("the running workspace's agent is gone: %v", err)
	}
	if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	s.Restart(t)
	if err := s.Runtime.Check(runtimetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(before.Agent); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an agent that nobody uses is kept: %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := runtimetest.NewServer(t, harness(t))
	var ids []identity.WorkspaceID
	for range 8 {
		ids = append(ids, identity.NewWorkspaceID())
	}
	var wg sync.WaitGroup
	for _, id := range ids {
		for range 2 { // the same one twice: one of both finds it running
			wg.Go(func() {
				if err := s.Runtime.Start(runtimetest.Context(t), s.Spec(id), nil); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, id := range ids {
		s.Start(t, id) // also has it deleted at the end
		if got := s.Shell(t, id, "id -un; hostname"); got != "lanyard\nsample" {
			t.Errorf("%q", got)
		}
	}
	for _, id := range ids {
		wg.Go(func() {
			if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantNoChildren(t)
}

func BenchmarkStart(b *testing.B) {
	if built.missing != "" {
		b.Skip(built.missing)
	}
	data, err := os.MkdirTemp("", "sbx")
	if err != nil {
		b.Fatal(err)
	}
	defer os.RemoveAll(data)
	if err := os.Chmod(data, 0o711); err != nil {
		b.Fatal(err)
	}
	r, err := New(config(data))
	if err != nil {
		b.Fatal(err)
	}
	if err := r.Check(b.Context()); err != nil {
		b.Fatal(err)
	}
	sockets := filepath.Join(data, "run")
	if err := os.Mkdir(sockets, 0o755); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		id := identity.NewWorkspaceID()
		if err := r.Start(b.Context(), workspace.Spec{ID: id, Name: "x", Endpoint: func(context.Context, int) (string, error) { return sockets, nil }}, nil); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := r.Delete(b.Context(), id); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
