package entra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
)

// The wait for the store is bounded: what a change takes away is in force before, and the next notification must not
// wait for a disk. A whole directory takes longer to write.
const (
	applyWait = 500 * time.Millisecond
	wholeWait = 10 * time.Minute
)

const (
	reasonDelta    = "Microsoft Graph delta"
	reasonWhole    = "Microsoft Graph, read whole"
	reasonAssigned = "Microsoft Graph, assignments to Lanyard's enterprise application"
	reasonSignIns  = "Microsoft Graph, sign-ins ended"
)

// cursor is the name under which a cursor is kept; another tenant's are not ours.
func (s *Source) cursor(name string) string { return "entra/" + string(s.tenant) + "/" + name }

// errand is a reason to read.
type errand struct {
	what  kinds
	sweep bool      // also what nothing rings for
	asks  int       // requests that a sweep may take for those who have a sign-in
	rung  time.Time // when the notification arrived that tells of the change; zero when none does
}

func sweeping() errand { return errand{what: all, sweep: true, asks: asksAtMost} }

// hold takes what guards the reading of deltas; release gives it back.
func (s *Source) hold(ctx context.Context) error {
	select {
	case s.reading <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Source) release() { <-s.reading }

// read reads what changed and applies it. found says that there was something. Where there is nothing to go on from, it
// notes that everything must be read.
func (s *Source) read(ctx context.Context, e errand) (found bool, err error) {
	if err := s.hold(ctx); err != nil {
		return false, err
	}
	defer s.release()
	began := time.Now()
	cursors := s.directory.Cursors()
	if s.hidden == nil {
		s.hidden = binnedIn(cursors[s.cursor(binnedCursor)])
	}
	if s.returnedAt().After(s.wholeAt(groups)) {
		s.mustReadWhole(groups, "")
	}
	var failed []error
	var unread kinds // with nothing to go on from
	for _, k := range everyKind {
		if !s.kinds.has(k) {
			continue
		}
		if s.lost.has(k) || !s.goesOn(k, cursors) {
			unread |= k.only()
			s.mustReadWhole(k, "")
			continue
		}
		if !e.what.has(k) {
			continue
		}
		some, err := s.readKind(ctx, k, cursors[s.cursor(k.String())], e.rung)
		if lost(err) {
			s.log.Info("Graph cannot go on from where we were; everything is read again", "of", k.String(), "why", err)
			s.lost |= k.only()
			unread |= k.only()
			s.mustReadWhole(k, s.restartAt(k, err))
			continue
		}
		found = found || some
		failed = append(failed, err)
	}
	if e.sweep && s.kinds.has(groups) && !unread.has(groups) {
		failed = append(failed, s.sweepAssignments(ctx))
	}
	if e.sweep && !unread.has(users) {
		failed = append(failed, s.sweepSignIns(ctx, e.asks))
	}
	if err := errors.Join(failed...); err != nil {
		return found, err
	}
	if unread == 0 {
		s.markReady()
		if e.sweep {
			s.figures.say(func(st *State) { st.Read = began })
		}
	}
	return found, nil
}

// goesOn reports that there is a link to go on from, and that what it was made for is what is read now.
func (s *Source) goesOn(k kind, cursors map[string]string) bool {
	selected := cursors[s.cursor(k.String()+"/selected")]
	return cursors[s.cursor(k.String())] != "" && (selected == k.selected(true) || selected == k.selected(false))
}

func lost(err error) bool {
	var failed *graphError
	return errors.Is(err, errForeignLink) || errors.As(err, &failed) && failed.lostState()
}

// markReady says that the directory was read, once all kinds were.
func (s *Source) markReady() {
	for _, k := range everyKind {
		if _, read := s.readAt[k]; s.kinds.has(k) && !read {
			return
		}
	}
	s.readyOnce.Do(func() { close(s.ready) })
}

// readKind follows the delta of one kind and applies it at once, so that one kind's trouble does not hold up the other.
func (s *Source) readKind(ctx context.Context, k kind, link string, rung time.Time) (found bool, err error) {
	g := newGathering(s.tenant, s.directory.Snapshot(), s.assigned, maps.Clone(s.hidden))
	g.readAt = s.wholeAt(k)
	asked := time.Now()
	next, arrived, err := s.follow(ctx, k, link, g)
	if err != nil {
		return false, err
	}
	s.paces[k].worked()
	s.readAt[k] = asked
	c := g.change()
	c.Cursors = map[string]string{s.cursor(k.String()): next}
	if !maps.Equal(s.hidden, g.hidden) {
		s.hidden = g.hidden
		c.Cursors[s.cursor(binnedCursor)] = binnedList(s.hidden)
	}
	if g.restored {
		s.mustReadGroups(&c)
	}
	c.AsOf = s.asOf()
	if g.items > 0 {
		if rung.IsZero() {
			rung = arrived
		}
		s.learned(rung)
	}
	return g.items > 0, s.apply(ctx, c, reasonDelta, applyWait)
}

// asOf is when the kind that is longest unread was asked for; zero before all were.
func (s *Source) asOf() time.Time {
	var oldest time.Time
	for _, k := range everyKind {
		if !s.kinds.has(k) {
			continue
		}
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
	for range pagesAtMost {
		page, at, err := s.page(ctx, k, link)
		if err != nil {
			return "", arrived, err
		}
		if arrived.IsZero() && len(page.Items) > 0 {
			arrived = at
		}
		g.page(k, page.Items)
		if page.DeltaLink != "" {
			return page.DeltaLink, arrived, nil
		}
		link = page.NextLink
	}
	return "", arrived, fmt.Errorf("read the delta of %s: %w", k, errEndless)
}

// page reads one page; it has a link to go on with.
func (s *Source) page(ctx context.Context, k kind, link string) (*deltaPage, time.Time, error) {
	page := &deltaPage{}
	at, err := s.graph.ask(ctx, http.MethodGet, link, nil, func(r io.Reader) error { return page.read(r) })
	switch {
	case err != nil:
	case page.DeltaLink == "" && (page.NextLink == "" || page.NextLink == link):
		err = errors.New("a page has no link to go on")
	case page.DeltaLink != "" && s.graph.own(page.DeltaLink) != nil || page.DeltaLink == "" && s.graph.own(page.NextLink) != nil:
		err = errForeignLink
	}
	if err != nil {
		return nil, at, fmt.Errorf("read the delta of %s: %w", k, err)
	}
	return page, at, nil
}

// clipped is an error's text for who looks what is wrong.
func clipped(err error) string {
	const most = 500
	text := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
