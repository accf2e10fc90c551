package workspace

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	spaceSlow   = time.Second            // how often free space is looked at while there is much of it
	spaceFast   = 100 * time.Millisecond // and where it may be gone soon
	spaceTight  = 4                      // times the reserve, below which it may be
	spaceCalm   = 10 * time.Second       // how often it is noted how things stand while all is well
	spaceForget = time.Minute            // how long what is gone is looked for
	spaceStep   = 1. / 8                 // of the reserve: what is less is no change
	spaceNext   = 3. / 4                 // of what is left, at which something is done again
	leastGrown  = 1 << 20                // bytes, and
	leastMade   = 256                    // files: who has not taken so much more is not stopped for it
	haltWithin  = 10 * time.Second
	weighWithin = 2 * time.Second // how long the watch waits to know what those had that were stopped
)

// pressure is what is remembered of one file system.
type pressure struct {
	free, freeFiles int64     // when things were calm, or since if that is more
	at              time.Time // then
	last            int64     // free when it was last looked at
	least           int64     // since it was last seen that room was made
	mark            float64   // the level at which something is done next
	none            time.Time // when nobody was found who fills it; zero: somebody was, or it is not full
	vain            int       // how many times in a row that was so
}

// relief keeps the reserve of file systems that workspaces' files lie on.
type relief struct {
	m       *Manager
	disk    Disk
	written map[identity.WorkspaceID]int64    // when things were calm
	builds  map[Build]measured                // likewise
	has     map[identity.WorkspaceID]measured // what those had that were looked at since and not found to fill it
	on      map[uint64]*pressure              // by device
	failed  bool
	low     bool
	kept    bool // the ballast
}

// keepSpace looks at the free space until ctx ends. Where it falls below the reserve, whoever fills the disk is stopped, and what the
// server needs is kept for it.
func (m *Manager) keepSpace(ctx context.Context, d Disk) {
	r := relief{m: m, disk: d, has: map[identity.WorkspaceID]measured{}, on: map[uint64]*pressure{}}
	for {
		pause := r.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// look does what is to be done now, and says when to look again.
func (r *relief) look(ctx context.Context) time.Duration {
	spaces, err := r.disk.Spaces(ctx)
	if err != nil {
		if !r.failed && ctx.Err() == nil {
			r.m.c.Log.Warn("how much of the disk is free is not known", "error", err)
		}
		r.failed = true
		return spaceSlow
	}
	r.failed = false
	rooms := r.note(spaces)
	pause := spaceSlow
	for i, room := range rooms {
		p := r.on[room.Device]
		if p == nil {
			p = &pressure{mark: 1, last: room.Free, least: room.Free}
			r.on[room.Device] = p
		}
		if room.level < spaceTight || p.last-room.Free > (room.Free-room.Reserve)/spaceTight {
			pause = spaceFast
		}
		p.least = min(p.least, room.Free)
		if float64(room.Free-p.least) > spaceStep*float64(room.Reserve) {
			p.least = room.Free
			r.m.sizeAgain(r.disk)
			clear(r.has)
		}
		p.last, p.free, p.freeFiles = room.Free, max(p.free, room.Free), max(p.freeFiles, room.FreeFiles)
		switch {
		case !room.Low:
			p.mark, p.none, p.vain = 1, time.Time{}, 0
			r.calm(ctx, room, p)
		case time.Since(p.none) < spaceSlow: // looking at all of them takes its time
		case room.Holds && room.level < p.mark:
			p.mark = room.level * spaceNext
			r.relieve(ctx, room, p)
		default:
			p.mark = max(p.mark, room.level*spaceNext)
		}
		if i == 0 && r.ballast(room, p) {
			pause = 0 // to see what that gave
		}
	}
	return pause
}

// note publishes how things stand; those that waited for room look again where there is some.
func (r *relief) note(spaces []Space) []Room {
	rooms := make([]Room, len(spaces))
	low := ""
	for i, s := range spaces {
		level, _ := r.m.c.Rules.level(s)
		rooms[i] = Room{Space: s, Reserve: r.m.c.Rules.reserve(s), Low: level < 1, level: level}
		if rooms[i].Low {
			low = s.Path
		}
	}
	r.m.mu.Lock()
	r.m.rooms = rooms
	if r.low && low == "" {
		r.m.moved()
	}
	r.m.mu.Unlock()
	switch {
	case low != "" && !r.low:
		r.m.c.Log.Error("a disk is nearly full: no workspace starts until there is room", "path", low)
	case low == "" && r.low:
		r.m.c.Log.Info("there is room on the disks again")
	}
	r.low = low != ""
	return rooms
}

// calm notes now and then how things stand while nothing changes fast.
func (r *relief) calm(ctx context.Context, room Room, p *pressure) {
	now := time.Now()
	since := now.Sub(p.at)
	falls := room.level < spaceTight && float64(p.free-room.Free) > spaceStep*float64(room.Reserve)
	if since < spaceCalm || falls && since < spaceForget {
		return
	}
	p.free, p.freeFiles, p.at = room.Free, room.FreeFiles, now
	if written, err := r.disk.Written(ctx); err == nil {
		r.written = written
	}
	if room.Holds {
		r.m.noteSizes()
	}
	if !r.low { // elsewhere
		clear(r.has)
	}
	r.noteBuilds(ctx)
}

// ballast gives the server room where it has none, and takes it back where there is enough. While whoever fills the disk may still be
// found, there is none for him to fill as well. It reports whether it gave some now.
func (r *relief) ballast(own Room, p *pressure) (dropped bool) {
	b := r.m.c.Ballast
	if b == nil {
		return false
	}
	var err error
	switch {
	case own.level >= 2 && !r.kept:
		err = b.Keep()
		r.kept = err == nil
	case own.level < 0.5 && (p.vain != 1 || time.Since(p.none) >= spaceSlow):
		dropped, err = b.Drop()
		r.kept = false
	}
	if err != nil {
		r.m.c.Log.Warn("room for the server itself is not kept", "error", err)
	}
	return dropped
}

// relieve stops who fills a file system. Files stay.
func (r *relief) relieve(ctx context.Context, room Room, p *pressure) {
	_, files := r.m.c.Rules.level(room.Space)
	lost, least := p.free-room.Free, int64(leastGrown)
	if files {
		lost, least = p.freeFiles-room.FreeFiles, leastMade
	}
	all := append(r.suspects(ctx, p.at), r.builders()...)
	grown := r.culprits(ctx, all, files, lost, least)
	for _, s := range grown {
		r.end(ctx, s, room, files)
	}
	if len(grown) > 0 {
		p.none, p.vain = time.Time{}, 0
		r.after(ctx, room, p, grown, files)
		return
	}
	p.free, p.freeFiles, p.at = room.Free, room.FreeFiles, time.Now()
	p.none, p.vain = time.Now(), p.vain+1
	r.m.c.Log.Error("a disk is nearly full, and no workspace is known to have filled it", "path", room.Path, "free", room.Free, "reserve", room.Reserve, "lost", lost, "files", files, "workspaces", len(all))
}

// end stops one.
func (r *relief) end(ctx context.Context, s suspect, room Room, files bool) {
	ctx, cancel := context.WithTimeout(ctx, haltWithin)
	defer cancel()
	what := "it grew by " + sizeOf(s.grown)
	if files {
		what = fmt.Sprintf("it made %d files more", s.grown)
	}
	if s.build != nil {
		r.endBuild(s, room, what)
		return
	}
	why := fmt.Sprintf("the disk of this machine is nearly full (%s are free), and %s or more since it was last measured", sizeOf(room.Free), what)
	if s.row.ID == "" {
		r.m.c.Log.Warn("what runs beside the workspaces is stopped at once", "id", s.id, "why", why)
		if err := r.m.c.Runtime.Stop(ctx, s.id); err != nil {
			r.m.c.Log.Error("it could not be stopped", "id", s.id, "error", err)
		}
		return
	}
	r.m.mu.Lock()
	if e := r.m.entries[s.id]; e != nil {
		e.row.Full, e.row.Message = &Full{s.use, r.m.c.Now()}, fullMessage(why)
		e.weighing = true
	}
	r.m.mu.Unlock()
	r.m.halt(ctx, s.row, why)
}
