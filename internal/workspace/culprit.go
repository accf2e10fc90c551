package workspace

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	weighOne  = 2 * time.Second  // how long counting one workspace's files may keep from counting the next one's
	weighSlow = 20 * time.Second // how long all of those together get afterwards that took longer
)

// suspect is a workspace that may be filling the disk.
type suspect struct {
	row     Workspace // zero: a guest, or a build
	build   Build     // nil: it is none
	id      identity.WorkspaceID
	was     measured
	began   bool  // all that it has is new
	written int64 // since things were calm
	use     DiskUse
	grown   int64 // bytes, or files where those are short
	slow    bool  // use is what was counted until it took too long
}

// culprits are those who took what a file system lost since things were calm: whoever has grown by half of it, or else those with a part
// of it. Nobody is one for what they have, or have written, alone: their figures have to have changed. Where all that is known of
// together is no part of it, and nobody is being made ready, for whom the server itself writes, it is who cannot be counted.
func (r *relief) culprits(ctx context.Context, all []suspect, files bool, lost, least int64) []suspect {
	enough := max(lost/2, least)
	var grown, slow, hidden []suspect
	unknown := false // what one of them has
	for _, s := range all {
		err := r.weigh(ctx, &s, files, enough, weighOne)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			r.m.c.Log.Warn("what a workspace has on disk is not known", "workspace", s.id, "error", err)
			unknown = true
			continue
		case s.grown >= enough:
			return []suspect{s}
		case s.slow:
			slow = append(slow, s)
		case s.use.More || s.use.Hidden:
			hidden = append(hidden, s)
		}
		if s.grown >= least && !s.slow {
			grown = append(grown, s)
		}
		r.seen(s)
	}
	for until := time.Now().Add(weighSlow); len(slow) > 0; slow = slow[1:] {
		s := slow[0]
		err := r.weigh(ctx, &s, files, enough, time.Until(until)/time.Duration(len(slow)))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			unknown = true
			continue
		case s.grown >= enough:
			return []suspect{s}
		case s.slow || s.use.More || s.use.Hidden:
			hidden = append(hidden, s)
		}
		if s.grown >= least {
			grown = append(grown, s)
		}
		r.seen(s)
	}
	var sum int64
	for _, s := range grown {
		sum += s.grown
	}
	if sum >= max(lost/4, least) {
		slices.SortFunc(grown, func(a, b suspect) int { return cmp.Compare(b.grown, a.grown) })
		return slices.DeleteFunc(grown, func(s suspect) bool { return s.grown < min(grown[0].grown, lost/4) })
	}
	if len(hidden) == 0 || unknown || lost < 4*least || r.m.makesReady() {
		return nil
	}
	s := slices.MaxFunc(hidden, func(a, b suspect) int {
		return cmp.Or(cmp.Compare(a.written, b.written), cmp.Compare(a.use.Bytes, b.use.Bytes))
	})
	s.grown = lost - sum
	return []suspect{s}
}

// makesReady reports whether something is got for a workspace of this server, which takes room that is nobody's yet.
func (m *Manager) makesReady() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, e := range m.entries {
		if m.mine(e.row) && e.row.Desired == WantRunning && e.row.Phase != Running {
			return true
		}
	}
	return false
}

// seen remembers what one has, if that is all: if nobody is found now, who goes on is found by it the next time.
func (r *relief) seen(s suspect) {
	if s.build == nil && !s.slow && !s.use.More {
		r.has[s.id] = measured{use: s.use, at: time.Now()}
	}
}

// suspects are all that run or start, with what they had when things were calm; who has written most since comes first.
func (r *relief) suspects(ctx context.Context, calm time.Time) []suspect {
	written, err := r.disk.Written(ctx)
	if err != nil {
		r.m.c.Log.Warn("who writes is not known", "error", err)
	}
	since := func(id identity.WorkspaceID) int64 {
		now, was := r.m.writtenBy(id, written), r.m.writtenBy(id, r.written)
		if now < was { // it began anew
			return now
		}
		return now - was
	}
	var all []suspect
	r.m.mu.RLock()
	for id, e := range r.m.entries {
		if r.m.mine(e.row) && e.row.Desired == WantRunning && e.placed {
			began := e.row.Created.After(calm.Add(-spaceForget)) && e.row.Full == nil // else it is making room, and had more
			all = append(all, suspect{row: e.row, id: id, was: e.before, began: began})
		}
	}
	guests := slices.Collect(maps.Keys(r.m.guests))
	r.m.mu.RUnlock()
	for _, id := range guests {
		all = append(all, suspect{id: id})
	}
	for i := range all {
		s := &all[i]
		s.written = since(s.id)
		if has := r.has[s.id]; has.at.After(s.was.at) {
			s.was = has
		}
	}
	slices.SortFunc(all, func(a, b suspect) int { return cmp.Compare(b.written, a.written) })
	return all
}

// weigh finds how much one has grown, up to enough. No error is that it took too long: then it is not counted.
func (r *relief) weigh(ctx context.Context, s *suspect, files bool, enough int64, within time.Duration) (err error) {
	one, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	most := DiskUse{Bytes: s.was.use.Bytes + enough}
	if files {
		most = DiskUse{Files: s.was.use.Files + enough}
	}
	older := s.was.at.IsZero() && !s.began && s.build == nil // it had files before, and how many is not known
	if older {
		most = DiskUse{} // to know it the next time
	}
	if s.build != nil {
		s.use, err = s.build.Use(one)
	} else {
		s.use, err = r.m.diskUse(one, r.disk, s.id, most)
	}
	if err != nil && one.Err() == nil {
		return err
	}
	s.slow = err != nil
	s.grown = s.use.Bytes - s.was.use.Bytes
	if files {
		s.grown = s.use.Files - s.was.use.Files
	}
	if older {
		if s.grown = min(s.grown, s.written); files {
			s.grown = 0
		}
	}
	return nil
}
