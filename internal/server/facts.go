package server

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/apiserver"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// makeFacts makes the facts and those who keep them: directory, sessions, projects and policies. All of them publish
// into one engine.
func (s *Server) makeFacts(ctx context.Context) error {
	o := s.options
	shipped, err := policy.Parse(policy.Source{Tenant: o.Tenant.ID})
	if err != nil {
		return err
	}
	s.engine = access.New(access.Config{
		Facts: access.Facts{
			Directory: directory.Empty(), Projects: project.Empty(), Policies: shipped, Sessions: session.NewSet(nil, nil),
			Bounds: access.Bounds{Stale: o.Stale, Close: o.Close}, Pages: o.URL, Replica: access.Replica{Behind: s.behind},
		},
		Audit: s.audit, Log: s.log, Opened: decided,
		StepUp: func(r access.Request, authContext string) string { return s.signin.Offer(r, authContext) },
		Class:  s.className,
	})
	s.left = &departures{wake: make(chan struct{}, 1), users: map[identity.UserID]struct{}{}, end: s.depart}
	s.sessions = session.NewManager(session.Config{
		Rows: s.store, Idle: o.Idle, Lifetime: o.Lifetime, GuestLifetime: o.Guests.Lifetime, Shared: s.shared(), Log: s.log,
		Reach: func(ctx context.Context) error { return s.follower.Load().Reach(ctx) },
		Publish: func(set *session.Set, users []identity.UserID, seq feed.Seq) {
			s.engine.Publish(func(f access.Facts) access.Facts {
				f.Sessions = set
				return later(f, seq)
			}, access.Touched{Users: users})
		},
	})
	if s.alarms, err = newAlarms(o.Alarms, s.log); err != nil {
		return err
	}
	s.grants = grant.NewManager(grant.Config{
		Rows: s.store, Alarm: s.raiseAlarm, Log: s.log,
		Publish: func(set *grant.Set, users []identity.UserID, seq feed.Seq) {
			s.engine.Publish(func(f access.Facts) access.Facts {
				f.Grants = set
				return later(f, seq)
			}, access.Touched{Users: users})
		},
	})
	if err := s.grants.Load(ctx); err != nil {
		return err
	}
	s.identifier = session.Identifier{Sessions: s.sessions}
	if err := s.sessions.Load(ctx); err != nil {
		return err
	}
	s.projects = newConfiguration(s)
	s.directory = directory.New(directory.Config{Rows: s.store.Fenced(s.replica.lead.Held), Publish: s.publishDirectory, Log: s.log})
	if err := s.directory.Load(ctx); err != nil {
		return err
	}
	if err := s.makeProvisioning(ctx); err != nil {
		return err
	}
	if err := s.projects.load(ctx); err != nil {
		return err
	}
	source, err := s.newSource()
	if err != nil {
		return err
	}
	s.graph.Store(source)
	if err := s.makeSignedIn(); err != nil {
		return err
	}
	s.signin = signin.New(signin.Config{
		Tenant: o.Tenant, URL: o.URL, HTTP: o.HTTP, Sessions: s.sessions, Identify: s.identifier, Access: s.engine,
		Facts: s.engine.Facts, Once: s.store, Sealer: s.sealer, Audit: s.audit, Memory: s.store, SiteOf: s.siteOf, Log: s.log,
		FormPost: o.FormPost, NoGuests: o.Guests.Refused,
		Allow:   (&perMinute{most: o.SignIns}).allow,
		Unknown: func(identity.UserID) { go s.readDirectory() }, Seen: s.seen(),
		Grants: s.grants, StepUpLasts: o.StepUp,
		Page:       func(w http.ResponseWriter, status int, page signin.StepUpPage) { s.pages.StepUp(w, status, page) },
		TrialBegin: func(w http.ResponseWriter, page signin.TrialBegin) { s.pages.BeginSignInTest(w, page) },
		TrialPage: func(w http.ResponseWriter, t signin.Trial) {
			s.pages.SignInTest(w, apiserver.SignInTest(s.engine.Facts(), s.members(), t))
		},
	})
	s.makeUpstream()
	return nil
}

// later keeps the highest feed number that the facts contain.
func later(f access.Facts, seq feed.Seq) access.Facts {
	f.Seq = max(f.Seq, seq)
	return f
}

// publishDirectory is called with every new snapshot of the directory. What rests on the touched users is decided
// again when it returns; what follows from somebody's leaving beyond that is done in its own time.
func (s *Server) publishDirectory(snapshot *directory.Snapshot, t directory.Touched, seq feed.Seq) {
	s.binding.Lock()
	defer s.binding.Unlock()
	// A group that was renamed or is gone may void the role that a project gives it by name, for everybody.
	old := s.engine.Facts()
	projects, rebound := old.Projects, false
	if !snapshot.SameGroups(old.Directory) { // else every name means what it meant
		projects, rebound = projects.Rebind(groups{snapshot})
	}
	s.engine.Publish(func(f access.Facts) access.Facts {
		f.Directory = snapshot
		if rebound {
			f.Projects = projects
		}
		return later(f, seq)
	}, access.Touched{All: t.All || rebound, Users: t.Users})
	gone := func(u identity.UserID) bool {
		row, ok := snapshot.User(u)
		return !ok || !row.Active() || s.signedInBefore(u, row.SignInsFrom)
	}
	if t.All {
		for row := range s.sessions.Set().All {
			if row.Ended.IsZero() && gone(row.User) {
				s.left.add(row.User)
			}
		}
		return
	}
	for _, u := range t.Users {
		if gone(u) {
			s.left.add(u)
		}
	}
}

// depart ends what somebody left behind whose account is disabled or gone: their sign-ins, and their workspaces'
// processes. Nothing of theirs is deleted.
func (s *Server) depart(ctx context.Context, u identity.UserID) {
	if row, ok := s.engine.Facts().Directory.User(u); ok && row.Active() { // back already, or never away
		s.endedAtTenant(ctx, u, row.SignInsFrom)
		return
	}
	const why = "the account was disabled or removed in the directory"
	s.sessions.EndUser(ctx, u, why)
	s.grants.RevokeAll(ctx, u, why, audit.Event{Time: time.Now(), Actor: "service:directory", User: audit.PersonOf(u, "")})
	s.workspaces.StopOf(ctx, u, why)
}

// departures is the queue of people who left.
type departures struct {
	mu    sync.Mutex
	users map[identity.UserID]struct{}
	wake  chan struct{}
	end   func(context.Context, identity.UserID)
}

func (d *departures) add(u identity.UserID) {
	d.mu.Lock()
	d.users[u] = struct{}{}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

func (d *departures) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.wake:
		}
		d.mu.Lock()
		users := d.users
		d.users = map[identity.UserID]struct{}{}
		d.mu.Unlock()
		for u := range users {
			d.end(ctx, u)
		}
	}
}
