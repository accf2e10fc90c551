package sandbox

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// A workspace that forks, hogs and fills ends at its limits; another one and the server go on.
func TestLimitsOfAWorkspaceHold(t *testing.T) {
	need(t)
	if _, err := findGroups("/proc"); err != nil || os.Geteuid() != 0 {
		t.Skipf("no control groups here: %v", err)
	}
	s := runtimetest.NewServer(t, harness(t))
	other := identity.NewWorkspaceID()
	s.Start(t, other)
	id := identity.NewWorkspaceID()
	startImage(t, s, id, func(spec *workspace.Spec) {
		spec.Limits = workspace.Limits{CPUs: 0.5, Memory: 128 << 20, Processes: 60}
	})
	if got := s.Exec(t, id, "/bin/sh", "-c", `cat /proc/self/cgroup`); strings.Contains(got.Output, id.Label()) {
		t.Errorf("its place among the host's control groups is seen inside:\n%s", got.Output)
	}
	// More processes than it may have.
	r := s.Exec(t, id, "/bin/sh", "-c", `for i in $(seq 100); do sleep 60 >/dev/null 2>&1 & done; echo not bounded`)
	if strings.Contains(r.Output, "not bounded") && r.Code == 0 {
		t.Errorf("100 processes at a limit of 60: %s", r.Output)
	}
	meter := s.Runtime.(workspace.Meter)
	f, err := meter.Measure(runtimetest.Context(t), id)
	if err != nil || f.Processes < 10 || f.Processes > 60 || f.Memory == 0 || f.CPU == 0 {
		t.Errorf("measured %+v, %v", f, err)
	}
	s.Exec(t, id, "pkill", "sleep")
	// More memory, in a file of memory too.
	if r := s.Exec(t, id, "/bin/bash", "-c", `head -c 300M /dev/zero | tail -n 1 > /dev/null`); r.Code == 0 {
		t.Error("300 MB of memory at a limit of 128")
	}
	if r := s.Exec(t, id, "/bin/bash", "-c", `head -c 300M /dev/zero > /dev/shm/full || head -c 300M /dev/zero > /tmp/full`); r.Code == 0 {
		t.Error("300 MB of files in memory at a limit of 128")
	}
	s.Shell(t, id, "rm /dev/shm/full /tmp/full; true")
	s.Shell(t, other, "true")
	if err := s.Runtime.Stop(runtimetest.Context(t), id); err != nil {
		t.Fatal(err)
	}
	all, err := findGroups("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range all {
		if left, _ := filepath.Glob(filepath.Join(at, "lanyard*", "*"+id.Label())); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
		if left, _ := filepath.Glob(filepath.Join(at, "lanyard-"+id.Label())); len(left) > 0 {
			t.Errorf("left: %v", left)
		}
	}
}

// What is run on a thread of its own is never on the first thread, also where that one is free.
func TestOnThread(t *testing.T) {
	for range 200 {
		onThread(func(thread int) {
			if thread == os.Getpid() {
				t.Error("on the first thread")
			}
		})
	}
}

// A machine with control groups of version 2 alone, as files: what is written there, and where.
func TestGroupsOfVersion2(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"proc/self/mountinfo":   "30 23 0:26 / " + root + "/cg rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
		"proc/self/cgroup":      "0::/system.slice/lanyard.service\n",
		"cg/cgroup.controllers": "cpuset cpu io memory hugetlb pids rdma misc\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	at, err := findGroups(filepath.Join(root, "proc"))
	if diff := cmp.Diff(controlGroup{"": filepath.Join(root, "cg")}, at); err != nil || diff != "" {
		t.Fatalf("%v\n%s", err, diff)
	}
	g := controlGroup{"": filepath.Join(root, "cg")}
	for _, file := range []string{"memory.max", "pids.max", "cpu.max"} { // a kernel's group has them; no swap is counted here
		if err := os.WriteFile(filepath.Join(g[""], file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(g[""], "memory.swap.max"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.bound(workspace.Limits{CPUs: 1.5, Memory: 4 << 30}); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"memory.max": "4294967296", "pids.max": "max", "cpu.max": "150000 100000", "memory.swap.max": "0"} {
		if b, err := os.ReadFile(filepath.Join(g[""], file)); err != nil || string(b) != want {
			t.Errorf("%s is %q, want %q: %v", file, b, want, err)
		}
	}
}

// The runtime says by itself that a workspace started and ended, also one that an earlier server started.
func TestWatch(t *testing.T) {
	s := runtimetest.NewServer(t, harness(t))
	before := identity.NewWorkspaceID()
	s.Start(t, before)
	s.Restart(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	heard, ended := make(chan identity.WorkspaceID, 100), make(chan error, 1)
	go func() {
		ended <- s.Runtime.(workspace.Watcher).Watch(ctx, func(id identity.WorkspaceID) { heard <- id })
	}()
	wait := func(id identity.WorkspaceID) {
		t.Helper()
		for {
			select {
			case got := <-heard:
				if got == id {
					return
				}
			case <-time.After(30 * time.Second):
				t.Fatal("nothing was heard")
			}
		}
	}
	after := identity.NewWorkspaceID()
	for { // until it watches
		if err := s.Runtime.Stop(runtimetest.Context(t), after); err != nil {
			t.Fatal(err)
		}
		s.Hub.Close(after)
		s.Start(t, after)
		if len(heard) > 0 {
			break
		}
	}
	wait(after)
	if err := s.Agent(after).Stop(runtimetest.Context(t)); err != nil {
		t.Fatal(err)
	}
	wait(after)
	if err := s.Runtime.Stop(runtimetest.Context(t), before); err != nil {
		t.Fatal(err)
	}
	wait(before)
	over := errors.New("over")
	cancel(over)
	if err := <-ended; !errors.Is(err, over) {
		t.Error(err)
	}
}
