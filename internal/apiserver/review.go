package apiserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Reviews is what is known of sign-ins beyond the sessions that live, and of what was used.
type Reviews interface {
	RememberedSince(ctx context.Context, since, until time.Time) ([]review.Remembered, error)
	LoggedSince(ctx context.Context, since, until time.Time) ([]review.Logged, error)
	UsesSince(ctx context.Context, since time.Time) ([]review.Use, error)
	GrantsSince(ctx context.Context, since time.Time) ([]grant.Grant, error)
	ReviewState(ctx context.Context) (review.State, error)
	NewSignIns(ctx context.Context, u identity.UserID, since time.Time) ([]review.Remembered, error)
	KnowSignIn(ctx context.Context, u identity.UserID, id string) (found bool, err error)
}

const (
	week      = 7 * 24 * time.Hour
	newShown  = week // a sign-in from a new place or device is shown for so long
	reviewers = 2000 // people that a review names
)

func (s *server) reviewEndpoints() []endpoint {
	return []endpoint{
		{method: http.MethodGet, path: "/audit/review", access: web.Needs(identity.AuditRead), serve: s.review, out: api.Review{},
			says: "Who signed in, from where and how strongly, whether the tenant's own log agrees, and which groups and grants nobody used",
			query: []param{{"since", "From this time on, RFC 3339; seven days before until when absent, 90 days at most"},
				{"until", "Before this time, RFC 3339; now when absent"}}},
		{method: http.MethodGet, path: "/sign-ins/new", access: web.Needs(identity.SelfView), on: ownThings, serve: s.newSignIns, out: api.Page[api.NewSignIn]{},
			says: "One's own sign-ins of the last seven days from a new place or device"},
		{method: http.MethodPost, path: "/sign-ins/new/{id}", access: web.Needs(identity.SelfView), on: ownThings, serve: s.knowSignIn, status: http.StatusNoContent,
			says: "Says, from a session that was there before it, that such a sign-in was one's own, so that it is not shown any more"},
	}
}

func (s *server) newSignIns(w http.ResponseWriter, r *http.Request) error {
	who := web.PrincipalFrom(r.Context())
	rows, err := s.c.Reviews.NewSignIns(r.Context(), who.User, s.c.Now().Add(-newShown))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read now.")
	}
	page := api.Page[api.NewSignIn]{Items: []api.NewSignIn{}}
	for _, x := range rows {
		page.Items = append(page.Items, api.NewSignIn{ID: x.ID, At: x.At, IP: x.IP, Device: x.Device, NewPlace: x.NewPlace, NewDevice: x.NewDevice, MayConfirm: s.mayConfirm(who, x)})
	}
	return answer(w, http.StatusOK, page)
}

// mayConfirm reports whether who asks may say that a sign-in was their own. Whoever stole an account would say so of theirs,
// from it or from a later one: only a session that was there before it may. A workspace's, which outlives the sign-in that
// it was made in, may not.
func (s *server) mayConfirm(who identity.Principal, x review.Remembered) bool {
	row, signIn, ok := s.c.Access.Facts().Sessions.Session(who.Session)
	return ok && row.Kind != session.Workspace && row.Workspace == "" && signIn.Correlation != x.ID && row.Created.Before(x.At)
}

func (s *server) knowSignIn(w http.ResponseWriter, r *http.Request) error {
	who := web.PrincipalFrom(r.Context())
	rows, err := s.c.Reviews.NewSignIns(r.Context(), who.User, s.c.Now().Add(-newShown))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read now.")
	}
	at := slices.IndexFunc(rows, func(x review.Remembered) bool { return x.ID == r.PathValue("id") })
	if at < 0 {
		return problem.New(problem.NotFound, "There is no such sign-in of yours.")
	}
	if !s.mayConfirm(who, rows[at]) {
		return problem.New(problem.Denied, "This sign-in can be confirmed only from where you were signed in before it. If it was not you, end all your sign-ins.")
	}
	found, err := s.c.Reviews.KnowSignIn(r.Context(), who.User, r.PathValue("id"))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Try again in a moment.")
	}
	if !found {
		return problem.New(problem.NotFound, "There is no such sign-in of yours.")
	}
	e := s.event(r, "signin:known", identity.Own(who.User))
	e.Outcome, e.Detail = audit.Done, map[string]any{"correlation": r.PathValue("id")}
	if err := s.c.Audit.Durable(r.Context(), e); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// reviewed is all that a review is made of.
type reviewed struct {
	since, until time.Time
	state        review.State
	remembered   []review.Remembered
	logged       []review.Logged
	uses         []review.Use
	grants       []grant.Grant
}

// review answers a review of a time.
func (s *server) review(w http.ResponseWriter, r *http.Request) error {
	x, err := s.period(r)
	if err != nil {
		return err
	}
	rows, ctx := s.c.Reviews, r.Context()
	for _, read := range []func() error{
		func() (err error) { x.state, err = rows.ReviewState(ctx); return err },
		func() (err error) { x.remembered, err = rows.RememberedSince(ctx, x.since, x.until); return err },
		func() (err error) { x.logged, err = rows.LoggedSince(ctx, x.since, x.until); return err },
		func() (err error) { x.uses, err = rows.UsesSince(ctx, x.since); return err },
		func() (err error) { x.grants, err = rows.GrantsSince(ctx, x.since); return err },
	} {
		if err := read(); err != nil {
			return problem.Wrap(err, problem.Unavailable, "The database cannot be read now.")
		}
	}
	return answer(w, http.StatusOK, s.assemble(x))
}

// period is the time that a review is about.
func (s *server) period(r *http.Request) (x reviewed, err error) {
	f, err := auditFilter(r)
	if err != nil {
		return x, err
	}
	now := s.c.Now()
	x.since, x.until = f.Since, f.Until
	if x.until.IsZero() || x.until.After(now) {
		x.until = now
	}
	if x.since.IsZero() {
		x.since = x.until.Add(-week)
	}
	if !x.since.Before(x.until) || x.until.Sub(x.since) > review.Retention {
		return x, problem.New(problem.Invalid, "A review is about a time that begins before it ends, of 90 days at most.")
	}
	return x, nil
}

func (s *server) assemble(x reviewed) api.Review {
	out := api.Review{
		Since: x.since, Until: x.until, CountedFrom: x.state.UsesFrom,
		Log: api.ReviewLog{From: x.state.LogFrom, Read: x.state.LogRead, Problem: x.state.Problem, Entries: len(x.logged), JoinedBy: map[string]int{},
			Compared: x.state.Problem == "" && !x.state.LogFrom.IsZero() && !x.state.LogFrom.After(x.since.Add(time.Minute))},
		Findings: s.reviewFindings(x), Refused: refusals(x.logged), Groups: s.reviewGroups(x), Grants: s.reviewGrants(x),
	}
	for _, e := range x.logged {
		if e.Joined != "" && e.JoinedBy != review.NotListed {
			out.Log.Joined++
			out.Log.JoinedBy[string(e.JoinedBy)]++
		}
	}
	out.People = s.reviewPeople(x, out.Findings)
	if len(out.People) > reviewers {
		out.More = len(out.People) - reviewers
		out.People = out.People[:reviewers]
	}
	return out
}

// reviewFindings are what is in one place only. A sign-in whose entry came after it was reported is none any more.
func (s *server) reviewFindings(x reviewed) []api.ReviewFinding {
	list := []api.ReviewFinding{}
	for _, e := range x.logged {
		if e.Flagged.IsZero() || e.Joined != "" {
			continue
		}
		list = append(list, api.ReviewFinding{
			Kind: api.ReviewUnseen, At: e.At, Found: e.Flagged, User: e.User.String(), UserName: cmp.Or(e.Name, e.User.String()), IP: e.IP, Place: e.Place,
			Device: e.Device, Correlation: e.Correlation, Entry: e.ID,
			Says: "The tenant signed this person in to Lanyard, and no such sign-in arrived here.",
			Do: "Ask the person: they may have closed the page on the way. If it was not them, or it repeats, somebody else may use Lanyard's app registration: " +
				"change its credential, and end the person's sign-ins at the tenant.",
		})
	}
	for _, r := range x.remembered {
		if r.Flagged.IsZero() || r.Logged != "" {
			continue
		}
		f := api.ReviewFinding{
			Kind: api.ReviewUnlogged, At: r.At, Found: r.Flagged, User: r.User.String(), UserName: cmp.Or(r.Name, r.User.String()), IP: r.IP, Device: r.Device, Correlation: r.ID,
			Says: "This person signed in here just after proving who they are, and the tenant's log has no such sign-in.",
			Do: "Look for the correlation ID in the tenant's log, also among non-interactive sign-ins. If it is not there, end the person's sign-ins " +
				"(`lanyard revoke user`) and find out who can sign tokens in the tenant's name.",
		}
		if r.Kind == review.Unbegun {
			f.Kind, f.Correlation = api.ReviewUnbegun, ""
			f.Says = "This sign-in is among Lanyard's, and nobody was seen to begin it."
			f.Do = "End it (`lanyard revoke user`), and find out who else can write Lanyard's database."
		}
		list = append(list, f)
	}
	slices.SortFunc(list, func(a, b api.ReviewFinding) int { return b.At.Compare(a.At) })
	return list
}

func refusals(logged []review.Logged) []api.ReviewRefusal {
	list, at, people := []api.ReviewRefusal{}, map[int]int{}, map[int]map[identity.UserID]bool{}
	for _, e := range logged {
		if e.Code == 0 {
			continue
		}
		i, ok := at[e.Code]
		if !ok {
			i = len(list)
			at[e.Code], people[e.Code] = i, map[identity.UserID]bool{}
			list = append(list, api.ReviewRefusal{Code: e.Code, Failure: e.Failure})
		}
		people[e.Code][e.User] = true
		list[i].Times++
		list[i].People = len(people[e.Code])
	}
	slices.SortFunc(list, func(a, b api.ReviewRefusal) int { return cmp.Or(b.Times-a.Times, a.Code-b.Code) })
	return list
}
