package docker

import (
	"context"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// oldest is the first API that has what workspaces need, that of engine 20.10.
const oldest = 41

// Check implements workspace.Runtime: the engine answers, is not too old, and can confine what it runs. Whether its image can be
// had shows when the first workspace starts (CheckImage).
func (r *Runtime) Check(ctx context.Context) error {
	if _, err := r.engine.Ping(ctx); err != nil {
		return r.failed("answer", err)
	}
	version, err := r.engine.ServerVersion(ctx)
	if err != nil {
		return r.failed("say its version", err)
	}
	if !atLeast(version.APIVersion) {
		return problem.New(problem.Unavailable, "The Docker engine at %s is version %s; workspaces need 20.10 (API 1.41) or later.", r.socket, version.Version)
	}
	info, err := r.engine.Info(ctx)
	if err != nil {
		return r.failed("say how it is set up", err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(info.SecurityOptions, func(o string) bool { return o == "name="+name || strings.HasPrefix(o, "name="+name+",") })
	}
	switch {
	case info.OSType != "linux":
		return problem.New(problem.Unavailable, "The Docker engine at %s runs containers of %s; workspaces need Linux.", r.socket, info.OSType)
	case has("rootless"):
		return problem.New(problem.Unavailable, "The Docker engine at %s is a rootless one, whose users cannot be told apart at the workspaces' sockets. Use an engine of the machine's, or the sandbox.", r.socket)
	case !has("seccomp"):
		return problem.New(problem.Unavailable, "The Docker engine at %s runs containers without a filter of system calls (seccomp), which workspaces need.", r.socket)
	}
	if !info.MemoryLimit || !info.PidsLimit {
		r.log.Warn("docker: the engine cannot limit everything", "memory", info.MemoryLimit, "processes", info.PidsLimit)
	}
	_, err = r.prepare()
	return err
}

// atLeast reports whether an API's version, "1.N", is the oldest that will do.
func atLeast(api string) bool {
	rest, ok := strings.CutPrefix(api, "1.")
	n := 0
	for _, c := range rest {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int(c-'0')
	}
	return ok && n >= oldest
}

// CheckImage finds out whether the image for workspaces that name none is there, or can be pulled, and has it then.
func (r *Runtime) CheckImage(ctx context.Context, progress func(string)) error {
	_, err := r.pull(ctx, r.defaultOrder(), progress)
	return err
}
