package docker_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// A step has no more processes than its class says; it does not see what .dockerignore leaves out, and is told which file that is.
func TestAttack27StepsAreBounded(t *testing.T) {
	s := runtimetest.NewServer(t, suite(t))
	r := s.Runtime.(*docker.Runtime)
	build := func(dockerfile string) error {
		id := identity.NewWorkspaceID()
		defer s.Hub.Close(id)
		_, err := r.Build(runtimetest.Context(t), workspace.BuildOrder{
			Key: t.Name() + dockerfile, Dockerfile: "Dockerfile", ID: id, Endpoint: s.Spec(id).Endpoint, Limits: workspace.Limits{CPUs: 1, Memory: 256 << 20, Processes: 60},
			Context: func(context.Context) (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(archive(t, map[string]string{"Dockerfile": dockerfile, "seen": "", "kept.env": "SECRET=1", ".dockerignore": "*.env\n"}))), nil
			},
		}, nil)
		return err
	}
	if err := build(`FROM lanyard-test/base:1
COPY . /all
RUN test -e /all/seen && test ! -e /all/kept.env
RUN for i in $(seq 100); do cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null | grep -qx 60 && break; sleep 0.2; done; \
    cat /sys/fs/cgroup/pids.max /sys/fs/cgroup/pids/pids.max 2>/dev/null | grep -qx 60
`); err != nil {
		t.Errorf("%s", problem.Message(err))
	}
	if err := build("FROM lanyard-test/base:1\nCOPY kept.env /\n"); err == nil || !strings.Contains(problem.Message(err), "kept.env") {
		t.Errorf("%v", err)
	}
}
