// Package sandbox runs workspaces on this machine with bubblewrap: each under a host user of its own, in its own
// mount, PID, IPC, UTS, cgroup, network and user namespaces, without capabilities, under a seccomp filter, with the
// workspace agent as process 1. It is for trying Lanyard and for people one trusts: the kernel is shared.
//
// Below the data folder:
//
//	sandbox/agent/<hash>/lanyard-agent   the agent, copied; mode 0111, so that a process that runs it is undumpable
//	sandbox/etc/<hash>/                  the generated /etc
//	sandbox/w/<label>/state.json         host user, and the process if one runs
//	sandbox/w/<label>/home, files        /home/lanyard and /workspace
//	sandbox/w/<label>/volumes/<name>     its volumes
//	sandbox/w/<label>/over               what it changed of its image since its last start, if it has one
//	sandbox/w/<label>/agent.log          what bubblewrap and the agent said
//
// Processes outlive the server. They are found again by PID and start time, which together name a process until the
// next boot; the boot is noted as well.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

var _ workspace.Runtime = (*Runtime)(nil)

// Config is what New needs.
type Config struct {
	Data      string // the server's data folder; its parents can be walked by every user
	AgentPath string // the lanyard-agent binary
	Bwrap     string // path of bubblewrap; empty looks for it
	// UIDs is the range of the host's users that workspaces run as when the server is root; the zero value is
	// DefaultUIDs. Otherwise they run as the server's own user.
	UIDs   UIDRange
	Images *image.Store // nil: only the machine's own files
	Log    *slog.Logger
}

// UIDRange is a range of host user and group IDs that nobody else uses.
type UIDRange struct {
	First int
	Count int
}

// DefaultUIDs lies above what distributions hand out and below their subordinate ranges for containers.
var DefaultUIDs = UIDRange{First: 210000, Count: 65536}

// Runtime is the sandbox.
type Runtime struct {
	root      string // <data>/sandbox
	agentPath string
	bwrap     string
	uids      UIDRange
	images    *image.Store
	asRoot    bool
	procFS    string // "/proc", where the kernel's settings are read
	log       *slog.Logger

	mu        sync.Mutex // guards the rest and the handing out of users
	locks     map[identity.WorkspaceID]*sync.RWMutex
	shared    *shared // made at the first need
	watchers  map[chan identity.WorkspaceID]struct{}
	unbounded sync.Once // says that limits are not kept
	taken     map[int]identity.WorkspaceID
	takenRead bool
}

// New returns a Runtime on a data folder; it touches nothing yet.
func New(c Config) (*Runtime, error) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		return nil, fmt.Errorf("sandbox: data folder: %w", err)
	}
	uids := c.UIDs
	if uids == (UIDRange{}) {
		uids = DefaultUIDs
	}
	if uids.First < 1000 || uids.Count < 1 {
		return nil, fmt.Errorf("sandbox: user range %d+%d", uids.First, uids.Count)
	}
	// Descriptors that the server inherited without close-on-exec would otherwise reach bubblewrap and the workspace.
	if err := unix.CloseRange(3, ^uint(0), unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("sandbox: descriptors: %w", err)
	}
	return &Runtime{
		root:      filepath.Join(data, "sandbox"),
		agentPath: c.AgentPath,
		bwrap:     c.Bwrap,
		images:    c.Images,
		uids:      uids,
		asRoot:    os.Geteuid() == 0,
		procFS:    "/proc",
		log:       c.Log,
		locks:     make(map[identity.WorkspaceID]*sync.RWMutex),
		taken:     make(map[int]identity.WorkspaceID),
		watchers:  make(map[chan identity.WorkspaceID]struct{}),
	}, nil
}

// Name implements workspace.Runtime.
func (r *Runtime) Name() string { return "sandbox" }

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

func (r *Runtime) dir(id identity.WorkspaceID) string { return filepath.Join(r.root, "w", id.Label()) }

// Stop implements workspace.Runtime.
func (r *Runtime) Stop(ctx context.Context, id identity.WorkspaceID) error {
	defer r.lock(id)()
	return r.stop(ctx, id)
}

func (r *Runtime) stop(ctx context.Context, id identity.WorkspaceID) error {
	s, err := readState(r.dir(id))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if s.Beside == "" {
		if err := r.stopBeside(ctx, id); err != nil {
			return err
		}
	}
	if s.Process == nil && len(s.Groups) == 0 {
		return nil
	}
	if s.Process != nil {
		if err := s.Process.kill(ctx); err != nil {
			return fmt.Errorf("sandbox: stop %s: %w", id, err)
		}
	}
	if err := s.Groups.remove(); err != nil { // also of a start that died
		r.log.Warn("sandbox: a control group is left", "workspace", id, "err", err)
	}
	s.Process, s.Groups = nil, nil
	return writeState(r.dir(id), s)
}

// Delete implements workspace.Runtime.
func (r *Runtime) Delete(ctx context.Context, id identity.WorkspaceID) error {
	defer r.lock(id)()
	if err := r.stop(ctx, id); err != nil {
		return err
	}
	dir := r.dir(id)
	// The state goes last: while any file of the workspace is there, its user is known and nobody else's.
	if err := unmountRoot(dir); err != nil { // of a start that died
		return fmt.Errorf("sandbox: delete %s: %w", id, err)
	}
	for _, part := range []string{"home", "home.new", "over", "volumes", "files"} {
		if err := removeTree(filepath.Join(dir, part)); err != nil {
			return fmt.Errorf("sandbox: delete %s: %w", id, err)
		}
	}
	if err := removeAll(dir); err != nil {
		return fmt.Errorf("sandbox: delete %s: %w", id, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for uid, owner := range r.taken {
		if owner == id {
			delete(r.taken, uid)
		}
	}
	return nil
}

// List implements workspace.Runtime.
func (r *Runtime) List(context.Context) ([]workspace.Observed, error) {
	entries, err := os.ReadDir(filepath.Join(r.root, "w"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("sandbox: list: %w", err)
	}
	var all []workspace.Observed
	for _, e := range entries {
		id, err := identity.WorkspaceFromLabel(e.Name())
		if err != nil {
			continue // not ours
		}
		s, err := readState(r.dir(id))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		o := workspace.Observed{ID: id, Running: s.Process.alive(), Started: s.Started, Image: s.Image}
		if s.Beside != "" {
			o.Beside = identity.WorkspaceID("w-" + s.Beside)
		}
		all = append(all, o)
	}
	return all, nil
}
