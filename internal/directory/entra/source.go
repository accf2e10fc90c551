// Package entra keeps the directory as Microsoft Entra ID has it: everything once by delta query, then what changed,
// when a change notification rings and at every sweep.
//
// https://learn.microsoft.com/graph/delta-query-overview and /graph/change-notifications-overview.
package entra

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// DefaultSweep is how often deltas are read though nothing rang.
const DefaultSweep = 60 * time.Second

// wholeEvery is how often everything is read again, so that what a delta may miss does not stay wrong.
const wholeEvery = 24 * time.Hour

// Directory is what the source changes.
type Directory interface {
	Apply(ctx context.Context, c directory.Change, reason string) error
	Snapshot() *directory.Snapshot
	Cursors() map[string]string
}

// Config is what a Source needs.
type Config struct {
	Tenant   identity.TenantID
	ClientID string // the app registration's, which is also how our enterprise application is found
	// Credential is how the app proves itself; nil: by Secret, a client secret that is in no file.
	Credential *credential.App
	Secret     string
	TokenURL   string // of the v2.0 token endpoint
	Graph      string // base address, including /v1.0
	HTTP       *http.Client
	// NotificationURL is where Graph reaches Notifications; empty: nothing rings, the sweep finds changes.
	NotificationURL string
	Sweep           time.Duration // 0: DefaultSweep
	Timeout         time.Duration // of one request, its answer included; 0: a minute
	Directory       Directory
	// UsersOnly says that another source knows groups, memberships and app roles.
	UsersOnly bool
	// Watched, if set, names who has a sign-in: for them the tenant is asked at each sweep from when sign-ins count.
	Watched func() []identity.UserID
	// Pages, if set, keeps what was read of an interrupted reading, so that it goes on where it was after a restart.
	Pages directory.Pages
	// Learned, if set, is called before a change is applied with the moment at which the bytes arrived that told of
	// it: the notification, or, when none rang, the delta page.
	Learned func(at time.Time)
	// State, if set, makes the secret that a subscription's notifications carry; otherwise it is random. Elsewhere, if set,
	// is given the secret of a notification of a subscription that is not this source's: another replica's, perhaps.
	// It says whether it was one's; lifecycle, whether it is about the subscription and not about a change.
	State     func() string
	Elsewhere func(state string, lifecycle bool) bool
	// Ticket, if set, makes what shows that a subscription is being made; otherwise it is random. Ticketed, if set, says
	// whether another replica made it, lately.
	Ticket   func() string
	Ticketed func(ticket string) bool
	Pace     Pace // zero: what spares Graph's quota
	Log      *slog.Logger
}

// Source reads the tenant. Its methods are safe for concurrent use.
type Source struct {
	tenant        identity.TenantID
	clientID      string
	graph         *client
	directory     Directory
	learned       func(time.Time)
	elsewhere     func(state string, lifecycle bool) bool
	ticketed      func(ticket string) bool
	log           *slog.Logger
	sweep         time.Duration
	bell          *bell
	subscriptions *subscriptions
	bucket        *bucket
	door          *door
	figures       *figures
	kinds         kinds // that are read here
	pages         directory.Pages
	watched       func() []identity.UserID
	plain         atomic.Bool // Graph does not take signInSessionsValidFromDateTime in a delta

	ready     chan struct{}
	readyOnce sync.Once
	paces     [len(everyKind)]pace
	needs     chan struct{} // rung when something must be read whole

	// rereading is held while something is read whole; it guards what follows.
	rereading chan struct{}
	wholes    [len(everyKind)]*wholeRead // under way
	names     *names

	// reading is held while deltas are read and applied; it guards what follows.
	reading  chan struct{}
	readAt   map[kind]time.Time // when what is known of a kind was asked for
	assigned map[string]bool    // object IDs of the groups assigned to our application; nil: not read yet
	hidden   map[string]bool    // object IDs of users and groups seen soft-deleted; nil: not loaded yet
	need     kinds              // what must be read whole
	lost     kinds              // of that, where Graph does not go on from the cursor
	restart  [len(everyKind)]string
	blind    bool // the assignments may not be read; said once
	// watchedTo is where the next sweep goes on asking for those who have a sign-in.
	watchedTo string
}

// New returns a Source; Run makes it work.
func New(c Config) (*Source, error) {
	base, err := graphBase(c.Graph)
	if err != nil {
		return nil, err
	}
	s := &Source{
		tenant: c.Tenant, clientID: c.ClientID, directory: c.Directory, learned: c.Learned, log: c.Log, sweep: c.Sweep,
		bell: newBell(), door: newDoor(c.NotificationURL), ready: make(chan struct{}), reading: make(chan struct{}, 1),
		readAt: map[kind]time.Time{}, figures: &figures{},
		kinds: all, pages: c.Pages, watched: c.Watched, needs: make(chan struct{}, 1), rereading: make(chan struct{}, 1),
	}
	if c.UsersOnly {
		s.kinds = users.only()
	}
	s.graph = &client{base: base, http: withoutRedirects(c.HTTP), figures: s.figures, timeout: c.Timeout, app: newAppTokens(c, base)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.elsewhere = c.Elsewhere; s.elsewhere == nil {
		s.elsewhere = func(string, bool) bool { return false }
	}
	if s.ticketed = c.Ticketed; s.ticketed == nil {
		s.ticketed = func(string) bool { return false }
	}
	if c.Pace == (Pace{}) {
		c.Pace = defaultPace()
	}
	s.bucket = &bucket{pace: c.Pace}
	if s.learned == nil {
		s.learned = func(time.Time) {}
	}
	if s.sweep <= 0 {
		s.sweep = DefaultSweep
	}
	s.subscriptions = newSubscriptions(s.graph, c.NotificationURL, s.sweep, s.bell, s.door, s.log)
	s.subscriptions.kinds = s.kinds
	if c.State != nil {
		s.subscriptions.state = c.State
	}
	if c.Ticket != nil {
		s.subscriptions.ticket = c.Ticket
	}
	return s, nil
}

// Sweep is how often deltas are read though nothing rang.
func (s *Source) Sweep() time.Duration { return s.sweep }

// Ready is closed when the directory was read for the first time since the start.
func (s *Source) Ready() <-chan struct{} { return s.ready }

// Run reads until ctx ends, which is not an error. While Graph is out of reach it tries again, and the directory's
// age grows.
func (s *Source) Run(ctx context.Context) error {
	var parts sync.WaitGroup
	defer parts.Wait()
	if s.subscriptions.url != "" {
		parts.Go(func() { s.subscriptions.keep(ctx) })
	}
	parts.Go(func() { s.refresh(ctx) })
	s.listen(ctx)
	return nil
}

// echoes are the waits after which deltas are read again when a notification rang and nothing had changed: the
// delta may lag behind the notification.
var echoes = [...]time.Duration{200 * time.Millisecond, time.Second, 4 * time.Second, 15 * time.Second}

func (s *Source) listen(ctx context.Context) {
	state := health{log: s.log, down: "Graph cannot be read; the directory grows old", up: "Graph is read"}
	var retry backoff
	next, echo, swept := sweeping(), len(echoes), time.Now()
	for ctx.Err() == nil {
		done := next
		found, err := s.read(ctx, done)
		if err != nil || s.complete(ctx) { // otherwise it is not known yet whether it works
			state.note(ctx, err)
			s.noteHealth(ctx, err)
		}
		if err == nil && done.sweep {
			swept = time.Now()
		}
		if err != nil || found || done.sweep {
			echo = len(echoes)
		}
		wait := retry.after(err, time.Until(swept.Add(s.sweep)))
		next = sweeping()
		if echo < len(echoes) && echoes[echo] < wait {
			wait, next = echoes[echo], errand{what: done.what}
			echo++
		}
		select {
		case <-ctx.Done():
		case <-s.bell.rung:
			what, rung := s.bell.answer()
			next, echo = errand{what: what, rung: rung}, 0
		case <-time.After(wait):
		}
		next = s.admit(ctx, next)
	}
}

// refresh reads whole what must be, and everything from time to time. The pages are read beside the deltas, which do not
// wait.
func (s *Source) refresh(ctx context.Context) {
	state := health{log: s.log, down: "the directory cannot be read whole", up: "the directory was read whole", worked: true}
	var retry backoff
	for ctx.Err() == nil {
		err := s.reread(ctx)
		state.note(ctx, err)
		if err != nil || s.complete(ctx) {
			s.noteHealth(ctx, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.needs:
		case <-time.After(retry.after(err, time.Minute)):
			s.growOld(ctx)
		}
	}
}

// growOld has read whole what was not for so long that what a delta may have missed must not stay wrong.
func (s *Source) growOld(ctx context.Context) {
	if s.hold(ctx) != nil {
		return
	}
	defer s.release()
	for _, k := range everyKind {
		if at := s.wholeAt(k); !at.IsZero() && time.Since(at) >= wholeEvery {
			s.mustReadWhole(k, "")
		}
	}
}

// complete reports that nothing is left to be read whole.
func (s *Source) complete(ctx context.Context) bool {
	if s.hold(ctx) != nil {
		return false
	}
	defer s.release()
	return s.need == 0
}

// noteHealth shows in State whether reading works.
func (s *Source) noteHealth(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.figures.say(func(st *State) {
		switch {
		case err == nil:
			st.Problem, st.Failing = "", time.Time{}
		case st.Failing.IsZero():
			st.Failing = time.Now()
			fallthrough
		default:
			st.Problem = clipped(err)
		}
	})
}

// Ring makes the source read, as a notification does that came to another replica. One about the subscriptions makes it
// renew them besides.
func (s *Source) Ring(lifecycle bool) {
	now := time.Now()
	s.door.rang(now)
	if lifecycle {
		s.subscriptions.doubt("")
	}
	s.bell.ring(all, now)
}

// Sync reads now what changed, and whole what must be, and applies it.
func (s *Source) Sync(ctx context.Context) error {
	if _, err := s.read(ctx, errand{what: all, sweep: true, asks: asksInSync}); err != nil {
		return err
	}
	return s.reread(ctx)
}
