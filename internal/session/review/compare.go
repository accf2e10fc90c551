package review

import (
	"context"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// The audit log's names of what is reported.
const (
	EventUnseen   = "signin:unseen"   // the tenant signed somebody in to Lanyard, and nobody arrived
	EventUnlogged = "signin:unlogged" // somebody arrived, and the tenant's log knows nothing of it
	EventUnbegun  = "signin:unbegun"  // a sign-in is among Lanyard's that nobody was seen to begin
)

// What is said of them.
const (
	saysUnseen = "the tenant signed this person in to Lanyard's app registration, and no such sign-in arrived here: " +
		"the page may have been closed on the way, or somebody else uses Lanyard's credential"
	saysUnlogged = "this person signed in here just after proving who they are, and the tenant's log has no such sign-in"
	saysUnbegun  = "this sign-in is among Lanyard's, and nobody was seen to begin it: the database may have been written by somebody else"
)

// oneSignOn is how old somebody's proof may be at their arrival to be a sign-in of its own: an older one was for something
// else, and the tenant's log lists only sign-ins in which somebody was asked. An issue time, where the tenant sends no
// auth_time, is dated back by five minutes.
const oneSignOn = 10 * time.Minute

// before stands for the sign-in of an entry from before anything was remembered.
const before = "before"

// compare joins and reports.
func (w *Watcher) compare(ctx context.Context) error {
	now := w.c.Now()
	state, err := w.c.Rows.ReviewState(ctx)
	if err != nil || state.UsesFrom.IsZero() {
		return err
	}
	entries, remembered, err := w.c.Rows.Unsettled(ctx, now.Add(-firstRead), settled)
	if err != nil {
		return err
	}
	var joined []Logged
	var flags []audit.Event
	logged := map[string]bool{}
	for _, e := range entries {
		among, err := w.c.Rows.Candidates(ctx, e, near)
		if err != nil {
			return err
		}
		id, by, ok := Join(e, among)
		switch {
		case ok:
			e.Joined, e.JoinedBy = id, by
			logged[id] = true
		case e.At.Before(state.UsesFrom): // nothing is remembered of that time
			e.Joined, e.JoinedBy = before, NotListed
		case now.Sub(e.At) >= w.c.Pace.Unseen:
			e.Flagged = now
			flags = append(flags, audit.Event{Time: now, Action: EventUnseen, Outcome: audit.Alarm, Actor: "service:review", User: audit.PersonOf(e.User, e.Name),
				IP: e.IP, Reasons: []string{saysUnseen}, Detail: map[string]any{"at": e.At.UTC().Format(time.RFC3339), "entry": e.ID, "correlation": e.Correlation, "place": e.Place}})
		default:
			continue
		}
		joined = append(joined, e)
	}
	if err := w.report(ctx, joined, nil, flags); err != nil {
		return err
	}
	var done []Remembered
	flags = nil
	for _, r := range remembered {
		late := r.At.Add(w.c.Pace.Unlogged)
		if logged[r.ID] || state.Problem != "" || state.LogRead.Before(late) || r.At.Before(state.LogFrom) {
			continue
		}
		if id, found, err := w.c.Rows.SameSession(ctx, r); err != nil {
			return err
		} else if found {
			r.Logged, r.LoggedBy = id, BySession
		} else if r.Proved.Before(r.At.Add(-oneSignOn)) {
			r.LoggedBy = NotListed
		} else {
			r.Flagged = now
			flags = append(flags, flag(EventUnlogged, saysUnlogged, now, r))
		}
		done = append(done, r)
	}
	return w.report(ctx, nil, done, flags)
}

// report writes what is found into the audit log first: it is rather told twice than not at all.
func (w *Watcher) report(ctx context.Context, entries []Logged, remembered []Remembered, flags []audit.Event) error {
	if len(flags) > 0 {
		if err := w.c.Audit.Durable(ctx, flags...); err != nil {
			return err
		}
		w.c.Logger.Warn("sign-ins that the tenant's log and Lanyard's do not agree about", "found", len(flags), "see", "lanyard audit review")
	}
	if len(entries)+len(remembered) == 0 {
		return nil
	}
	return w.c.Rows.Settle(ctx, entries, remembered)
}

func flag(action, says string, now time.Time, r Remembered) audit.Event {
	return audit.Event{Time: now, Action: action, Outcome: audit.Alarm, Actor: "service:review", User: audit.PersonOf(r.User, r.Name), IP: r.IP,
		Reasons: []string{says}, Detail: map[string]any{"at": r.At.UTC().Format(time.RFC3339), "correlation": r.ID}}
}

// unbegun reports sign-ins that live and of which it is not remembered how they began. Those from before anything was
// remembered have no correlation ID.
func (w *Watcher) unbegun(ctx context.Context) error {
	now := w.c.Now()
	state, err := w.c.Rows.ReviewState(ctx)
	if err != nil || state.UsesFrom.IsZero() {
		return err
	}
	keys := map[string]int{}
	var ids []string
	live := w.c.Live()
	for i, s := range live {
		key := s.Correlation
		if key == "" {
			if s.Expires.Before(state.UsesFrom.Add(maxLife)) { // from before this was remembered, perhaps
				continue
			}
			key = string(s.ID)
		}
		keys[key] = i
		ids = append(ids, key, string(s.ID))
	}
	if len(ids) == 0 {
		return nil
	}
	known, err := w.c.Rows.IsRemembered(ctx, ids)
	if err != nil {
		return err
	}
	for key, i := range keys {
		s := live[i]
		if known[key] || known[string(s.ID)] {
			continue
		}
		r := Remembered{ID: string(s.ID), Kind: Unbegun, User: s.User, Name: s.Name, At: now, Proved: s.At, Strength: s.Strength, Contexts: s.Contexts,
			Guest: s.Guest, IP: s.IP, Device: Device(s.Agent), Flagged: now}
		if err := w.c.Audit.Durable(ctx, flag(EventUnbegun, saysUnbegun, now, r)); err != nil {
			return err
		}
		if _, err := w.c.Rows.Remember(ctx, r); err != nil {
			return fmt.Errorf("remember a sign-in: %w", err)
		}
	}
	return nil
}

// maxLife is longer than any sign-in lasts.
const maxLife = 31 * 24 * time.Hour
