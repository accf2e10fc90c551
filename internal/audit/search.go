package audit

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Filter says which events are wanted. Zero fields do not restrict.
type Filter struct {
	Person    string // object ID
	Action    string
	Outcome   string
	Session   string
	Workspace string
	Project   string // name
	Resource  string // with or without its kind
	Since     time.Time
	Until     time.Time // excluded
	Oldest    bool      // the oldest first; otherwise the newest
	Cursor    string    // Next or Previous of another page of the same search
	Limit     int       // 0: pageSize
}

// Page is a part of what a search found, ordered by time and position.
type Page struct {
	Events   []Event
	Next     string // cursor of the page after this one, in the order asked for; empty at the end
	Previous string // cursor of what lies before this one, which may be empty by now, or again filled
	Size     int64  // of the log, those included
	Lag      int64  // events that were given and cannot be found yet, because the index follows
}

// Terms is a search as the index takes it. Zero fields do not restrict.
type Terms struct {
	Action, Outcome, Person, Session, Workspace, Project, Resource int64
	Since, Until                                                   time.Time
	Down                                                           bool // towards older events
	From                                                           *Mark
	Limit                                                          int
}

// Mark is a place in the order of time and position.
type Mark struct {
	At  time.Time
	Seq int64
}

// fits compares an event with what was asked for.
func (f Filter) fits(e Event) bool {
	same := func(want, have string) bool { return want == "" || want == have }
	person := ""
	if e.User != nil {
		person = e.User.Object
	}
	return same(f.Person, person) && same(f.Action, e.Action) && same(f.Outcome, string(e.Outcome)) &&
		same(f.Session, string(e.Session)) && same(f.Workspace, string(e.Workspace)) && same(f.Project, e.Project) &&
		same(resourceName(f.Resource), resourceName(e.Resource)) &&
		(f.Since.IsZero() || !e.Time.Before(f.Since)) && (f.Until.IsZero() || e.Time.Before(f.Until))
}

func (f Filter) terms() Terms {
	return Terms{
		Action: term("action", f.Action), Outcome: term("outcome", f.Outcome), Person: term("person", f.Person),
		Session: term("session", f.Session), Workspace: term("workspace", f.Workspace), Project: term("project", f.Project),
		Resource: term("resource", resourceName(f.Resource)), Since: f.Since, Until: f.Until, Down: !f.Oldest,
	}
}

// Search returns events that fit.
func (l *Log) Search(ctx context.Context, f Filter) (Page, error) { return Search(ctx, l.rows, f) }

// Search returns events that fit, from a database whose server need not run.
func Search(ctx context.Context, rows Reader, f Filter) (Page, error) {
	if f.Limit <= 0 {
		f.Limit = pageSize
	}
	sizes, err := rows.Sizes(ctx) // before the search, so that the lag is not told too small
	if err != nil {
		return Page{}, err
	}
	t := f.terms()
	if f.Cursor != "" {
		mark, down, err := parseCursor(f.Cursor)
		if err != nil {
			return Page{}, err
		}
		t.From, t.Down = &mark, down
	}
	along := t.Down == !f.Oldest // in the order asked for, not back from a later page
	t.Limit = f.Limit + 1
	leaves, err := rows.FindLeaves(ctx, t)
	if err != nil {
		return Page{}, err
	}
	more := len(leaves) > f.Limit
	leaves = leaves[:min(len(leaves), f.Limit)]
	page := Page{Events: make([]Event, 0, len(leaves)), Size: sizes.Given, Lag: max(0, sizes.Given-sizes.Indexed)}
	for _, leaf := range leaves {
		e, err := leaf.Event()
		if err != nil {
			return Page{}, err
		}
		if f.fits(e) {
			page.Events = append(page.Events, e.Shown())
		}
	}
	if !along {
		slices.Reverse(page.Events)
	}
	if len(leaves) > 0 {
		first, last, err := ends(leaves)
		if err != nil {
			return Page{}, err
		}
		if !along {
			first, last = last, first
		}
		if more || !along {
			page.Next = cursor(last, !f.Oldest)
		}
		if f.Cursor != "" && (more || along) {
			page.Previous = cursor(first, f.Oldest)
		}
	}
	return page, nil
}

// ends are the marks of the first and the last event.
func ends(leaves []Leaf) (first, last Mark, err error) {
	if first, err = markOf(leaves[0]); err != nil {
		return first, last, err
	}
	last, err = markOf(leaves[len(leaves)-1])
	return first, last, err
}

func markOf(l Leaf) (Mark, error) {
	e, err := Decode(l.Body)
	return Mark{e.Time, l.Seq}, err
}

// cursor is a place and a direction: "older than", or "newer than".
func cursor(m Mark, down bool) string {
	way := "n"
	if down {
		way = "o"
	}
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d %d", way, m.At.UnixMicro(), m.Seq))
}

// parseCursor is the inverse of cursor.
func parseCursor(s string) (m Mark, down bool, err error) {
	bad := problem.New(problem.Invalid, "The cursor is not one that this list gave.")
	text, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(text) > 64 {
		return m, false, bad
	}
	parts := strings.Split(string(text), " ")
	if len(parts) != 3 || parts[0] != "n" && parts[0] != "o" {
		return m, false, bad
	}
	at, errAt := strconv.ParseInt(parts[1], 10, 64)
	seq, errSeq := strconv.ParseInt(parts[2], 10, 64)
	m, down = Mark{time.UnixMicro(at).UTC(), seq}, parts[0] == "o"
	if errAt != nil || errSeq != nil || seq < 0 || cursor(m, down) != s { // one text for each place
		return Mark{}, false, bad
	}
	return m, down, nil
}

// scanned bounds how many events one call of After looks at.
const scanned = 5000

// After returns events after a position that fit, in the order of the log and without the index: for who follows it.
// next is the last position that was looked at.
func (l *Log) After(ctx context.Context, after int64, f Filter) (events []Event, next int64, err error) {
	if f.Limit <= 0 {
		f.Limit = pageSize
	}
	next = after
	for looked := 0; looked < scanned && len(events) < f.Limit; {
		leaves, err := l.rows.Leaves(ctx, next, pageSize)
		if err != nil {
			return nil, 0, err
		}
		for _, leaf := range leaves {
			if len(events) == f.Limit {
				break
			}
			e, err := leaf.Event()
			if err != nil {
				return nil, 0, err
			}
			if next = leaf.Seq; f.fits(e) {
				events = append(events, e.Shown())
			}
		}
		if looked += len(leaves); len(leaves) < pageSize {
			break
		}
	}
	return events, next, nil
}
