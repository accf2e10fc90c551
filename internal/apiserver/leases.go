package apiserver

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// pushGap is the least time between two pushes of the leases.
const pushGap = 250 * time.Millisecond

func (s *server) leases(w http.ResponseWriter, r *http.Request) error {
	list, err := s.listed(r)
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, list)
}

// leaseEvents pushes the leases when they change: at once, and then everything that happened within pushGap
// together. A push that would say what the one before said is left out.
func (s *server) leaseEvents(ctx context.Context, r *http.Request, out stream) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	var said string
	for {
		changed := s.c.Access.Changed() // before the list is made: what comes while it is made is not missed
		list, err := s.listed(r)
		if err != nil {
			return err
		}
		b, err := problem.JSON(list)
		if err != nil {
			return err
		}
		if string(b) != said {
			if err := out.raw("event: leases\ndata: " + string(b) + "\n\n"); err != nil {
				return err
			}
			said = string(b)
		}
		gap := time.NewTimer(pushGap)
		select {
		case <-ctx.Done():
			gap.Stop()
			return nil
		case <-gap.C:
		}
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
				waiting = false
			case <-beat.C:
				if err := out.beat(); err != nil {
					return err
				}
			}
		}
	}
}

// listed lists what is open and what was ended lately, the newest first, of the user that the request is about.
func (s *server) listed(r *http.Request) (api.Leases, error) {
	n, err := limit(r)
	if err != nil {
		return api.Leases{}, err
	}
	user, err := s.subject(r, s.whose(identity.LeaseList))
	if err != nil {
		return api.Leases{}, err
	}
	f := s.c.Access.Facts()
	list := api.Leases{Open: []api.Lease{}, Ended: []api.Lease{}, Alarms: s.alarms(user)}
	var open []*access.Lease
	if user.IsZero() {
		for l := range s.c.Access.Leases {
			open = append(open, l)
		}
	} else {
		open = s.c.Access.LeasesOf(user)
	}
	slices.SortFunc(open, func(a, b *access.Lease) int {
		return cmp.Or(b.Opened.Compare(a.Opened), strings.Compare(string(a.ID), string(b.ID)))
	})
	if len(open) > n {
		list.More = len(open) - n
		open = open[:n]
	}
	for _, l := range open {
		list.Open = append(list.Open, leaseOf(f, l.ID, l.Request, l.Decision(), l.Opened))
	}
	for _, e := range s.c.Access.Ended() {
		if len(list.Ended) == n {
			break
		}
		if !user.IsZero() && e.Request.Principal.User != user && e.Request.Resource.Owner != user {
			continue
		}
		x := leaseOf(f, e.ID, e.Request, e.Decision, e.Opened)
		x.Until = time.Time{}
		x.Ended, x.Reason, x.Code = e.At, e.Reason.Text, string(e.Reason.Code)
		list.Ended = append(list.Ended, x)
	}
	return list, nil
}

func leaseOf(f *access.Facts, id identity.LeaseID, r access.Request, d access.Decision, opened time.Time) api.Lease {
	x := api.Lease{
		ID: string(id), Action: string(r.Action), Resource: resourceName(f, r.Resource), Role: string(d.Role),
		Opened: opened, Until: d.Until, Workspace: string(r.Principal.Workspace), Session: string(r.Principal.Session),
	}
	switch r.Principal.Kind {
	case identity.Person:
		x.User, x.UserName = r.Principal.User.String(), userName(f, r.Principal.User)
		if name, ok := r.Detail["agent"].(string); ok && r.Action == identity.AgentRun {
			x.Actor = "agent:" + name
		}
	case identity.AIAgent:
		x.User, x.UserName = r.Principal.User.String(), userName(f, r.Principal.User)
		x.Actor = "agent:" + r.Principal.Agent
	case identity.Service:
		x.Actor = "service:" + r.Principal.Service
	default:
		x.Actor = r.Principal.Kind.String()
	}
	if p, ok := f.Projects.Project(r.Resource.Project); ok {
		x.Project = p.Name
	}
	if !d.Via.IsZero() {
		x.Via = groupName(f, d.Via)
	}
	if x.Workspace == "" && r.Resource.Kind == identity.KindWorkspace {
		x.Workspace = r.Resource.Name
	}
	return x
}

// resourceName is a resource as people know it: a user by name, a project by name.
func resourceName(f *access.Facts, on identity.Resource) string {
	switch on.Kind {
	case identity.KindUser:
		return "user " + userName(f, on.Owner)
	case identity.KindProject:
		if p, ok := f.Projects.Project(on.Project); ok {
			return "project " + p.Name
		}
	}
	return on.String()
}
