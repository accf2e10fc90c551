package access

import (
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// alive checks what everybody's access rests on before any policy: the session and the sign-in above it, the account,
// and facts young enough to be believed.
type alive struct {
	open       bool // the access is open already: facts that grow old refuse new access before they close what is open
	anySession bool // the question is about the person, not about a session
}

// signedIn is the session that asks and its sign-in; nil where the question is about a person, or asked by none.
type signedIn struct {
	row    *session.Session
	signIn *session.SignIn
}

// of answers the denial, if there is one.
func (a alive) of(v *view, r Request) (as signedIn, denied Decision) {
	if !a.anySession {
		row, signIn, dead := v.session(r.Principal.Session)
		if dead != "" {
			return as, deny(SessionEnded, dead)
		}
		if row.User != v.user || signIn.User != v.user {
			return as, deny(SessionEnded, "the session belongs to somebody else")
		}
		as = signedIn{row, signIn}
	}
	u, ok := v.f.Directory.User(v.user)
	v.saw(v.user)
	if !ok {
		return as, deny(AccountGone, "the account is not in the directory")
	}
	if !u.Enabled {
		return as, deny(Disabled, "the account is disabled in the directory")
	}
	if u.Blocked {
		return as, deny(Disabled, "the account is disabled by the provisioning service")
	}
	if as.signIn != nil && as.signIn.Before(u.SignInsFrom) {
		return as, deny(SessionEnded, fmt.Sprintf("all sign-ins before %s were ended at the tenant; sign in again", u.SignInsFrom.Format(time.RFC3339)))
	}
	return as, a.fresh(v.f, v.now)
}

// fresh refuses on facts that are too old. It is asked for a decision that is remembered, too.
func (a alive) fresh(f *Facts, now time.Time) Decision {
	if denied := a.current(f); denied.Code != "" {
		return denied
	}
	bound := f.Bounds.Stale
	if a.open {
		bound = f.Bounds.Close
	}
	if age := now.Sub(f.Directory.AsOf()); age >= bound {
		return deny(StaleDirectory, fmt.Sprintf(
			"the directory was last read %s ago, longer than it may be relied on; this ends when it answers again",
			age.Round(time.Second)))
	}
	return a.current(f)
}

// delegation finds the grant by which an AI agent acts for its user. It lives as long as the session that gave it.
func (a alive) delegation(v *view, p identity.Principal) (*grant.Grant, Decision) {
	ended := deny(NotDelegated, fmt.Sprintf("the delegation to the AI agent %s has ended", p.Agent))
	g := v.grants(p.User).Grant(p.Delegation)
	if g == nil || g.Kind != grant.Delegation || g.Agent != p.Agent || !g.Live(v.now) {
		return nil, ended
	}
	row, _, dead := v.session(g.Session)
	if dead != "" {
		return nil, deny(NotDelegated, fmt.Sprintf("the delegation to the AI agent %s has ended with its session: %s", p.Agent, dead))
	}
	if row.User != p.User {
		return nil, ended
	}
	return g, Decision{}
}
