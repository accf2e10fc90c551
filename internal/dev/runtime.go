package dev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/docker"
	"github.com/lanyardhq/lanyard/internal/workspace/sandbox"
)

// The runtimes of a sample world.
const (
	onDocker  = "docker"
	onSandbox = "sandbox"
)

// askEngine bounds how long an engine, and the registry of its image, have to answer; pullImage how long the image takes.
const (
	askEngine = 10 * time.Second
	pullImage = 10 * time.Minute
)

// chooseRuntime decides what runs workspaces: what was asked for; else what this data folder began with, where its workspaces
// are; else Docker where an engine answers and has or gets its image, else the sandbox. It says why.
func (w *World) chooseRuntime(ctx context.Context) error {
	file := filepath.Join(w.data, "runtime")
	before, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("which runtime this folder began with: %w", err)
	}
	known := strings.TrimSpace(string(before))
	switch asked := w.options.Runtime; {
	case asked == onDocker, asked == onSandbox:
		w.runtime, w.why = asked, "as --runtime says"
		if known != "" && known != asked {
			w.why += "; the workspaces that this folder has on " + known + " are not seen meanwhile"
		}
	case asked != "":
		return problem.New(problem.Invalid, "There is no runtime %q; there are docker and sandbox.", asked)
	case known == onDocker, known == onSandbox:
		w.runtime, w.why = known, "where this folder's workspaces are"
	default:
		w.runtime, w.why = onDocker, "a Docker engine answers"
		if err := w.tryDocker(ctx); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			w.runtime, w.why = onSandbox, "Docker cannot be used. "+problem.Message(err)
		}
	}
	if err := os.WriteFile(file, []byte(w.runtime+"\n"), 0o644); err != nil {
		return fmt.Errorf("note the runtime: %w", err)
	}
	return nil
}

// tryDocker finds out whether an engine answers and has the image for workspaces, or can get it.
func (w *World) tryDocker(ctx context.Context) error {
	agent, err := server.AgentPath()
	if err != nil {
		return err
	}
	r, err := w.docker(agent, http.DefaultTransport, nil, w.options.Log)
	if err != nil {
		return err
	}
	defer r.Close()
	check, cancel := context.WithTimeout(ctx, askEngine)
	defer cancel()
	if err := r.Check(check); err != nil {
		return err
	}
	pull, cancel := context.WithTimeout(ctx, pullImage)
	defer cancel()
	return r.CheckImage(pull, func(step string) { w.options.Log.Info(step) })
}

// docker makes the runtime of the engine that DOCKER_HOST names, or of the machine's own.
func (w *World) docker(agent string, transport http.RoundTripper, plain []string, log *slog.Logger) (*docker.Runtime, error) {
	socket, unix := strings.CutPrefix(w.options.DockerHost, "unix://")
	if w.options.DockerHost != "" && !unix {
		return nil, problem.New(problem.Unavailable, "DOCKER_HOST names an engine on another machine (or in another way than unix:///PATH), which workspaces cannot use.")
	}
	return docker.New(docker.Config{
		Data: filepath.Join(w.data, "server"), AgentPath: agent, Socket: socket, Image: cmp.Or(w.options.Image, docker.DefaultImage),
		Transport: transport, Plain: plain, Log: log,
	})
}

// makeRuntime makes what was chosen.
func (w *World) makeRuntime(agent string, registries server.Registries, log *slog.Logger) (workspace.Runtime, error) {
	if w.runtime == onDocker {
		return w.docker(agent, registries.Transport, registries.Plain, log)
	}
	data := filepath.Join(w.data, "server")
	images, err := image.New(image.Config{Dir: filepath.Join(data, "images"), Transport: registries.Transport, Log: log})
	if err != nil {
		return nil, err
	}
	return sandbox.New(sandbox.Config{Data: data, AgentPath: agent, Images: images, Log: log})
}
