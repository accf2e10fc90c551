package apiserver

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Grants keeps requests and grants, as grant.Manager does: what gives access is stored first, what takes it away is in
// force at once, whether or not that can be written yet.
type Grants interface {
	Set() *grant.Set
	Request(identity.GrantID) (grant.Request, bool)
	Requests() []grant.Request
	Ask(context.Context, grant.Request, audit.Event) (grant.Request, error)
	Approve(context.Context, identity.GrantID, grant.Answer) (grant.Request, error)
	Refuse(context.Context, identity.GrantID, grant.Answer) (grant.Request, error)
	Withdraw(context.Context, identity.GrantID, grant.Answer) (grant.Request, error)
	Delegate(context.Context, grant.Part, audit.Event) (grant.Grant, error)
	BreakGlass(context.Context, grant.Emergency, audit.Event) (grant.Grant, error)
	Revoke(ctx context.Context, id identity.GrantID, why string, by audit.Event) grant.Ended
}

// ask stores a request for what a policy gives only with a person's approval. The same question is decided first: what
// is allowed needs no request, and what is denied for other reasons stays so, in the same words.
func (s *server) ask(w http.ResponseWriter, r *http.Request) error {
	who, err := s.somebody(r)
	if err != nil {
		return err
	}
	var a api.Ask
	if err := read(r, &a); err != nil {
		return err
	}
	wanted, err := duration(a.For, grant.DefaultFor)
	if err != nil {
		return err
	}
	if a.Action == "" || a.Resource == "" {
		return problem.New(problem.Invalid, "Name an action, such as repo:write, and a resource.")
	}
	return s.open(w, r, identity.GrantRequest, identity.Own(who.User), false, func(w http.ResponseWriter, r *http.Request) error {
		action := identity.Action(a.Action)
		on, found, err := s.resource(action, a.Resource, who.User)
		if err != nil {
			return err
		}
		notHere := problem.New(problem.NotFound, "%s", access.NotHere(on.Kind, strconv.QuoteToASCII(a.Resource)))
		if !found {
			return notHere
		}
		request := s.request(r, action, on)
		x := s.c.Access.Explain(r.Context(), request)
		switch {
		case x.Effect == access.Allow:
			return problem.New(problem.Conflict, "You may do this already; it needs no approval.")
		case x.Hidden:
			return notHere
		case x.Effect != access.Approval:
			return x.Err(request)
		}
		if _, ok := s.c.Access.Facts().Directory.Group(x.Approvers); !ok {
			return problem.New(problem.Conflict, "Nobody can approve this: the policy names the group %s, which is not in the directory. Tell who keeps the policies.", x.Approvers)
		}
		q, err := s.c.Grants.Ask(r.Context(), grant.Request{
			User: who.User, Action: action, Resource: on, Approvers: x.Approvers, Why: a.Why, For: wanted,
		}, s.event(r, a.Action, on))
		if err != nil {
			return err
		}
		return answer(w, http.StatusCreated, s.requestOf(r, q))
	})
}

// somebody is the person who asks. The operator has no rights of their own to ask for.
func (s *server) somebody(r *http.Request) (identity.Principal, error) {
	if err := known(r); err != nil {
		return identity.Principal{}, err
	}
	who := web.PrincipalFrom(r.Context())
	if who.Kind != identity.Person {
		return who, problem.New(problem.Denied, "Only a person who is signed in may do this, not the %s: name a user to sign in as.", who.Kind)
	}
	return who, nil
}

// requests lists the requests that are somebody's business.
func (s *server) requests(w http.ResponseWriter, r *http.Request) error {
	which := r.URL.Query().Get("which")
	if which != "" && which != "mine" && which != "to-approve" {
		return problem.New(problem.Invalid, "which must be mine or to-approve, or absent.")
	}
	who := web.PrincipalFrom(r.Context())
	all := s.may(r, identity.GrantList, identity.Installation())
	list := []api.Request{}
	for _, q := range s.c.Grants.Requests() {
		if !all && !s.c.Access.Facts().Concerns(who, q) || which == "mine" && q.User != who.User {
			continue
		}
		if x := s.requestOf(r, q); which != "to-approve" || x.MayDecide {
			list = append(list, x)
		}
	}
	page, err := pageOf(r, list, func(x api.Request) string { return newestFirst(x.Asked) + x.ID })
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, page)
}

// oneRequest finds the request that the path names. One that is nobody's business of theirs is not there.
func (s *server) oneRequest(r *http.Request) (grant.Request, error) {
	if err := known(r); err != nil {
		return grant.Request{}, err
	}
	id, err := identity.ParseGrantID(r.PathValue("id"))
	if err == nil {
		q, ok := s.c.Grants.Request(id)
		if ok && (s.c.Access.Facts().Concerns(web.PrincipalFrom(r.Context()), q) || s.may(r, identity.GrantList, identity.Installation())) {
			return q, nil
		}
	}
	return grant.Request{}, problem.New(problem.NotFound, "There is no request %s that you may see.", strconv.QuoteToASCII(r.PathValue("id")))
}

func (s *server) showRequest(w http.ResponseWriter, r *http.Request) error {
	q, err := s.oneRequest(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, s.requestOf(r, q))
}

// deciding serves an approver's answer to a request.
func (s *server) deciding(decide func(Grants, context.Context, identity.GrantID, grant.Answer) (grant.Request, error)) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		q, err := s.oneRequest(r)
		if err != nil {
			return err
		}
		var a api.Answer
		if err := read(r, &a); err != nil {
			return err
		}
		shorter, err := duration(a.For, 0)
		if err != nil {
			return err
		}
		on := grantResource(q.ID, q.User, q.Resource.Project)
		err = s.open(w, r, identity.GrantApprove, on, false, func(w http.ResponseWriter, r *http.Request) error {
			who := web.PrincipalFrom(r.Context())
			by := s.event(r, string(identity.GrantApprove), on)
			q, err := decide(s.c.Grants, r.Context(), q.ID, grant.Answer{
				By: who.User, Words: a.Why, For: shorter, Event: by,
				Check: func(q grant.Request) error { return s.c.Access.Facts().Approver(who, q) },
			})
			if problem.KindOf(err) == problem.Denied && err != nil {
				by.Outcome, by.Reasons = audit.Denied, []string{problem.Message(err)}
				s.c.Audit.Later(by)
			}
			if err != nil {
				return err
			}
			return answer(w, http.StatusOK, s.requestOf(r, q))
		})
		return forThemselves(r, q.User, err, "Nobody approves for themselves: another member of %s has to decide.", groupName(s.c.Access.Facts(), q.Approvers))
	}
}

// forThemselves says why somebody was denied who wanted to give themselves something.
func forThemselves(r *http.Request, whom identity.UserID, err error, format string, args ...any) error {
	if err == nil || problem.KindOf(err) != problem.Denied || web.PrincipalFrom(r.Context()).User != whom {
		return err
	}
	return problem.Wrap(err, problem.Denied, format, args...)
}

// withdraw takes one's own request back.
func (s *server) withdraw(w http.ResponseWriter, r *http.Request) error {
	q, err := s.oneRequest(r)
	if err != nil {
		return err
	}
	who := web.PrincipalFrom(r.Context())
	if q.User != who.User {
		return problem.New(problem.Denied, "Only who asked takes a request back; who may approve it refuses it.")
	}
	on := grantResource(q.ID, q.User, q.Resource.Project)
	return s.open(w, r, identity.GrantRevoke, on, false, func(w http.ResponseWriter, r *http.Request) error {
		q, err := s.c.Grants.Withdraw(r.Context(), q.ID, grant.Answer{
			By: who.User, Event: s.event(r, string(identity.GrantRevoke), on), Check: func(grant.Request) error { return nil },
		})
		if err != nil {
			return err
		}
		return answer(w, http.StatusOK, s.requestOf(r, q))
	})
}

// grantResource is a request or a grant as what is asked for.
func grantResource(id identity.GrantID, of identity.UserID, in identity.ProjectID) identity.Resource {
	return identity.Resource{Kind: identity.KindGrant, Name: string(id), Owner: of, Project: in}
}

func (s *server) requestOf(r *http.Request, q grant.Request) api.Request {
	f, now := s.c.Access.Facts(), s.c.Now()
	x := api.Request{
		ID: string(q.ID), State: string(q.State(now)), User: q.User.String(), UserName: userName(f, q.User), Action: string(q.Action),
		Resource: resourceName(f, q.Resource), Approvers: groupName(f, q.Approvers), Group: q.Approvers.String(), Why: q.Why, For: problem.Length(q.For),
		Asked: q.Asked, Expires: q.Expires, Decided: q.Decided, Words: q.Words,
	}
	if p, ok := f.Projects.Project(q.Resource.Project); ok {
		x.Project = p.Name
	}
	if !q.By.IsZero() {
		x.By, x.ByName = q.By.String(), userName(f, q.By)
	}
	if q.Decision == grant.Approved {
		x.Until = q.Decided.Add(q.Given)
	}
	x.MayDecide = q.State(now) == grant.Pending && f.Approver(web.PrincipalFrom(r.Context()), q) == nil
	return x
}

// duration reads how long something is to last.
func duration(text string, otherwise time.Duration) (time.Duration, error) {
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, problem.New(problem.Invalid, "for must be a length of time such as 30m or 2h, not %s.", strconv.QuoteToASCII(text))
	}
	return d, nil
}
