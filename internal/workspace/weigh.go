package workspace

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// after notes how a file system stands after some were stopped for it: what they had until their end is known only now. If others
// took a part of it as well, they are looked for next.
func (r *relief) after(ctx context.Context, room Room, p *pressure, stopped []suspect, files bool) {
	taken, all := r.taken(ctx, stopped, files)
	now := room.Space
	if spaces, err := r.disk.Spaces(ctx); err == nil {
		for _, s := range spaces {
			if s.Device == room.Device {
				now = s
			}
		}
	}
	lost, left, least := p.free-room.Free, p.free-now.Free-taken, int64(leastGrown)
	if files {
		lost, left, least = p.freeFiles-room.FreeFiles, p.freeFiles-now.FreeFiles-taken, leastMade
	}
	p.free, p.freeFiles, p.at, p.last = now.Free, now.FreeFiles, time.Now(), now.Free
	level, _ := r.m.c.Rules.level(now)
	if !all || left < max(lost/4, least) {
		p.mark = min(p.mark, level*spaceNext)
		return
	}
	if p.mark = 1; files {
		p.freeFiles += left
	} else {
		p.free += left
	}
}

// taken is how much those that were stopped have grown until their end; all says that it is known of each. What waits for that no
// longer than weighWithin goes on by itself.
func (r *relief) taken(ctx context.Context, stopped []suspect, files bool) (sum int64, all bool) {
	ctx, cancel := context.WithTimeout(ctx, weighWithin)
	defer cancel()
	all = true
	for _, s := range stopped {
		if s.row.ID == "" {
			all = false
			continue
		}
		select {
		case use := <-r.m.weighHalted(r.disk, s.id):
			if files {
				sum += max(0, use.Files-s.was.use.Files)
			} else {
				sum += max(0, use.Bytes-s.was.use.Bytes)
			}
			all = all && use != DiskUse{}
		case <-ctx.Done():
			all = false
		}
	}
	return sum, all
}

// weighHalted measures the whole of a workspace that was halted: from there it is counted when it starts again, which it does not
// before. The channel gets what it has; nothing where that cannot be known.
func (m *Manager) weighHalted(d Disk, id identity.WorkspaceID) <-chan DiskUse {
	has := make(chan DiskUse, 1)
	m.work.Go(func() {
		began := time.Now()
		use, err := m.diskUse(m.running, d, id, DiskUse{})
		if err != nil {
			use = DiskUse{}
			m.c.Log.Warn("what a workspace has on disk is not known", "workspace", id, "error", err)
		}
		m.weighed(id, use, began)
		has <- use
		if err != nil || use == (DiskUse{}) {
			return
		}
		_, err = m.Change(m.running, id, func(d *Details) { d.Full = d.Full.of(use) })
		if err != nil && m.running.Err() == nil { // the disk is full: it is stored with that it was halted
			m.c.Log.Info("what a halted workspace has on disk is not stored yet", "workspace", id, "error", err)
		}
	})
	return has
}

// weighed notes what a halted workspace has since before its files were counted, and lets it start; nothing: that is not known.
func (m *Manager) weighed(id identity.WorkspaceID, use DiskUse, began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil {
		return
	}
	e.weighing, e.disk, e.before = false, measured{}, measured{}
	if use != (DiskUse{}) {
		e.disk = measured{use: use, at: began, took: time.Since(began)}
		e.before, e.row.Full = e.disk, e.row.Full.of(use)
	}
	m.moved()
}

// of is the same with what was measured since.
func (f *Full) of(use DiskUse) *Full {
	if f == nil {
		return nil
	}
	return &Full{use, f.Seen}
}

// noteSizes makes what is known that workspaces have on disk what they are found to have grown from.
func (m *Manager) noteSizes() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		e.before = e.disk
	}
}

// sizeAgain forgets what those have that are making room, since it was more than it is now, and measures them again.
func (m *Manager) sizeAgain(d Disk) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, e := range m.entries {
		if e.row.Full == nil {
			continue
		}
		e.disk, e.before, e.freed = measured{}, measured{}, time.Now()
		if !e.sizing {
			e.sizing = true
			m.work.Go(func() { m.size(id, d) })
		}
	}
}

// size measures a workspace until it made no room meanwhile.
func (m *Manager) size(id identity.WorkspaceID, d Disk) {
	for again := true; again; {
		began := time.Now()
		use, err := m.wholeUse(m.running, d, id)
		m.mu.Lock()
		e := m.entries[id]
		if again = e != nil && err == nil && e.freed.After(began); e != nil && !again {
			e.sizing = false
			if err == nil {
				e.disk = measured{use: use, at: began, took: time.Since(began)}
				e.before = e.disk
			}
		}
		m.mu.Unlock()
	}
}
