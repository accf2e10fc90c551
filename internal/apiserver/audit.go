package apiserver

import (
	"net/http"
	"strconv"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// whoseEvents chooses everybody's events for who may read the log, and one's own for everybody else.
func (s *server) whoseEvents(r *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
	if r.URL.Query().Get("user") == "" && s.may(r, identity.AuditRead, identity.Installation()) {
		return identity.AuditRead, identity.Installation(), nil
	}
	return s.whose(identity.AuditRead)(r, who)
}

// events lists entries of the log: the newest, or what comes after a position.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	n, err := limit(r)
	if err != nil {
		return err
	}
	user, err := s.subject(r, s.whoseEvents)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	f := audit.Filter{
		Person: user.Object, Action: q.Get("action"), Workspace: identity.WorkspaceID(q.Get("workspace")),
		After: -1, Limit: n, Newest: true,
	}
	if after := q.Get("after"); after != "" {
		if f.After, err = strconv.ParseInt(after, 10, 64); err != nil || f.After < -1 {
			return problem.New(problem.Invalid, "after must be the seq of an entry, or -1 for the beginning.")
		}
		f.Newest = false
	}
	found, err := s.c.Audit.Search(r.Context(), f)
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The audit log cannot be read now.")
	}
	page := api.Page[api.Event]{Items: make([]api.Event, 0, len(found))}
	for _, e := range found {
		page.Items = append(page.Items, eventOf(e))
	}
	if !f.Newest && len(found) == n {
		page.Next = strconv.FormatInt(found[n-1].Seq, 10)
	}
	return answer(w, http.StatusOK, page)
}

func eventOf(e audit.Event) api.Event {
	x := api.Event{
		Seq: e.Seq, Time: e.Time, Action: e.Action, Outcome: string(e.Outcome), Session: string(e.Session), Actor: e.Actor,
		Workspace: string(e.Workspace), Project: e.Project, Resource: e.Resource, Reasons: e.Reasons, IP: e.IP, Detail: e.Detail,
	}
	if e.User != nil {
		x.User, x.UserName = identity.UserID{Tenant: e.User.Tenant, Object: e.User.Object}.String(), e.User.Name
	}
	return x
}

func (s *server) verify(w http.ResponseWriter, r *http.Request) error {
	found, err := s.c.VerifyAudit(r.Context())
	if err != nil {
		return problem.Wrap(err, problem.Unavailable, "The audit log cannot be read now.")
	}
	if found.Problems == nil {
		found.Problems = []string{}
	}
	return answer(w, http.StatusOK, found)
}

// export answers the bytes that the log's tree was made of, so that anybody can check them. They are not escaped
// further, and therefore a download.
func (s *server) export(w http.ResponseWriter, r *http.Request) error {
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="lanyard-audit.jsonl"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := s.c.ExportAudit(r.Context(), w); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The audit log cannot be read now.")
	}
	return nil
}
