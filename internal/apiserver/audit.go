package apiserver

import (
	"context"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// AuditLog is what the API reads of the audit log, and how it writes down what nothing else does.
type AuditLog interface {
	Search(context.Context, audit.Filter) (audit.Page, error)
	After(ctx context.Context, after int64, f audit.Filter) (events []audit.Event, next int64, err error)
	Durable(context.Context, ...audit.Event) error
	Later(audit.Event)
}

// AuditProofs is what the API asks about the audit log as a whole.
type AuditProofs interface {
	Verify(context.Context) (api.Verification, error)
	// Export writes events from a position on, one a line, as audit.Export does.
	Export(ctx context.Context, from int64, to io.Writer) error
	ProveInclusion(ctx context.Context, seq int64) (audit.Inclusion, error)
	ProveConsistency(ctx context.Context, old, new int64) (audit.Consistency, error)
	// Key is the public key of checkpoints, as golang.org/x/mod/sumdb/note writes it.
	Key(context.Context) (string, error)
	Forget(ctx context.Context, object string, by audit.Event) (events int64, err error)
}

const operatorErases = "only the operator erases personal data, and the server's owner alone is that"

// auditEndpoints are the API's part about the audit log.
func (s *server) auditEndpoints() []endpoint {
	get, post := http.MethodGet, http.MethodPost
	number := func(name, says string) param { return param{name, says} }
	return []endpoint{
		{method: get, path: "/audit", access: web.Asks(ownOrAll), serve: s.under(s.whoseEvents, s.events), out: api.AuditPage{},
			says: "Entries that fit, newest first; with after, the entries from there on in the order of the log, for who follows it",
			query: paged(param{"order", "newest (as when absent) or oldest: which comes first"}, number("after", "A seq: what comes after it, without the index"),
				param{"user", "Only about this user"}, param{"action", "Only this action"}, param{"outcome", "Only with this outcome, such as denied"},
				param{"resource", "Only about this resource: a repository's URL, PROJECT/NAME, a name or an ID"}, param{"project", "Only in this project"},
				param{"session", "Only through this session"}, param{"workspace", "Only about this workspace"},
				param{"since", "Not before this time, RFC 3339"}, param{"until", "Before this time, RFC 3339"})},
		{method: get, path: "/audit/verify", access: web.Needs(identity.AuditRead), serve: s.verify,
			says: "Checks that no entry was changed or removed", out: api.Verification{}},
		{method: get, path: "/audit/export", access: web.Needs(identity.AuditRead), serve: s.export, query: []param{number("from", "The first seq; absent, all")},
			says: "Every entry that a checkpoint covers, one a line; each line gives back the exact leaf of the tree", media: "application/x-ndjson", out: api.Event{}},
		{method: get, path: "/audit/proof", access: web.Needs(identity.AuditRead), serve: s.inclusion, query: []param{number("seq", "Of the entry")},
			says: "Proves that an entry is in the log", out: audit.Inclusion{}},
		{method: get, path: "/audit/consistency", access: web.Needs(identity.AuditRead), serve: s.consistency,
			query: []param{number("old", "How many entries the older tree has"), number("new", "How many the newer has; absent, all that are signed")},
			says:  "Proves that the log begins with all that it once had", out: audit.Consistency{}},
		{method: get, path: "/audit/key", access: web.Needs(identity.AuditRead), serve: s.auditKey,
			says: "The public key of the log's checkpoints: keep it elsewhere", out: api.AuditKey{}},
		{method: post, path: "/audit/forget", access: web.Asks(operatorErases), serve: s.forget, in: api.Forget{}, out: api.Forgotten{},
			says: "Erases a person's ID, name and addresses from all entries, which stay provable"},
	}
}

// whoseEvents chooses everybody's events for who may read the log, and one's own for everybody else.
func (s *server) whoseEvents(r *http.Request, who identity.Principal) (identity.Action, identity.Resource, error) {
	if r.URL.Query().Get("user") == "" && s.may(r, identity.AuditRead, identity.Installation()) {
		return identity.AuditRead, identity.Installation(), nil
	}
	return s.whose(identity.AuditRead)(r, who)
}

// events lists entries of the log: those that a search finds, or what comes after a position.
func (s *server) events(w http.ResponseWriter, r *http.Request) error {
	f, err := auditFilter(r)
	if err != nil {
		return err
	}
	user, err := s.subject(r, s.whoseEvents)
	if err != nil {
		return err
	}
	f.Person = user.Object
	page := api.AuditPage{Items: []api.Event{}}
	var found []audit.Event
	if after := r.URL.Query().Get("after"); after != "" {
		from, err := number(r, "after", -1)
		if err != nil {
			return err
		}
		var next int64
		if found, next, err = s.c.Audit.After(r.Context(), from, f); err != nil {
			return unreadable(err)
		}
		if next != from {
			page.Next = strconv.FormatInt(next, 10)
		}
	} else {
		p, err := s.c.Audit.Search(r.Context(), f)
		if err != nil {
			return unreadable(err)
		}
		found, page.Next, page.Previous, page.Size, page.Lag = p.Events, p.Next, p.Previous, p.Size, p.Lag
	}
	for _, e := range found {
		page.Items = append(page.Items, eventOf(e))
	}
	return answer(w, http.StatusOK, page)
}

// inProject is how a resource of a project is written: PROJECT/NAME.
var inProject = regexp.MustCompile(`^([a-z0-9][a-z0-9-]*)/([a-z][a-z0-9-]*)$`)

// auditFilter reads a search, but for whom it is about.
func auditFilter(r *http.Request) (f audit.Filter, err error) {
	q := r.URL.Query()
	if f.Limit, err = limit(r); err != nil {
		return f, err
	}
	f.Action, f.Outcome, f.Session, f.Workspace = q.Get("action"), q.Get("outcome"), q.Get("session"), q.Get("workspace")
	f.Project, f.Resource, f.Cursor = q.Get("project"), q.Get("resource"), q.Get("cursor")
	if m := inProject.FindStringSubmatch(f.Resource); m != nil && (f.Project == "" || f.Project == m[1]) {
		f.Project, f.Resource = m[1], m[2]
	}
	switch order := q.Get("order"); order {
	case "", "newest":
	case "oldest":
		f.Oldest = true
	default:
		return f, problem.New(problem.Invalid, "order is newest or oldest, not %q.", order)
	}
	for name, to := range map[string]*time.Time{"since": &f.Since, "until": &f.Until} {
		if text := q.Get(name); text != "" {
			if *to, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return f, problem.New(problem.Invalid, "%s is a time such as 2026-11-23T08:00:00Z, not %q.", name, text)
			}
		}
	}
	return f, nil
}

// number reads a position or a size of at least least.
func number(r *http.Request, name string, least int64) (int64, error) {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < least {
		return 0, problem.New(problem.Invalid, "%s must be a number from %d on.", name, least)
	}
	return n, nil
}

// unreadable keeps errors that say what was asked wrongly, and says of others that the log cannot be read.
func unreadable(err error) error {
	switch problem.KindOf(err) {
	case problem.Invalid, problem.NotFound:
		return err
	}
	return problem.Wrap(err, problem.Unavailable, "The audit log cannot be read now.")
}

func eventOf(e audit.Event) api.Event {
	x := api.Event{
		Seq: e.Seq, Time: e.Time, Action: e.Action, Outcome: string(e.Outcome), Session: string(e.Session), Actor: e.Actor,
		Workspace: string(e.Workspace), Project: e.Project, Resource: e.Resource, Reasons: e.Reasons, IP: e.IP, Detail: e.Detail,
	}
	if e.User != nil {
		x.User, x.UserName = identity.UserID{Tenant: e.User.Tenant, Object: e.User.Object}.String(), e.User.Name
		if e.User.Object == audit.ErasedText {
			x.User = audit.ErasedText
		}
	}
	return x
}

func (s *server) verify(w http.ResponseWriter, r *http.Request) error {
	found, err := s.c.Proofs.Verify(r.Context())
	if err != nil {
		return unreadable(err)
	}
	if found.Problems == nil {
		found.Problems = []string{}
	}
	return answer(w, http.StatusOK, found)
}

// export answers lines from which the log's tree can be made again, so that anybody can check them. They are not
// escaped further, and therefore a download.
func (s *server) export(w http.ResponseWriter, r *http.Request) error {
	from := int64(0)
	if r.URL.Query().Has("from") {
		var err error
		if from, err = number(r, "from", 0); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/x-ndjson")
	h.Set("Content-Disposition", `attachment; filename="lanyard-audit.jsonl"`)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if err := s.c.Proofs.Export(r.Context(), from, w); err != nil {
		return unreadable(err)
	}
	return nil
}

func (s *server) inclusion(w http.ResponseWriter, r *http.Request) error {
	seq, err := number(r, "seq", 0)
	if err != nil {
		return err
	}
	p, err := s.c.Proofs.ProveInclusion(r.Context(), seq)
	if err != nil {
		return unreadable(err)
	}
	return answer(w, http.StatusOK, p)
}

func (s *server) consistency(w http.ResponseWriter, r *http.Request) error {
	old, err := number(r, "old", 1)
	if err != nil {
		return err
	}
	new := int64(0)
	if r.URL.Query().Has("new") {
		if new, err = number(r, "new", 1); err != nil {
			return err
		}
	}
	p, err := s.c.Proofs.ProveConsistency(r.Context(), old, new)
	if err != nil {
		return unreadable(err)
	}
	return answer(w, http.StatusOK, p)
}

func (s *server) auditKey(w http.ResponseWriter, r *http.Request) error {
	key, err := s.c.Proofs.Key(r.Context())
	if err != nil {
		return unreadable(err)
	}
	return answer(w, http.StatusOK, api.AuditKey{Key: key})
}

// forget erases a person's data. That is for the operator alone: whoever may read the log must not be able to make it
// forget.
func (s *server) forget(w http.ResponseWriter, r *http.Request) error {
	return s.open(w, r, identity.AuditRead, identity.Installation(), true, func(w http.ResponseWriter, r *http.Request) error {
		if web.PrincipalFrom(r.Context()).Kind != identity.Operator {
			return problem.New(problem.Denied, "Only the operator erases personal data, on the server's own machine.")
		}
		var what api.Forget
		if err := read(r, &what); err != nil {
			return err
		}
		user, ok := s.userNamed(what.User)
		object := user.Object
		if !ok { // who has left the directory is named by object ID
			object = what.User
		}
		if object == "" {
			return problem.New(problem.Invalid, "Name a user: a user name, u-…, or the object ID of one who has left the directory.")
		}
		n, err := s.c.Proofs.Forget(r.Context(), object, s.event(r, audit.ForgetAction, identity.Installation()))
		if err != nil {
			return problem.Wrap(err, problem.Unavailable, "This cannot be erased now; try again in a moment.")
		}
		return answer(w, http.StatusOK, api.Forgotten{Events: n})
	})
}
