package runtimetest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func testStart(t *testing.T, s *Server) {
	if err := s.Runtime.Check(Context(t)); err != nil {
		t.Fatalf("check: %v", err)
	}
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.wantRunning(t, id, true)
	if o, _ := s.observe(t, id); o.Started.IsZero() {
		t.Error("no time of its start")
	}
	if got := s.Shell(t, id, "echo out; echo err >&2; hostname; pwd"); !strings.Contains(got, "out") || !strings.Contains(got, "err") || !strings.Contains(got, "sample\n") || !strings.Contains(got, "/workspace") {
		t.Errorf("output %q", got)
	}
	if r := s.Exec(t, id, "/bin/sh", "-c", "exit 7"); r.Code != 7 {
		t.Errorf("status %d, want 7", r.Code)
	}
}

func testStartTwice(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	before := s.Hub.Status(id)
	pid := s.Shell(t, id, "sleep 1000 >/dev/null 2>&1 & echo $!")
	s.Start(t, id)
	if after := s.Hub.Status(id); after != before {
		t.Errorf("another agent: %+v, was %+v", after, before)
	}
	s.Shell(t, id, "kill -0 "+pid)
}

func testFiles(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.Shell(t, id, "echo '"+unique(id)+"' > /workspace/file; echo at home > ~/file; mkdir -m 0 /workspace/closed; sleep 1000 >/dev/null 2>&1 &")
	first := s.Hub.Status(id).Start
	for range 2 { // stopping twice is stopping
		if err := s.Runtime.Stop(Context(t), id); err != nil {
			t.Fatalf("stop: %v", err)
		}
		s.wantRunning(t, id, false)
	}
	s.Hub.Close(id)
	s.Start(t, id)
	if s.Hub.Status(id).Start == first {
		t.Error("the same agent after a stop")
	}
	if got := s.Shell(t, id, "cat /workspace/file ~/file"); got != unique(id)+"\nat home" {
		t.Errorf("files %q", got)
	}
	if got := s.Exec(t, id, "pgrep", "-x", "sleep"); got.Code == 0 {
		t.Errorf("a process of the run before: %s", got.Output)
	}
}

func testAbsent(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Errorf("stop: %v", err)
	}
	if err := s.Runtime.Delete(Context(t), id); err != nil {
		t.Errorf("delete: %v", err)
	}
	if o, there := s.observe(t, id); there {
		t.Errorf("listed: %+v", o)
	}
}

func testRestart(t *testing.T, s *Server) {
	id, stopped := identity.NewWorkspaceID(), identity.NewWorkspaceID()
	s.Start(t, stopped)
	s.Shell(t, stopped, "touch /workspace/file")
	if err := s.Runtime.Stop(Context(t), stopped); err != nil {
		t.Fatal(err)
	}
	s.Start(t, id)
	agent := s.Hub.Status(id).Start
	pid := s.Shell(t, id, "sleep 1000 >/dev/null 2>&1 & echo $!")

	s.Restart(t)
	s.wantRunning(t, id, true)
	s.wantRunning(t, stopped, false)
	s.Start(t, id) // gives the running workspace its socket, in the folder that it sees
	if got := s.Hub.Status(id).Start; got != agent {
		t.Errorf("another agent: %s, was %s", got, agent)
	}
	s.Shell(t, id, "kill -0 "+pid)

	s.Restart(t)
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Fatalf("stop after a restart: %v", err)
	}
	s.wantRunning(t, id, false)
}

func testDelete(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.Shell(t, id, `cd /workspace && mkdir -p a/b && touch a/b/file 'a/ new
line' && ln -s /etc b && ln -s . loop && mkfifo pipe && chmod 000 a/b a && mkdir -m 0 ~/closed`)
	for range 2 {
		if err := s.Runtime.Delete(Context(t), id); err != nil {
			t.Fatalf("delete: %v", err)
		}
		if o, there := s.observe(t, id); there {
			t.Errorf("still listed: %+v", o)
		}
	}
	s.Hub.Close(id)
	s.Start(t, id)
	if got := s.Shell(t, id, "ls -A /workspace"); got != "" {
		t.Errorf("a new workspace of that ID begins with %q", got)
	}
}

func testApart(t *testing.T, s *Server) {
	a, b := identity.NewWorkspaceID(), identity.NewWorkspaceID()
	s.Start(t, a)
	s.Start(t, b)
	s.Shell(t, a, "echo '"+unique(a)+"' > /workspace/file; cp /workspace/file /tmp/file; sleep 12345 >/dev/null 2>&1 &")
	for what, script := range map[string]string{
		"files":     "find / -xdev -name file -newer /proc/1 2>/dev/null; cat /workspace/file /tmp/file",
		"processes": "grep -l 1234[5] /proc/[0-9]*/cmdline",
		"sockets":   "find /run/lanyard -name '*" + a.Label() + "*' | grep .",
		"memory":    "ls /dev/shm | grep .",
	} {
		t.Run(what, func(t *testing.T) {
			if r := s.Exec(t, b, "/bin/sh", "-c", script); r.Code == 0 || strings.Contains(r.Output, unique(a)) {
				t.Errorf("one workspace sees the other's: %s", r.Output)
			}
		})
	}
	if got := s.Shell(t, a, "cat /workspace/file; grep -l 12345 /proc/[0-9]*/cmdline"); !strings.Contains(got, unique(a)) || !strings.Contains(got, "cmdline") {
		t.Errorf("the owner does not see its own, so the tests above say nothing: %q", got)
	}
}

func testFailedEndpoint(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	spec := s.Spec(id)
	spec.Endpoint = func(context.Context, int) (string, error) { return "", errPlanned }
	if err := s.Runtime.Start(Context(t), spec, nil); !errors.Is(err, errPlanned) {
		t.Fatalf("start: %v, want the endpoint's error", err)
	}
	if o, there := s.observe(t, id); there && o.Running {
		t.Error("runs all the same")
	}
	s.Start(t, id)
}

func testStubborn(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.Shell(t, id, "setsid sh -c 'trap \"\" HUP TERM INT; while :; do sleep 1; done' >/dev/null 2>&1 & setsid sleep 1000 >/dev/null 2>&1 & kill -STOP $!")
	if err := s.Runtime.Stop(Context(t), id); err != nil {
		t.Fatalf("stop: %v", err)
	}
	s.wantRunning(t, id, false)
}

func testGentleStop(t *testing.T, s *Server) {
	id := identity.NewWorkspaceID()
	s.Start(t, id)
	s.Shell(t, id, `setsid sh -c 'trap "echo told > /workspace/told; exit" TERM; echo > /workspace/ready; while :; do sleep 0.1; done' >/dev/null 2>&1 &`)
	s.Shell(t, id, "while [ ! -e /workspace/ready ]; do sleep 0.1; done")
	if err := s.Agent(id).Stop(Context(t)); err != nil {
		t.Fatalf("ask the agent to stop: %v", err)
	}
	eventually(t, "the runtime sees that the agent has ended", func() bool {
		o, _ := s.observe(t, id)
		return !o.Running
	})
	s.Hub.Close(id)
	s.Start(t, id)
	if got := s.Shell(t, id, "cat /workspace/told"); got != "told" {
		t.Errorf("the process was not asked to end: %q", got)
	}
}
