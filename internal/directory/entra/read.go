package entra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
)

// The wait for the store is bounded: what a change takes away is in force before, and the next notification must not
// wait for a disk. A whole directory takes longer to write.
const (
	applyWait = 500 * time.Millisecond
	wholeWait = time.Minute
)

const (
	reasonDelta    = "Microsoft Graph delta"
	reasonWhole    = "Microsoft Graph, read whole"
	reasonAssigned = "Microsoft Graph, assignments to Lanyard's enterprise application"
)

// cursor is the name under which a cursor is kept; another tenant's are not ours.
func (s *Source) cursor(name string) string { return "entra/" + string(s.tenant) + "/" + name }

// errand is a reason to read.
type errand struct {
	what  kinds
	sweep bool      // also what nothing rings for
	rung  time.Time // when the notification arrived that tells of the change; zero when none does
}

func sweeping() errand { return errand{what: all, sweep: true} }

// read reads what changed, or everything when there is nothing to go on from, and applies it. found says that there
// was something.
func (s *Source) read(ctx context.Context, e errand) (found bool, err error) {
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	cursors := s.directory.Cursors()
	if s.whole || cursors[s.cursor(groups.String())] == "" || cursors[s.cursor(users.String())] == "" {
		return true, s.replace(ctx)
	}
	var failed []error
	for _, k := range everyKind {
		if !e.what.has(k) {
			continue
		}
		some, err := s.readKind(ctx, k, cursors[s.cursor(k.String())], e.rung)
		if lost(err) {
			s.log.Info("Graph cannot go on from where we were; everything is read again", "of", k.String(), "why", err)
			return true, s.replace(ctx)
		}
		found = found || some
		failed = append(failed, err)
	}
	if e.sweep {
		failed = append(failed, s.sweepAssigned(ctx))
	}
	if err := errors.Join(failed...); err != nil {
		return found, err
	}
	if s.whole {
		return true, s.replace(ctx)
	}
	s.markReady()
	return found, nil
}

func lost(err error) bool {
	var failed *graphError
	return errors.Is(err, errForeignLink) || errors.As(err, &failed) && failed.lostState()
}

// markReady says that the directory was read, once both kinds were.
func (s *Source) markReady() {
	if len(s.readAt) == len(everyKind) {
		s.readyOnce.Do(func() { close(s.ready) })
	}
}

// readKind follows the delta of one kind and applies it at once, so that one kind's trouble does not hold up the other.
func (s *Source) readKind(ctx context.Context, k kind, link string, rung time.Time) (found bool, err error) {
	g := newGathering(s.tenant, s.directory.Snapshot(), s.assigned, s.hidden)
	asked := time.Now()
	next, arrived, err := s.follow(ctx, k, link, g)
	if err != nil {
		return false, err
	}
	s.readAt[k] = asked
	s.whole = s.whole || g.restored
	c := g.change()
	c.Cursors = map[string]string{s.cursor(k.String()): next}
	c.AsOf = s.asOf()
	if g.items > 0 {
		if rung.IsZero() {
			rung = arrived
		}
		s.learned(rung)
	}
	return g.items > 0, s.apply(ctx, c, reasonDelta, applyWait)
}

// asOf is when the older of the two kinds was asked for; zero before both were.
func (s *Source) asOf() time.Time {
	var oldest time.Time
	for _, k := range everyKind {
		at, read := s.readAt[k]
		if !read {
			return time.Time{}
		}
		if oldest.IsZero() || at.Before(oldest) {
			oldest = at
		}
	}
	return oldest
}

// apply hands a change to the directory. That it is not stored yet is no reason to read it again: the directory keeps
// it, and stores cursors no earlier than what they stand for.
func (s *Source) apply(ctx context.Context, c directory.Change, reason string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if err := s.directory.Apply(ctx, c, reason); err != nil && !errors.Is(err, directory.ErrPending) {
		return err
	}
	return nil
}

// follow reads pages from a link to the delta link at their end, and says when the first page arrived that had anything.
func (s *Source) follow(ctx context.Context, k kind, link string, g *gathering) (next string, arrived time.Time, err error) {
	for {
		var page deltaPage
		at, err := s.graph.get(ctx, link, &page)
		if err != nil {
			return "", arrived, fmt.Errorf("read the delta of %s: %w", k, err)
		}
		if arrived.IsZero() && len(page.Value) > 0 {
			arrived = at
		}
		for _, it := range page.Value {
			g.add(k, it)
		}
		switch {
		case page.DeltaLink != "":
			return page.DeltaLink, arrived, nil
		case page.NextLink == "" || page.NextLink == link:
			return "", arrived, fmt.Errorf("read the delta of %s: a page has no link to go on", k)
		}
		link = page.NextLink
	}
}

// wholeRead is everything, read from the beginning.
type wholeRead struct {
	*gathering
	links map[kind]string
	asked map[kind]time.Time
}

// readWhole reads everything beside the deltas and then swaps it in.
func (s *Source) readWhole(ctx context.Context) error {
	w, err := s.pages(ctx)
	if err != nil {
		return err
	}
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.swap(ctx, w)
}

// replace reads everything and swaps it in; reading is held. Until then the directory stays as it is.
func (s *Source) replace(ctx context.Context) error {
	w, err := s.pages(ctx)
	if err != nil {
		return err
	}
	return s.swap(ctx, w)
}

// pages reads both kinds from the beginning. It touches nothing that reading guards.
func (s *Source) pages(ctx context.Context) (wholeRead, error) {
	w := wholeRead{gathering: newGathering(s.tenant, directory.Empty(), nil, map[string]bool{}), links: map[kind]string{}, asked: map[kind]time.Time{}}
	w.reset = true
	for _, k := range everyKind {
		w.links[k] = s.graph.url(k.first())
	}
	return w, s.advance(ctx, w)
}

// advance reads on, of both kinds, from where a whole read is.
func (s *Source) advance(ctx context.Context, w wholeRead) error {
	for _, k := range everyKind {
		asked := time.Now()
		next, _, err := s.follow(ctx, k, w.links[k], w.gathering)
		if err != nil {
			return err
		}
		w.links[k], w.asked[k] = next, asked
	}
	return nil
}

// swap makes a whole read the directory, in one step; reading is held. What changed while the pages were read is
// read first, or the swap would undo what the deltas brought meanwhile.
func (s *Source) swap(ctx context.Context, w wholeRead) error {
	if err := s.advance(ctx, w); err != nil {
		return err
	}
	assigned, err := s.readAssigned(ctx)
	if err != nil {
		return err
	}
	w.assigned, s.assigned = assigned, assigned
	c := w.change()
	c.Cursors = map[string]string{s.cursor("whole"): time.Now().UTC().Format(time.RFC3339)}
	for _, k := range everyKind {
		c.Cursors[s.cursor(k.String())] = w.links[k]
	}
	maps.Copy(s.readAt, w.asked)
	c.AsOf = s.asOf()
	maps.DeleteFunc(s.hidden, func(id string, _ bool) bool { return w.names(id) })
	s.learned(time.Now())
	if err := s.apply(ctx, c, reasonWhole, wholeWait); err != nil {
		return err
	}
	s.whole = false
	s.markReady()
	return nil
}
