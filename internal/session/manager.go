package session

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Rows is the storage of sign-ins and sessions. Each Save writes rows, feed entry and audit events in one
// transaction: when it returns nil, all of them are durable; when it returns an error, none is.
type Rows interface {
	LoadSessions(context.Context) ([]SignIn, []Session, feed.Seq, error)
	SaveSessions(context.Context, []SignIn, []Session, feed.Entry, ...audit.Event) (feed.Seq, error)
	ReadSessions(ctx context.Context, ids []string) ([]SignIn, []Session, error)
	// SessionBySecret returns the session with a secret, its sign-in and what else hangs below that; nothing when there
	// is none.
	SessionBySecret(ctx context.Context, secret [32]byte) ([]SignIn, []Session, error)
	// NoteUse stores when sessions were last used. It is no change that anybody follows.
	NoteUse(context.Context, map[identity.SessionID]time.Time) error
}

// Config makes a Manager.
type Config struct {
	Rows Rows
	// Publish hands a new set to access, with the users it touches, and returns when their leases were decided
	// again.
	Publish  func(*Set, []identity.UserID, feed.Seq)
	Idle     time.Duration // a browser session unused for so long ends
	Lifetime time.Duration // of a sign-in, from its authentication
	// GuestLifetime is that of a guest's sign-in, where it is shorter; 0: the same. What becomes of the account at home the
	// tenant does not tell, so guests sign in again sooner.
	GuestLifetime time.Duration
	// Shared says that other processes make sessions on the same rows: one that is not known here is looked up.
	Shared bool
	// Reach returns when what other processes had committed before is known here, or with ctx's error. Wanted when Shared.
	Reach func(context.Context) error
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Manager begins and ends sign-ins and sessions. What ends access is published first and written when it can be;
// what gives access waits for the store.
type Manager struct {
	c       Config
	set     atomic.Pointer[Set]
	writing sync.Mutex // what gives access, one at a time; held while the store is waited for
	showing sync.Mutex // replacing the set and publishing it; never waits for the store

	using sync.RWMutex // the map alone; the times in it are atomic
	used  map[identity.SessionID]*atomic.Int64
	noted time.Time // up to when uses are stored; only Run touches it

	lookups lookups

	unsaved struct {
		sync.Mutex
		signIns  map[identity.SignInID]SignIn
		sessions map[identity.SessionID]Session
		events   []audit.Event
	}
}

// NewManager returns a manager with no sessions; Load fills it.
func NewManager(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &Manager{c: c, used: map[identity.SessionID]*atomic.Int64{}}
	m.unsaved.signIns = map[identity.SignInID]SignIn{}
	m.unsaved.sessions = map[identity.SessionID]Session{}
	m.set.Store(NewSet(nil, nil))
	return m
}

// Set is the sessions of now.
func (m *Manager) Set() *Set { return m.set.Load() }

// Load reads the sessions from the store and publishes them, at the start and when changes were missed.
func (m *Manager) Load(ctx context.Context) error {
	signIns, sessions, seq, err := m.c.Rows.LoadSessions(ctx)
	if err != nil {
		return fmt.Errorf("load sessions: %w", err)
	}
	m.showing.Lock()
	defer m.showing.Unlock()
	signIns, sessions = m.lasting(signIns, sessions) // an ending that is not recorded yet stands
	old, set := m.Set(), NewSet(signIns, sessions)
	m.set.Store(set)
	var users []identity.UserID
	for _, s := range []*Set{old, set} {
		for row := range s.All {
			users = append(users, row.User)
		}
	}
	m.c.Publish(set, users, seq)
	if m.c.Shared { // uses are stored as they are noted
		return nil
	}
	for i := range sessions { // last use is not stored each time: a restart counts as one
		m.Touch(sessions[i].ID)
	}
	return nil
}

// Begin stores a sign-in with its browser session and returns the session and the value of its cookie. Workspace
// sessions of the same user that hang below an ended sign-in are adopted; a step-up adopts all of them, since it is for
// what they do that people step up.
func (m *Manager) Begin(ctx context.Context, signIn SignIn, site string, event audit.Event) (Session, string, error) {
	return m.begin(ctx, signIn, site, len(signIn.Contexts) > 0, event)
}

// BeginAgain is Begin for who signed in again because they had to, to the tenant or to a project, so that what they have
// open can go on: all of their workspaces' sessions are adopted.
func (m *Manager) BeginAgain(ctx context.Context, signIn SignIn, site string, event audit.Event) (Session, string, error) {
	return m.begin(ctx, signIn, site, true, event)
}

// Expiry is when a sign-in ends by itself.
func (m *Manager) Expiry(signIn SignIn) time.Time { return signIn.At.Add(m.lifetime(signIn.Guest)) }

func (m *Manager) lifetime(guest bool) time.Duration {
	if guest && m.c.GuestLifetime > 0 {
		return min(m.c.Lifetime, m.c.GuestLifetime)
	}
	return m.c.Lifetime
}

func (m *Manager) begin(ctx context.Context, signIn SignIn, site string, adoptAll bool, event audit.Event) (Session, string, error) {
	now := m.c.Now()
	signIn.ID = identity.NewSignInID()
	signIn.Expires = m.Expiry(signIn)
	if !now.Before(signIn.Expires) {
		return Session{}, "", problem.New(problem.Denied,
			"Your sign-in at the tenant is older than %s, the longest that is accepted here. Sign out there and in again.", m.lifetime(signIn.Guest))
	}
	cookie, secret := newSecret()
	row := Session{
		ID: identity.NewSessionID(), SignIn: signIn.ID, User: signIn.User, Kind: Browser,
		Secret: secret, Site: site, Created: now, Used: now,
	}
	event.Session = row.ID

	m.writing.Lock()
	defer m.writing.Unlock()
	sessions := []Session{row}
	for _, old := range m.Set().SignInsOf(signIn.User) {
		if old.Ended.IsZero() && now.Before(old.Expires) && !adoptAll {
			continue
		}
		for _, s := range m.Set().Below(old.ID) {
			if s.Kind == Workspace && s.Ended.IsZero() {
				adopted := *s
				adopted.SignIn = signIn.ID
				sessions = append(sessions, adopted)
			}
		}
	}
	if err := m.give(ctx, []SignIn{signIn}, sessions, event); err != nil {
		return Session{}, "", err
	}
	return row, cookie, nil
}

// Handover makes the session of another site below a browser session, and the value of its cookie.
func (m *Manager) Handover(ctx context.Context, from identity.SessionID, site string, ws identity.WorkspaceID) (string, error) {
	now := m.c.Now()
	m.writing.Lock()
	defer m.writing.Unlock()
	parent, signIn, dead := m.Set().Live(from, now)
	if dead != "" {
		return "", problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	cookie, secret := newSecret()
	row := Session{
		ID: identity.NewSessionID(), SignIn: signIn.ID, Parent: parent.ID, User: parent.User, Kind: Site,
		Secret: secret, Site: site, Workspace: ws, Created: now, Used: now,
	}
	return cookie, m.give(ctx, nil, []Session{row})
}

// ForWorkspace makes a workspace's session, below the sign-in of the session that asks for the workspace.
func (m *Manager) ForWorkspace(ctx context.Context, from identity.SessionID, ws identity.WorkspaceID, p identity.ProjectID) (identity.SessionID, error) {
	now := m.c.Now()
	m.writing.Lock()
	defer m.writing.Unlock()
	_, signIn, dead := m.Set().Live(from, now)
	if dead != "" {
		return "", problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	row := Session{
		ID: identity.NewSessionID(), SignIn: signIn.ID, User: signIn.User, Kind: Workspace,
		Workspace: ws, Project: p, Created: now,
	}
	return row.ID, m.give(ctx, nil, []Session{row})
}

// Ensure returns a live session of a workspace: the one given if it lives, otherwise a new one below its owner's
// latest sign-in.
func (m *Manager) Ensure(ctx context.Context, id identity.SessionID, owner identity.UserID, ws identity.WorkspaceID, p identity.ProjectID) (identity.SessionID, error) {
	now := m.c.Now()
	m.writing.Lock()
	defer m.writing.Unlock()
	if _, _, dead := m.Set().Live(id, now); dead == "" {
		return id, nil
	}
	var latest *SignIn
	for _, row := range m.Set().SignInsOf(owner) {
		if row.Ended.IsZero() && now.Before(row.Expires) && (latest == nil || row.At.After(latest.At)) {
			latest = row
		}
	}
	if latest == nil {
		return "", problem.New(problem.SignInNeeded, "The workspace's owner has to sign in first.")
	}
	row := Session{ID: identity.NewSessionID(), SignIn: latest.ID, User: owner, Kind: Workspace, Workspace: ws, Project: p, Created: now}
	return row.ID, m.give(ctx, nil, []Session{row})
}

// Renew stores a sign-in's new refresh token, sealed.
func (m *Manager) Renew(ctx context.Context, id identity.SignInID, refresh []byte) error {
	m.writing.Lock()
	defer m.writing.Unlock()
	row, ok := m.Set().SignIn(id)
	if !ok || !row.Ended.IsZero() {
		return nil
	}
	renewed := *row
	renewed.Refresh = refresh
	return m.give(ctx, []SignIn{renewed}, nil)
}

// give stores first and publishes then: nobody has access that a restart would forget.
func (m *Manager) give(ctx context.Context, signIns []SignIn, sessions []Session, events ...audit.Event) error {
	seq, err := m.c.Rows.SaveSessions(ctx, signIns, sessions, entry(signIns, sessions), events...)
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can be let in. Try again in a moment.")
	}
	m.publish(signIns, sessions, seq)
	return nil
}

// Ended says what an ending ended.
type Ended struct {
	SignIns  int
	Sessions int
	// Unrecorded: closed here, but the store could not be written yet; it is tried again.
	Unrecorded bool
}

// saveWithin bounds how long an ending waits for the store; it is in force before, and tried again after.
const saveWithin = 10 * time.Second

// EndSignIn ends a sign-in and so all that hangs below.
func (m *Manager) EndSignIn(ctx context.Context, id identity.SignInID, why string, events ...audit.Event) Ended {
	return m.take(ctx, func(s *Set) (signIns []SignIn, sessions []Session) {
		if row, ok := s.SignIn(id); ok && row.Ended.IsZero() {
			signIns = append(signIns, m.ended(row, why))
		}
		return signIns, nil
	}, events...)
}

// EndUser ends all sign-ins of a user.
func (m *Manager) EndUser(ctx context.Context, u identity.UserID, why string, events ...audit.Event) Ended {
	return m.take(ctx, func(s *Set) (signIns []SignIn, sessions []Session) {
		for _, row := range s.SignInsOf(u) {
			if row.Ended.IsZero() {
				signIns = append(signIns, m.ended(row, why))
			}
		}
		return signIns, nil
	}, events...)
}

// EndBefore ends the sign-ins of a user that are older than a moment.
func (m *Manager) EndBefore(ctx context.Context, u identity.UserID, moment time.Time, why string, events ...audit.Event) Ended {
	return m.take(ctx, func(s *Set) (signIns []SignIn, sessions []Session) {
		for _, row := range s.SignInsOf(u) {
			if row.Ended.IsZero() && row.Before(moment) {
				signIns = append(signIns, m.ended(row, why))
			}
		}
		return signIns, nil
	}, events...)
}

// EndTenantSession ends the sign-ins of one of the tenant's own sessions (`sid`): the person signed out there.
func (m *Manager) EndTenantSession(ctx context.Context, sid, why string, events ...audit.Event) Ended {
	return m.take(ctx, func(s *Set) (signIns []SignIn, sessions []Session) {
		for row := range s.All {
			if sid != "" && row.TenantSession == sid && row.Ended.IsZero() {
				signIns = append(signIns, m.ended(row, why))
			}
		}
		return signIns, nil
	}, events...)
}

// EndSession ends one session. Of a browser session the site sessions that came from it end with it; of a workspace
// session only its access ends: its owner's next sign-in does not bring it back.
func (m *Manager) EndSession(ctx context.Context, id identity.SessionID, why string, events ...audit.Event) Ended {
	return m.take(ctx, func(s *Set) (signIns []SignIn, sessions []Session) {
		row, _, ok := s.Session(id)
		if !ok || !row.Ended.IsZero() {
			return nil, nil
		}
		ended := *row
		ended.Ended, ended.EndedWhy = m.c.Now(), why
		return nil, []Session{ended}
	}, events...)
}

func (m *Manager) ended(row *SignIn, why string) SignIn {
	ended := *row
	ended.Ended, ended.EndedWhy, ended.Refresh = m.c.Now(), why, nil
	return ended
}

// reachWithin bounds how long an ending waits for what other replicas did before it.
const reachWithin = 2 * time.Second

// take ends what is known here, and then what another replica had made before and this one had not heard of yet.
func (m *Manager) take(ctx context.Context, choose func(*Set) ([]SignIn, []Session), events ...audit.Event) Ended {
	done := m.takeKnown(ctx, choose, events...)
	if !m.c.Shared || done.Unrecorded {
		return done
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), reachWithin)
	defer cancel()
	if err := m.c.Reach(ctx); err != nil {
		m.c.Log.Error("what other replicas know of was perhaps not ended", "error", err)
		done.Unrecorded = true
		return done
	}
	more := m.takeKnown(ctx, choose, events...)
	return Ended{done.SignIns + more.SignIns, done.Sessions + more.Sessions, more.Unrecorded}
}

// takeKnown publishes first: access ends whether or not the store can be written, and also while a sign-in waits for it.
func (m *Manager) takeKnown(ctx context.Context, choose func(*Set) ([]SignIn, []Session), events ...audit.Event) Ended {
	m.showing.Lock()
	signIns, sessions := choose(m.Set())
	if len(signIns)+len(sessions) == 0 {
		m.showing.Unlock()
		return Ended{}
	}
	m.show(slices.Clone(signIns), slices.Clone(sessions), 0)
	m.showing.Unlock()
	done := Ended{SignIns: len(signIns), Sessions: len(sessions)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	if _, err := m.c.Rows.SaveSessions(ctx, signIns, sessions, entry(signIns, sessions), events...); err != nil {
		done.Unrecorded = true
		m.c.Log.Error("sessions were ended here but could not be recorded; trying again", "error", err)
		m.remember(signIns, sessions, events)
	}
	return done
}

func (m *Manager) publish(signIns []SignIn, sessions []Session, seq feed.Seq) {
	m.showing.Lock()
	defer m.showing.Unlock()
	signIns, sessions = m.lasting(slices.Clone(signIns), slices.Clone(sessions))
	m.show(signIns, sessions, seq)
}

// lasting keeps ended what ended here: rows that were made or read before that do not revive it, whether the store
// knows of the ending by now or not.
func (m *Manager) lasting(signIns []SignIn, sessions []Session) ([]SignIn, []Session) {
	set := m.Set()
	for i := range signIns {
		if old, ok := set.SignIn(signIns[i].ID); ok && !old.Ended.IsZero() {
			signIns[i].Ended, signIns[i].EndedWhy, signIns[i].Refresh = old.Ended, old.EndedWhy, nil
		}
	}
	for i := range sessions {
		if old, ok := set.sessions[sessions[i].ID]; ok && !old.Ended.IsZero() {
			sessions[i].Ended, sessions[i].EndedWhy = old.Ended, old.EndedWhy
		}
	}
	return signIns, sessions
}

// show replaces the set by one with these rows, which become its own.
func (m *Manager) show(signIns []SignIn, sessions []Session, seq feed.Seq) {
	set := m.Set().With(signIns, sessions)
	m.set.Store(set)
	users := make([]identity.UserID, 0, len(signIns)+len(sessions))
	for i := range signIns {
		users = append(users, signIns[i].User)
	}
	for i := range sessions {
		users = append(users, sessions[i].User)
	}
	m.c.Publish(set, users, seq)
}

func entry(signIns []SignIn, sessions []Session) feed.Entry {
	e := feed.Entry{Topic: feed.Sessions}
	for i := range signIns {
		e.Keys = append(e.Keys, string(signIns[i].ID))
	}
	for i := range sessions {
		e.Keys = append(e.Keys, string(sessions[i].ID))
	}
	return e
}

// Follow applies what another replica changed.
func (m *Manager) Follow(ctx context.Context, e feed.Entry) error {
	m.writing.Lock() // so that what is read is not older than what is given here meanwhile
	defer m.writing.Unlock()
	signIns, sessions, err := m.c.Rows.ReadSessions(ctx, e.Keys)
	if err != nil {
		return fmt.Errorf("read changed sessions: %w", err)
	}
	m.publish(signIns, sessions, e.Seq)
	return nil
}

// newSecret makes a cookie's value (256 random bits) and the hash of it that is stored.
func newSecret() (cookie string, secret [32]byte) {
	var b [32]byte
	rand.Read(b[:])
	cookie = base64.RawURLEncoding.EncodeToString(b[:])
	return cookie, HashSecret(cookie)
}

// HashSecret is what is stored of a cookie's value.
func HashSecret(cookie string) [32]byte { return sha256.Sum256([]byte(cookie)) }
