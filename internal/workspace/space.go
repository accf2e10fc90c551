package workspace

import (
	"context"
	"fmt"
	"math"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// DiskUse is what files take of a file system.
type DiskUse struct {
	Bytes int64 `json:"bytes"`
	Files int64 `json:"files,omitempty"`
	More  bool  `json:"more,omitempty"` // than is counted: what is said is not all
	// Hidden says that processes have sent each other open files that none has received: those are not counted.
	Hidden bool `json:"-"`
}

// Beyond reports whether it is more than a bound in one of both; a zero one bounds nothing.
func (u DiskUse) Beyond(most DiskUse) bool {
	return most.Bytes > 0 && u.Bytes > most.Bytes || most.Files > 0 && u.Files > most.Files
}

func (u DiskUse) plus(v DiskUse) DiskUse {
	return DiskUse{u.Bytes + v.Bytes, u.Files + v.Files, u.More || v.More, u.Hidden || v.Hidden}
}

// Space is a file system that files of workspaces lie on.
type Space struct {
	Path             string // of a folder on it
	Device           uint64
	Holds            bool  // files of workspaces
	Size, Free       int64 // bytes
	Files, FreeFiles int64 // how many it may have; 0: as many as there is room for
}

// Disk is a Runtime whose workspaces' files lie on file systems that this server can look at.
type Disk interface {
	// Spaces are those file systems and that of the server's own data, which is the first. It is asked for often, and cheap.
	Spaces(ctx context.Context) ([]Space, error)
	// DiskUse is what a workspace's files take: its home, its checkouts, its volumes and what it changed of its image. It takes as
	// long as walking through them does, and ends as soon as it has found more than most.
	DiskUse(ctx context.Context, id identity.WorkspaceID, most DiskUse) (DiskUse, error)
	// Written is, of all that run, a number each that grows about as their processes write. It misses some ways to write.
	Written(ctx context.Context) (map[identity.WorkspaceID]int64, error)
}

// Ballast is room that the server keeps for itself.
type Ballast interface {
	Keep() error
	Drop() (dropped bool, err error)
}

const (
	// reservePart of a file system, or maxReserve if that is less, is what workspaces leave free where the configuration says nothing.
	reservePart = 20
	maxReserve  = 1 << 30

	maxReservedFiles = 20_000
)

// Reserve is what workspaces leave free of a file system, in bytes.
func (r Rules) reserve(s Space) int64 {
	if r.Reserve > 0 {
		return r.Reserve
	}
	return min(s.Size/reservePart, maxReserve)
}

// level is how much of the reserve is left: below 1 it is broken into. files says that it is files there is no room for.
func (r Rules) level(s Space) (level float64, files bool) {
	level = math.Inf(1)
	if reserve := r.reserve(s); reserve > 0 {
		level = float64(s.Free) / float64(reserve)
	}
	if most := min(s.Files/reservePart, maxReservedFiles); most > 0 {
		if f := float64(s.FreeFiles) / float64(most); f < level {
			return f, true
		}
	}
	return level, false
}

// Room is how a file system stands.
type Room struct {
	Space
	Reserve int64 // bytes that are to stay free
	Low     bool  // they are not
	level   float64
}

// Disks are the file systems that workspaces' files lie on, as they were last looked at; none where the runtime's are elsewhere.
func (m *Manager) Disks() []Room {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.rooms
}

// DiskOf is what a workspace and what stands beside it have on disk, as it was last measured; false: it was not yet.
func (m *Manager) DiskOf(id identity.WorkspaceID) (DiskUse, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.entries[id]
	if e == nil || e.disk.at.IsZero() {
		return DiskUse{}, false
	}
	return e.disk.use, true
}

// cleanFree is how much has to be free for a workspace to start again that is to make room, in bytes.
const cleanFree = 8 << 20

// hasDisk refuses a start on a disk that is nearly full. A workspace that was stopped for its disk starts all the same, so that it can be
// cleared out, while there is some room left. The lock is held.
func (m *Manager) hasDisk(row Workspace) error {
	for _, r := range m.rooms {
		if !r.Low || row.Full != nil && r.Free >= cleanFree {
			continue
		}
		return problem.New(problem.Unavailable, "The disk of this machine is nearly full: %s of %s are free, and %s have to stay free for what runs. Nothing starts until there is room: delete workspaces that you no longer need, or ask an administrator.",
			sizeOf(r.Free), sizeOf(r.Size), sizeOf(r.Reserve))
	}
	return nil
}

// sizeOf is a size for people.
func sizeOf(n int64) string {
	if n < 10<<30 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
