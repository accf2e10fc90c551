package review

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// countEvery is how often uses are counted at least; countAtOnce bounds how many portions of the log one round takes.
const (
	countEvery  = time.Minute
	countAtOnce = 20
)

// The details of an event of the audit log from which uses are counted.
const (
	DetailRole  = "role"  // the role that allowed it
	DetailVia   = "via"   // the object ID of the group that gave the role
	DetailGrant = "grant" // the grant without which it would have been refused
)

// Count counts the uses of rights that the audit log has since the last time.
func (w *Watcher) Count(ctx context.Context) error {
	state, err := w.c.Rows.ReviewState(ctx)
	if err != nil {
		return err
	}
	if state.UsesFrom.IsZero() { // what is before is not read: it does not say what was used
		page, err := w.c.Audit.Search(ctx, audit.Filter{Limit: 1})
		if err != nil {
			return err
		}
		return w.c.Rows.CountUses(ctx, nil, w.c.Now(), page.Size-1)
	}
	for range countAtOnce {
		events, next, err := w.c.Audit.After(ctx, state.Position, audit.Filter{Outcome: string(audit.Opened), Limit: 5000})
		if err != nil {
			return err
		}
		if next == state.Position {
			return nil
		}
		if err := w.c.Rows.CountUses(ctx, Uses(events), time.Time{}, next); err != nil {
			return err
		}
		state.Position = next
	}
	return nil
}

// Uses are what events say was used.
func Uses(events []audit.Event) []Use {
	type key struct {
		kind              UseKind
		project, role, id string
	}
	found := map[key]*Use{}
	add := func(k key, at time.Time) {
		u := found[k]
		if u == nil {
			u = &Use{Kind: k.kind, Project: k.project, Role: k.role, ID: k.id}
			found[k] = u
		}
		u.Times++
		if at.After(u.Last) {
			u.Last = at
		}
	}
	for _, e := range events {
		role, _ := e.Detail[DetailRole].(string)
		if via, _ := e.Detail[DetailVia].(string); via != "" && e.Project != "" {
			add(key{OfGroup, e.Project, role, via}, e.Time)
		}
		if grant, _ := e.Detail[DetailGrant].(string); grant != "" {
			add(key{kind: OfGrant, id: grant}, e.Time)
		}
	}
	uses := make([]Use, 0, len(found))
	for _, u := range found {
		uses = append(uses, *u)
	}
	return uses
}
