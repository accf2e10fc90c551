package signin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/web"
)

// StepUpPage is what a person who follows a link is shown: a form for the code, what the code stands for, or how it
// ended.
type StepUpPage struct {
	Code, Return string // kept from the link
	Asked        *AskedFor
	Done, Not    bool
	Until        time.Time // Done: until when
}

// AskedFor is what a step-up is for, in words.
type AskedFor struct {
	Action, Resource, Project, Workspace, Context string
	At                                            time.Time
	Lasts                                         string
}

// stepUp shows the page of a link, or of a code that is still to be typed.
func (s *Service) stepUp(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	who := web.PrincipalFrom(r.Context())
	if who.Session == "" {
		http.Redirect(w, r, "/login?"+url.Values{"return": {r.URL.RequestURI()}}.Encode(), http.StatusSeeOther)
		return nil
	}
	if id := q.Get("done"); id != "" {
		page := StepUpPage{Done: true}
		if g := s.c.Facts().Grants.Of(who.User).Grant(identity.GrantID(id)); g != nil {
			page.Until = g.Until
		}
		s.c.Page(w, http.StatusOK, page)
		return nil
	}
	code := q.Get("code")
	if code == "" {
		s.c.Page(w, http.StatusOK, StepUpPage{})
		return nil
	}
	body, ok, err := s.c.Once.SeeOnce(r.Context(), stepUpKind, codeHash(code))
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	asked, err := s.asked(r, body, ok, who)
	if err != nil {
		return err
	}
	s.c.Page(w, http.StatusOK, StepUpPage{Code: code, Return: q.Get("return"), Asked: s.words(asked)})
	return nil
}

// stepUpNow spends the code, and leads to the tenant or, when it was not the person, to nothing.
func (s *Service) stepUpNow(w http.ResponseWriter, r *http.Request) error {
	who := web.PrincipalFrom(r.Context())
	if err := r.ParseForm(); err != nil {
		return problem.New(problem.Invalid, "The form cannot be read. Open the link again.")
	}
	hash := codeHash(r.PostForm.Get("code"))
	body, ok, err := s.c.Once.SeeOnce(r.Context(), stepUpKind, hash)
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be read now. Try again in a moment.")
	}
	asked, err := s.asked(r, body, ok, who) // before it is spent: another's code stays theirs
	if err != nil {
		return err
	}
	if _, ok, err = s.c.Once.TakeOnce(r.Context(), stepUpKind, hash); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The database cannot be written now. Try again in a moment.")
	} else if !ok {
		return spent()
	}
	s.offers.drop(asked.offer())
	if r.PostForm.Get("go") != "on" {
		s.c.Audit.Later(s.event(r, asked, audit.Denied, "the person says that it was not them who asked"))
		s.c.Page(w, http.StatusOK, StepUpPage{Not: true})
		return nil
	}
	return s.leave(w, r, underway{Return: s.back(r.PostForm.Get("return")), StepUp: &asked, Hint: s.hint(who.User)})
}

func spent() error {
	return problem.New(problem.Invalid, "This link was used, is more than five minutes old, or is somebody else's. What was refused gives a new one when it is tried again.")
}

// asked reads what a code stands for. To everybody else but who was refused it stands for nothing.
func (s *Service) asked(r *http.Request, body []byte, ok bool, who identity.Principal) (asked refused, err error) {
	if ok {
		if err := json.Unmarshal(body, &asked); err != nil {
			return refused{}, err
		}
	}
	switch {
	case !ok:
		s.refusals.add(audit.Event{Time: s.c.Now(), Action: grant.EventStepUp, Outcome: audit.Denied, User: audit.PersonOf(who.User, ""),
			Session: who.Session, IP: web.ClientIP(r), Reasons: []string{"a code that does not stand for anything"}})
		return refused{}, spent()
	case asked.User != who.User:
		s.refusals.add(s.event(r, refused{User: who.User, Session: who.Session, Action: asked.Action, Resource: asked.Resource}, audit.Denied,
			"the link was given to somebody else"))
		return refused{}, spent()
	}
	return asked, nil
}

func (a refused) offer() offer { return offer{a.Session, a.Action, a.Resource, a.Context} }

func (s *Service) event(r *http.Request, a refused, outcome audit.Outcome, why string) audit.Event {
	project, _ := s.c.Facts().Projects.Project(a.Resource.Project)
	e := audit.Event{Time: s.c.Now(), Action: grant.EventStepUp, Outcome: outcome, User: audit.PersonOf(a.User, ""), Session: a.Session,
		Workspace: a.Workspace, Project: project.Name, Resource: a.Resource.String(), IP: web.ClientIP(r), Detail: map[string]any{"action": a.Action}}
	if why != "" {
		e.Reasons = []string{why}
	}
	return e
}

func (s *Service) words(a refused) *AskedFor {
	f := s.c.Facts()
	project, _ := f.Projects.Project(a.Resource.Project)
	return &AskedFor{Action: string(a.Action), Resource: access.Spelled(f, a.Resource), Project: project.Name, Workspace: string(a.Workspace),
		Context: a.Context, At: a.Asked, Lasts: problem.Length(s.c.StepUpLasts)}
}

// back is where a person goes on afterwards: a path of the pages, or an address of another of Lanyard's sites.
func (s *Service) back(asked string) string {
	if asked == "" {
		return ""
	}
	if path, err := web.LocalPath(asked); err == nil {
		return path
	}
	u, err := url.Parse(asked)
	if err != nil || u.Scheme != s.scheme() || u.User != nil || s.c.SiteOf == nil {
		return ""
	}
	if _, _, ok := s.c.SiteOf(u.Host); !ok {
		return ""
	}
	return u.String()
}

// lift makes a grant of a stronger sign-in. Sessions stay as they are, except in a browser that has none for the person.
func (s *Service) lift(w http.ResponseWriter, r *http.Request, u underway, user identity.UserID, c claims, token *oidc.IDToken, refresh string) error {
	asked := *u.StepUp
	if user != asked.User {
		return problem.New(problem.Denied, "You signed in as somebody else than was refused, so nothing has changed.")
	}
	if !slices.Contains(c.Contexts, asked.Context) {
		return problem.New(problem.Denied, "The tenant signed you in without the authentication context %s, so nothing has changed. "+
			"Try again, or ask your administrator what it takes.", asked.Context)
	}
	if here, err := s.c.Identify.Cookie(r, s.site()); err != nil || here.User != user {
		if err := s.begin(w, r, u, user, c, token, refresh); err != nil {
			return err
		}
	}
	_, signIn, ok := s.c.Sessions.Set().Session(asked.Session)
	if !ok {
		return problem.New(problem.Denied, "The session that was refused has ended, so there is nothing to allow. Try again in the one you have now.")
	}
	row, err := s.remember(r, review.StepUp, user, c, token)
	if err != nil {
		return err
	}
	e := s.event(r, asked, audit.Done, "")
	e.Detail = told(row)
	g, err := s.c.Grants.StepUp(r.Context(), grant.Stronger{
		User: user, Context: asked.Context, SignIn: signIn.ID, Workspace: asked.Workspace, For: s.c.StepUpLasts,
		Allowed: grant.Allowed{Action: asked.Action, Kind: asked.Resource.Kind, Name: asked.Resource.Name, Project: asked.Resource.Project},
	}, e)
	if err != nil {
		return err
	}
	to := u.Return
	if to == "" {
		to = stepUpPath + "?" + url.Values{"done": {string(g.ID)}}.Encode()
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}
