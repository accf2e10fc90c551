package workspace

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	diskLook   = 5 * time.Second  // how often it is looked who has written
	diskEvery  = time.Minute      // how often what writes is measured
	diskRarely = 10 * time.Minute // how often all else is
	diskShare  = 20               // measuring one takes this part of the time at most
	diskGrace  = 10 * time.Minute // how long one may be beyond its bound, to make room
	diskWithin = time.Minute      // how long measuring one may keep from measuring others
	cleanRoom  = 64 << 20         // bytes that one that was stopped for its disk may take more while it makes room
)

// measured is what a workspace has on disk, as it was last measured.
type measured struct {
	use     DiskUse
	at      time.Time
	took    time.Duration
	written int64 // by then, see Disk
}

// Full is why a workspace was stopped for its disk. It is gone when it has made room.
type Full struct {
	DiskUse
	Seen time.Time `json:"seen"`
}

// keepDisk measures what workspaces have on disk until ctx ends: who writes much soon, all others now and then.
func (m *Manager) keepDisk(ctx context.Context, d Disk) {
	tick := time.NewTicker(diskLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		written, err := d.Written(ctx)
		if err != nil {
			m.c.Log.Warn("who writes is not known", "error", err)
		}
		for _, row := range m.List() {
			if ctx.Err() != nil {
				return
			}
			if !m.mine(row) || row.Phase != Running || row.Desired != WantRunning {
				continue
			}
			class, err := m.class(row)
			if err != nil {
				continue
			}
			by := m.writtenBy(row.ID, written)
			if m.dueDisk(row.ID, class.Disk, by) {
				m.measureDisk(ctx, d, row, class, by)
			}
		}
	}
}

// writtenBy adds what stands beside a workspace to what it has written itself.
func (m *Manager) writtenBy(id identity.WorkspaceID, written map[identity.WorkspaceID]int64) int64 {
	sum := written[id]
	for _, s := range m.Siblings(id) {
		sum += written[s.ID]
	}
	return sum
}

// dueDisk reports whether a workspace is to be measured now.
func (m *Manager) dueDisk(id identity.WorkspaceID, may, written int64) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.entries[id]
	if e == nil {
		return false
	}
	was := e.disk
	since, grew := time.Since(was.at), written-was.written
	switch {
	case was.at.IsZero():
		return true
	case since < diskShare*was.took:
		return false
	case e.row.Full != nil: // it is making room
		return true
	case may > 0 && grew > max(may-was.use.Bytes, cleanRoom)/2: // it may be beyond its bound by now
		return true
	case grew != 0: // also a new run, whose count begins anew
		return since >= diskEvery
	}
	return since >= diskRarely
}

// diskUse measures a workspace and what stands beside it.
func (m *Manager) diskUse(ctx context.Context, d Disk, id identity.WorkspaceID, most DiskUse) (DiskUse, error) {
	use, err := d.DiskUse(ctx, id, most)
	if err != nil {
		return use, err
	}
	for _, s := range m.Siblings(id) {
		if use.More || use.Beyond(most) {
			break
		}
		more, err := d.DiskUse(ctx, s.ID, most)
		if err != nil {
			return use, err
		}
		use = use.plus(more)
	}
	return use, nil
}

// measureDisk warns a workspace that has more on disk than its class allows, and stops one that stays so.
func (m *Manager) measureDisk(ctx context.Context, d Disk, row Workspace, class Class, written int64) {
	began := time.Now()
	use, err := m.wholeUse(ctx, d, row.ID)
	if err != nil {
		if ctx.Err() == nil {
			m.c.Log.Warn("what a workspace has on disk is not known", "workspace", row.ID, "error", err)
		}
		return
	}
	m.mu.Lock()
	if e := m.entries[row.ID]; e != nil && !e.freed.After(began) {
		e.disk = measured{use: use, at: time.Now(), took: time.Since(began), written: written}
	}
	m.mu.Unlock()
	if class.Disk > 0 {
		m.overDisk(ctx, row, use, class.Disk)
	}
	if class.Disk == 0 || use.Bytes <= class.Disk && !use.More {
		m.forgetFull(ctx, row.ID)
	}
}

// wholeUse measures a workspace for as long as that may take. What was not counted until then is not known.
func (m *Manager) wholeUse(ctx context.Context, d Disk, id identity.WorkspaceID) (DiskUse, error) {
	one, cancel := context.WithTimeout(ctx, diskWithin)
	defer cancel()
	use, err := m.diskUse(one, d, id, DiskUse{})
	if err != nil && one.Err() != nil && ctx.Err() == nil {
		m.c.Log.Warn("a workspace has so many files that not all are counted", "workspace", id, "bytes", use.Bytes, "files", use.Files)
		return use, nil
	}
	return use, err
}

func (m *Manager) overDisk(ctx context.Context, row Workspace, use DiskUse, may int64) {
	now := m.c.Now()
	m.mu.Lock()
	e := m.entries[row.ID]
	if e == nil {
		m.mu.Unlock()
		return
	}
	if use.Bytes <= may && !use.More {
		e.over, e.beyond = time.Time{}, ""
		m.mu.Unlock()
		return
	}
	most := may + may/4
	if e.row.Full != nil { // it is to make room, and what it has takes time to go
		most = max(most, e.row.Full.Bytes+cleanRoom)
	}
	first := e.over.IsZero()
	if first {
		e.over = now
	}
	why := fmt.Sprintf("its disk is full: %s of %s", sizeOf(use.Bytes), sizeOf(may))
	if use.Bytes <= may {
		why = fmt.Sprintf("it has more files than can be counted: there are more than five million names, or folders more than 500 deep, and %d files were counted", use.Files)
	}
	atOnce := use.Bytes >= most
	end := atOnce || now.Sub(e.over) >= diskGrace
	text := fmt.Sprintf("This workspace stops in %s unless you make room: %s.", problem.Length(diskGrace), why)
	switch {
	case end:
		e.row.Full, e.row.Message = &Full{use, now}, fullMessage(why)
	case first:
		e.beyond = text
		m.tell(e, "", text)
	}
	m.mu.Unlock()
	switch {
	case atOnce:
		m.halt(ctx, row, why)
	case end:
		m.endBecause(ctx, row, why)
	case first && m.c.Warn != nil:
		m.c.Warn(ctx, row, text)
	}
}

// fullMessage says of a workspace that was stopped for its disk why, and what to do.
func fullMessage(why string) string {
	return fmt.Sprintf("It was stopped, because %s. Its files are kept. Start it again to remove what you no longer need: it has %s for that, and goes on when there is room. Or ask an administrator for a class with more disk.",
		why, problem.Length(diskGrace))
}

// forgetFull notes that a workspace has made room, if it was to and there is.
func (m *Manager) forgetFull(ctx context.Context, id identity.WorkspaceID) {
	m.mu.RLock()
	e := m.entries[id]
	full := e != nil && e.row.Full != nil && !slices.ContainsFunc(m.rooms, func(r Room) bool { return r.Low })
	m.mu.RUnlock()
	if !full {
		return
	}
	if _, err := m.Change(ctx, id, func(d *Details) { d.Full = nil }); err != nil {
		m.c.Log.Warn("that a workspace has made room could not be stored", "workspace", id, "error", err)
	}
}
