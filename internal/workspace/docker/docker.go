// Package docker runs workspaces as containers of a Docker engine on this machine: from images, without a network, a
// capability or new privileges, under a filter of system calls, with the workspace agent as process 1. It speaks the Engine API
// by the engine's socket, from Debian's engine 20.10 (API 1.41) on.
//
// A container is made anew at every start, so that what a workspace runs is what its image says. What is kept are volumes of the
// engine: the home folder, /workspace, and those that the workspace asks for. Everything has labels, by which the server finds
// again what is its own:
//
//	lanyard.server     random, one for each data folder (docker/server)
//	lanyard.workspace  the workspace's ID
//	lanyard.beside     the workspace that it stands beside
//	lanyard.uid        the host's user that its processes are
//
// Below the data folder lie the agent's copies (docker/agent) and what is known of images (docker/images).
package docker

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/client"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var (
	_ workspace.Runtime = (*Runtime)(nil)
	_ workspace.Watcher = (*Runtime)(nil)
	_ workspace.Meter   = (*Runtime)(nil)
	_ workspace.Images  = (*Runtime)(nil)
	_ workspace.Hider   = (*Runtime)(nil)
)

// DefaultSocket is where engines listen that a distribution installed.
const DefaultSocket = "/var/run/docker.sock"

// DefaultImage is what workspaces start from where nobody names an image: Debian with Git, curl, an SSH client and procps.
const DefaultImage = "docker.io/library/buildpack-deps:bookworm-scm"

// Config is what New needs.
type Config struct {
	Data      string // the server's data folder, on the engine's machine
	AgentPath string // the lanyard-agent binary
	Socket    string // the engine's; empty: DefaultSocket
	Image     string // for workspaces that name none; empty: DefaultImage
	// Transport reaches registries. It decides which addresses may be dialled: the engine itself asks no registry. Plain are registries that may be spoken to without TLS beside loopback ones.
	Transport http.RoundTripper
	Plain     []string
	Log       *slog.Logger
}

// Runtime is a Docker engine.
type Runtime struct {
	root      string // <data>/docker
	agentPath string
	socket    string
	image     string
	asker     *image.Asker
	engine    *client.Client
	loads     image.Slots // of images on their way
	log       *slog.Logger

	mu      sync.Mutex // guards the rest
	locks   map[identity.WorkspaceID]*sync.RWMutex
	shared  *shared  // made at the first need
	machine *machine // asked at the first need
	pulls   map[string]*flight
	builds  map[*building]struct{} // that are under way
	firsts  map[string]int         // process 1 of containers that ran when they were last looked at
	leads   map[[2]string]string   // where paths of images lead, by the image's ID and the path

	asking sync.Mutex // guards asked
	asked  asked
}

// New returns a Runtime; it touches nothing yet.
func New(c Config) (*Runtime, error) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return nil, fmt.Errorf("docker: data folder: %w", err)
	}
	if c.Socket == "" {
		c.Socket = DefaultSocket
	}
	if c.Image == "" {
		c.Image = DefaultImage
	}
	engine, err := client.NewClientWithOpts(client.WithHost("unix://"+c.Socket), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	asker, err := image.NewAsker(c.Transport, c.Plain)
	if err != nil {
		return nil, fmt.Errorf("docker: %w", err)
	}
	return &Runtime{
		root: filepath.Join(data, "docker"), agentPath: c.AgentPath, socket: c.Socket, image: c.Image, asker: asker,
		engine: engine, log: c.Log, locks: make(map[identity.WorkspaceID]*sync.RWMutex), pulls: make(map[string]*flight),
		builds: make(map[*building]struct{}),
	}, nil
}

// Close drops the connections to the engine. What runs goes on.
func (r *Runtime) Close() error { return r.engine.Close() }

// Name implements workspace.Runtime.
func (r *Runtime) Name() string { return "docker" }

// HidesSockets implements workspace.Hider: the engine mounts as root, and an image's users are numbers that people of this machine
// have as well.
func (r *Runtime) HidesSockets() {}

// lock serializes the calls for one workspace. Whoever holds that of a workspace may take that of one beside it, never
// the other way round.
func (r *Runtime) lock(id identity.WorkspaceID) (unlock func()) {
	m := r.lockOf(id)
	m.Lock()
	return m.Unlock
}

func (r *Runtime) lockOf(id identity.WorkspaceID) *sync.RWMutex {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := r.locks[id]
	if m == nil {
		m = new(sync.RWMutex)
		r.locks[id] = m
	}
	return m
}

// Stop implements workspace.Runtime.
func (r *Runtime) Stop(ctx context.Context, id identity.WorkspaceID) error {
	defer r.lock(id)()
	return r.stop(ctx, id)
}

func (r *Runtime) stop(ctx context.Context, id identity.WorkspaceID) error {
	beside, err := r.containers(ctx, labelBeside, string(id))
	if err != nil {
		return err
	}
	for _, c := range beside {
		end := r.kill
		if c.Labels[labelWorkspace] == "" { // the exit of a build that a dead server began
			end = r.remove
		}
		if err := end(ctx, c.ID); err != nil {
			return err
		}
	}
	own, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return err
	}
	for _, c := range own {
		if err := r.kill(ctx, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// Delete implements workspace.Runtime.
func (r *Runtime) Delete(ctx context.Context, id identity.WorkspaceID) error {
	defer r.lock(id)()
	if err := r.stop(ctx, id); err != nil {
		return err
	}
	own, err := r.containers(ctx, labelWorkspace, string(id))
	if err != nil {
		return err
	}
	for _, c := range own {
		if err := r.remove(ctx, c.ID); err != nil {
			return err
		}
	}
	volumes, err := r.volumes(ctx, labelWorkspace, string(id))
	if err != nil {
		return err
	}
	for _, v := range volumes {
		if err := r.engine.VolumeRemove(ctx, v.Name, false); err != nil && !notFound(err) {
			return r.failed("remove a volume of "+string(id), err)
		}
	}
	r.mu.Lock()
	delete(r.locks, id)
	r.mu.Unlock()
	return nil
}

// server is this data folder's name at the engine, made at the first call.
func (r *Runtime) server() (string, error) {
	s, err := r.prepare()
	if err != nil {
		return "", err
	}
	return s.server, nil
}

// notFound reports whether the engine says that something is not there.
func notFound(err error) bool { return errdefs.IsNotFound(err) }

// makeFolders makes folders that the engine, and nobody else, has to walk.
func makeFolders(paths ...string) error {
	for _, path := range paths {
		if err := os.MkdirAll(path, 0o711); err != nil {
			return fmt.Errorf("docker: %w", err)
		}
	}
	return nil
}
