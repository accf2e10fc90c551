package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

func (s *server) endLease(w http.ResponseWriter, r *http.Request) error {
	return s.revoked(w, r, api.Revoke{Kind: api.RevokeLease, ID: r.PathValue("id")})
}

func (s *server) revoke(w http.ResponseWriter, r *http.Request) error {
	var what api.Revoke
	if err := read(r, &what); err != nil {
		return err
	}
	return s.revoked(w, r, what)
}

// ending is what a revocation would end.
type ending struct {
	owner identity.UserID // whose it is: this decides who may
	grant *grant.Grant    // where it is one; the right to end it is another
	end   func(ctx context.Context, why string, by audit.Event) api.Revoked
}

// revoked ends what is named. What is not there is refused in the words for what one may not end.
func (s *server) revoked(w http.ResponseWriter, r *http.Request, what api.Revoke) error {
	if err := known(r); err != nil {
		return err
	}
	e, found, err := s.ending(what)
	if err != nil {
		return err
	}
	on := identity.Installation()
	if !e.owner.IsZero() {
		on = identity.Own(e.owner)
	}
	// Not by s.open: the lease of who ends their own sign-ins is cut too, and they shall get the answer all the same.
	action := identity.LeaseRevoke
	if e.grant != nil {
		action, on = identity.GrantRevoke, grantResource(e.grant.ID, e.owner, e.grant.Project)
		if me := web.PrincipalFrom(r.Context()).User; !me.IsZero() && e.grant.By == me { // what one gave one may take back
			on = identity.Own(me)
		}
	}
	ctx, lease, err := s.c.Access.Open(r.Context(), s.request(r, action, on), nil)
	notHere := problem.New(problem.NotFound, "There is no %s %s that you may end.", what.Kind, what.ID)
	switch {
	case problem.KindOf(err) == problem.Denied && err != nil:
		return notHere
	case err != nil:
		return err
	}
	defer lease.End()
	if !found {
		return notHere
	}
	by := s.event(r, string(action), on)
	by.Detail = map[string]any{"kind": what.Kind, "id": what.ID}
	done := e.end(ctx, s.ender(r), by)
	done.Kind, done.ID = what.Kind, what.ID
	done.Message = summary(done)
	return answer(w, http.StatusOK, done)
}

func (s *server) ending(what api.Revoke) (e ending, found bool, err error) {
	switch what.Kind {
	case api.RevokeUser:
		user, ok := s.userNamed(what.ID)
		return ending{user, nil, func(ctx context.Context, why string, by audit.Event) api.Revoked {
			before := s.c.Access.LeasesOf(user)
			d := s.c.Sessions.EndUser(ctx, user, why, by)
			return s.ended(ctx, d, before, by)
		}}, ok, nil
	case api.RevokeSession:
		if signIn := identity.SignInID(what.ID); strings.HasPrefix(what.ID, "i-") {
			return s.endingSignIn(signIn)
		}
		id := identity.SessionID(what.ID)
		row, _, ok := s.c.Access.Facts().Sessions.Session(id)
		if !ok {
			return e, false, nil
		}
		return ending{row.User, nil, func(ctx context.Context, why string, by audit.Event) api.Revoked {
			before := s.c.Access.LeasesOf(row.User)
			d := s.c.Sessions.EndSession(ctx, id, why, by)
			return s.ended(ctx, d, before, by)
		}}, true, nil
	case api.RevokeLease:
		id := identity.LeaseID(what.ID)
		for l := range s.c.Access.Leases {
			if l.ID != id {
				continue
			}
			return ending{l.Request.Principal.User, nil, func(ctx context.Context, why string, by audit.Event) api.Revoked {
				s.c.Access.Revoke(id, access.Reason{Code: access.Revoked, Text: why})
				return api.Revoked{Leases: cut([]*access.Lease{l}), Recorded: s.record(ctx, by)}
			}}, true, nil
		}
		if s.c.RevokeElsewhere == nil || !strings.HasPrefix(what.ID, "l-") {
			return e, false, nil
		}
		// It may be open at another replica. Whose it is is not known here, so it takes the right to end anybody's.
		return ending{end: func(ctx context.Context, _ string, by audit.Event) api.Revoked {
			return api.Revoked{Elsewhere: true, Recorded: s.c.RevokeElsewhere(ctx, id, by) == nil}
		}}, true, nil
	case api.RevokeGrant:
		g, ok := s.c.Grants.Set().Grant(identity.GrantID(what.ID))
		if !ok || !g.Live(s.c.Now()) {
			return e, false, nil
		}
		return ending{g.User, g, func(ctx context.Context, why string, by audit.Event) api.Revoked {
			before := s.c.Access.LeasesOf(g.User)
			d := s.c.Grants.Revoke(ctx, g.ID, why, by)
			return api.Revoked{Grants: d.Grants, Leases: cut(before), Recorded: !d.Unrecorded}
		}}, true, nil
	default:
		return e, false, problem.New(problem.Invalid, "kind must be user, session, lease or grant, not %q.", what.Kind)
	}
}

// endingSignIn ends a sign-in with all sessions below it.
func (s *server) endingSignIn(id identity.SignInID) (e ending, found bool, err error) {
	row, ok := s.c.Access.Facts().Sessions.SignIn(id)
	if !ok {
		return e, false, nil
	}
	return ending{row.User, nil, func(ctx context.Context, why string, by audit.Event) api.Revoked {
		before := s.c.Access.LeasesOf(row.User)
		d := s.c.Sessions.EndSignIn(ctx, id, why, by)
		return s.ended(ctx, d, before, by)
	}}, true, nil
}

// ended says what ended. Where something did, the event was stored with it; an order that ended nothing is one too.
func (s *server) ended(ctx context.Context, d session.Ended, before []*access.Lease, by audit.Event) api.Revoked {
	done := api.Revoked{Sessions: d.SignIns + d.Sessions, Leases: cut(before), Recorded: !d.Unrecorded}
	if done.Sessions == 0 {
		done.Recorded = s.record(ctx, by)
	}
	return done
}

// record writes down what has taken effect, and reports whether it is durable. What cannot be written now is kept.
func (s *server) record(ctx context.Context, by audit.Event) bool {
	if err := s.c.Audit.Durable(context.WithoutCancel(ctx), by); err != nil {
		s.c.Audit.Later(by)
		return false
	}
	return true
}

// cut counts the leases that were cut.
func cut(leases []*access.Lease) (n int) {
	for _, l := range leases {
		if !l.Reason().IsZero() {
			n++
		}
	}
	return n
}

// ender says who ends something, as the reason that the peer is told.
func (s *server) ender(r *http.Request) string {
	who := web.PrincipalFrom(r.Context())
	if who.Kind == identity.Operator {
		return "the operator ended this access"
	}
	return fmt.Sprintf("%s ended this access", userName(s.c.Access.Facts(), who.User))
}

func (s *server) userNamed(name string) (identity.UserID, bool) {
	f := s.c.Access.Facts()
	if user, ok := f.Directory.FindUser(name); ok {
		return user.ID, true
	}
	// Somebody who is no longer in the directory may still have sign-ins.
	for row := range f.Sessions.All {
		if row.User.String() == name || row.User.Object == name {
			return row.User, true
		}
	}
	return identity.UserID{}, false
}

func summary(d api.Revoked) string {
	text := plural(d.Leases, "open access was", "open accesses were") + " closed."
	switch d.Kind {
	case api.RevokeLease:
		if d.Elsewhere && d.Recorded {
			return "It is not open at this replica; the others close it where it is."
		}
		if d.Elsewhere {
			return "It is not open at this replica, and the others cannot be told now: the database cannot be written. Try again."
		}
	case api.RevokeGrant:
		text = plural(d.Grants, "grant", "grants") + " ended; " + text
	default:
		text = plural(d.Sessions, "sign-in or session", "sign-ins or sessions") + " ended; " + text
	}
	if !d.Recorded {
		text += " It is closed here, not yet recorded: the database cannot be written and is tried again."
	}
	return sentence(text)
}

func plural(n int, one, more string) string {
	switch n {
	case 0:
		return "no " + one
	case 1:
		return "1 " + one
	default:
		return fmt.Sprintf("%d %s", n, more)
	}
}
