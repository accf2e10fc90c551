package apiserver

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// leaver takes somebody out of payments-engineers.
func leaver(u identity.UserID) directory.Change {
	return directory.Change{Members: []directory.Membership{{Group: engineers, Member: directory.Member{User: u}, Removed: true}}}
}

// call opens a lease on the ledger, as the gateway would.
func (w *world) call(u identity.UserID) *access.Lease {
	w.t.Helper()
	_, l, err := w.engine.Open(context.Background(), access.Request{
		Principal: person(u), Action: identity.AppCall,
		Resource: identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID},
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(l.End)
	return l
}

func TestLeasesAsTheyComeAndGo(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := make(chan api.Leases, 100)
	done := make(chan error, 1)
	go func() { done <- w.as(ada).FollowLeases(ctx, "", func(l api.Leases) { seen <- l }) }()
	await := func(what string, ok func(api.Leases) bool) {
		t.Helper()
		for {
			select {
			case l := <-seen:
				if ok(l) {
					return
				}
			case err := <-done:
				t.Fatal(what, "was never pushed:", err)
			}
		}
	}
	find := func(list []api.Lease, id identity.LeaseID) (api.Lease, bool) {
		for _, l := range list {
			if l.ID == string(id) {
				return l, true
			}
		}
		return api.Lease{}, false
	}
	l := w.call(ada)
	other := w.call(barbara)
	await("the open lease", func(all api.Leases) bool {
		x, ok := find(all.Open, l.ID)
		if _, leaked := find(all.Open, other.ID); leaked {
			t.Error("somebody else's lease is listed")
		}
		return ok && x.Role == "developer" && x.Via == "payments-engineers" && x.Project == "payments" && x.Resource == "app ledger"
	})
	w.change(leaver(ada))
	await("the ended lease", func(all api.Leases) bool {
		x, ok := find(all.Ended, l.ID)
		_, still := find(all.Open, l.ID)
		return ok && !still && x.Code == string(access.NoRole) && strings.Contains(x.Reason, "payments-engineers") && !x.Ended.IsZero()
	})
	cancel()
	<-done
}

func TestAStreamSaysWhyItEnds(t *testing.T) {
	w := newWorld(t)
	began := make(chan struct{}, 100)
	done := make(chan error, 1)
	go func() {
		done <- w.as(ada).FollowLeases(t.Context(), "", func(api.Leases) { began <- struct{}{} })
	}()
	<-began
	w.sessions.EndUser(t.Context(), ada, "the account was locked")
	if err := <-done; !errors.Is(err, api.ErrClosed) || !strings.Contains(err.Error(), "the account was locked") {
		t.Error("the stream ended with", err)
	}
}

// A stream that has said why it ends ends as a whole answer, for as many readers as are cut at once.
func TestAStreamThatIsCutIsWhole(t *testing.T) {
	w := newWorld(t)
	client := w.as(ada).HTTP
	var all sync.WaitGroup
	var cut atomic.Int64
	began := make(chan struct{})
	const readers = 20
	for range readers {
		all.Go(func() {
			resp, err := client.Get(w.site.URL + "/api/v1/leases/events")
			began <- struct{}{}
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			inTime := time.Since(time.Unix(0, cut.Load())) < access.Goodbye/2 // later it may have been closed while it spoke
			if err != nil && inTime && strings.Contains(string(text), "event: closed") {
				t.Errorf("it breaks off after %q: %v", text, err)
			}
		})
	}
	for range readers {
		<-began
	}
	cut.Store(time.Now().UnixNano())
	w.sessions.EndUser(t.Context(), ada, "the account was locked")
	all.Wait()
}

func TestRevoke(t *testing.T) {
	w := newWorld(t)
	mine, others := w.call(ada), w.call(barbara)

	// One's own may be ended, and the answer comes although the access of the request itself ends.
	done, err := w.as(ada).EndLease(t.Context(), string(mine.ID))
	if err != nil || done.Leases != 1 || mine.Reason().Code != access.Revoked {
		t.Errorf("ending the own lease: %+v, %v, %+v", done, err, mine.Reason())
	}
	// Somebody else's cannot, and looks like one that is not there.
	_, forbidden := w.as(ada).EndLease(t.Context(), string(others.ID))
	_, absent := w.as(ada).EndLease(t.Context(), "l-aaaaaaaaaaaaaaaa")
	if status(forbidden) != http.StatusNotFound || !strings.Contains(forbidden.Error(), string(others.ID)) ||
		strings.ReplaceAll(forbidden.Error(), string(others.ID), "l-aaaaaaaaaaaaaaaa") != absent.Error() {
		t.Errorf("somebody else's: %v; absent: %v", forbidden, absent)
	}
	if _, err := w.as(ada).Revoke(t.Context(), api.Revoke{Kind: api.RevokeUser, ID: "barbara"}); status(err) != http.StatusNotFound {
		t.Error("a developer ended somebody's sign-ins:", err)
	}
	if !others.Reason().IsZero() {
		t.Fatal("a lease was ended by who may not")
	}
	// The operator may, also when the store cannot be written.
	w.rows.mu.Lock()
	w.rows.fail = errors.New("disk full")
	w.rows.mu.Unlock()
	done, err = w.as(operator).Revoke(t.Context(), api.Revoke{Kind: api.RevokeUser, ID: "barbara"})
	if err != nil || done.Recorded || done.Leases != 1 || done.Sessions != 1 || !strings.Contains(done.Message, "not yet recorded") {
		t.Errorf("the operator's revocation: %+v, %v", done, err)
	}
	if others.Reason().IsZero() {
		t.Error("the lease outlived the revocation")
	}
	if _, err := w.as(barbara).Me(t.Context()); status(err) != http.StatusUnauthorized {
		t.Error("after the revocation:", err)
	}
	// Every order is recorded before its answer, also one that ends nothing.
	recorded := func() int {
		found, err := w.audit.Search(t.Context(), audit.Filter{Action: string(identity.LeaseRevoke), Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range found.Events {
			if e.Outcome == audit.Done {
				n++
			}
		}
		return n
	}
	before := recorded()
	done, err = w.as(operator).Revoke(t.Context(), api.Revoke{Kind: api.RevokeUser, ID: "barbara"})
	if err != nil || !done.Recorded || done.Sessions != 0 || recorded() != before+1 {
		t.Errorf("a revocation that ends nothing: %+v, %v, %d entries, were %d", done, err, recorded(), before)
	}
	// One's own session ends with an answer, too.
	done, err = w.as(linus).Revoke(t.Context(), api.Revoke{Kind: api.RevokeSession, ID: string(sessionOf(linus))})
	if err != nil || done.Sessions != 1 {
		t.Errorf("ending the own session: %+v, %v", done, err)
	}
	if _, err := w.as(ada).Revoke(t.Context(), api.Revoke{Kind: "everything"}); status(err) != http.StatusBadRequest {
		t.Error("an unknown kind:", err)
	}
}

func TestWhy(t *testing.T) {
	w := newWorld(t)
	get := func(who identity.UserID, action, resource, user string) api.Why {
		t.Helper()
		x, err := w.as(who).Why(t.Context(), action, resource, user)
		if err != nil {
			t.Fatal(action, resource, err)
		}
		return x
	}
	x := get(barbara, "repo:write", apiURL, "")
	if x.Decision != "allow" || x.Role != "developer" || x.Via != "payments-engineers" || len(x.Policies) == 0 ||
		!cmp.Equal(x.Path, []string{"payments-engineers", "payments-api-team"}) {
		t.Errorf("a developer: %+v", x)
	}
	facts := strings.Join(x.Facts, "\n")
	for _, want := range []string{"is enabled", "payments-engineers contains payments-api-team", "has the role developer in project payments", "the policy developers-write"} {
		if !strings.Contains(facts, want) {
			t.Errorf("the facts lack %q:\n%s", want, facts)
		}
	}
	for _, resource := range []string{apiURL, "payments/api"} {
		x = get(linus, "repo:write", resource, "")
		if x.Decision != "deny" || x.Role != "viewer" || !strings.Contains(strings.Join(x.Reasons, " "), "developer") {
			t.Errorf("a viewer on %s: %+v", resource, x)
		}
	}
	if x = get(ada, "app:call", "payments/ledger", ""); x.Decision != "allow" {
		t.Errorf("an app by its name: %+v", x)
	}
	if x = get(edith, "repo:write", apiURL, "linus"); x.Decision != "deny" || x.Role != "viewer" || x.UserName != "linus@contoso.example" {
		t.Errorf("the auditor about the viewer: %+v", x)
	}
	if x = get(operator, "repo:write", apiURL, "ada"); x.Decision != "allow" {
		t.Errorf("the operator about the developer: %+v", x)
	}

	// A stranger cannot tell absent from forbidden, nor who there is.
	const nowhere = "https://git.example.test/payments/nowhere"
	forbidden, absent := get(mallory, "repo:read", apiURL, ""), get(mallory, "repo:read", nowhere, "")
	absent.Resource = apiURL
	for i := range absent.Reasons {
		absent.Reasons[i] = strings.ReplaceAll(absent.Reasons[i], nowhere, apiURL)
	}
	if diff := cmp.Diff(forbidden, absent); diff != "" {
		t.Error("forbidden and absent differ:", diff)
	}
	_, there := w.as(mallory).Why(t.Context(), "repo:read", apiURL, "ada")
	_, not := w.as(mallory).Why(t.Context(), "repo:read", apiURL, "nobody")
	if status(there) != http.StatusForbidden || there.Error() != not.Error() {
		t.Errorf("asking about somebody: %v; about nobody: %v", there, not)
	}
	if _, err := w.as(edith).Why(t.Context(), "repo:read", apiURL, "nobody"); status(err) != http.StatusNotFound {
		t.Error("the auditor about nobody:", err)
	}
	if _, err := w.as(operator).Why(t.Context(), "repo:read", apiURL, ""); status(err) != http.StatusBadRequest {
		t.Error("the operator about no one:", err)
	}
}

func TestAuditIsOnesOwnOrAll(t *testing.T) {
	w := newWorld(t)
	for _, u := range []identity.UserID{ada, linus} {
		if _, err := w.as(u).Me(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	users := func(who identity.UserID, q api.AuditQuery) map[string]bool {
		t.Helper()
		page, err := w.as(who).Audit(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]bool{}
		for _, e := range page.Items {
			found[e.User] = true
		}
		return found
	}
	if got := users(ada, api.AuditQuery{}); !cmp.Equal(got, map[string]bool{ada.String(): true}) {
		t.Error("a developer reads", got)
	}
	if got := users(edith, api.AuditQuery{}); !got[ada.String()] || !got[linus.String()] {
		t.Error("the auditor reads", got)
	}
	if got := users(edith, api.AuditQuery{User: "linus"}); !cmp.Equal(got, map[string]bool{linus.String(): true}) {
		t.Error("the auditor about one reads", got)
	}
	if _, err := w.as(ada).Audit(t.Context(), api.AuditQuery{User: "linus"}); status(err) != http.StatusForbidden {
		t.Error("a developer about another:", err)
	}
	after := int64(-1)
	page, err := w.as(edith).Audit(t.Context(), api.AuditQuery{After: &after, Limit: 1})
	if err != nil || len(page.Items) != 1 || page.Items[0].Seq != 0 || page.Next != "0" {
		t.Errorf("from the beginning: %+v, %v", page, err)
	}
	if v, err := w.as(edith).VerifyAudit(t.Context()); err != nil || !v.OK {
		t.Error(v, err)
	}
	var export strings.Builder
	if err := w.as(edith).ExportAudit(t.Context(), &export); err != nil || export.String() != "{\"seq\":0}\n" {
		t.Error(export.String(), err)
	}
	if err := w.as(ada).ExportAudit(t.Context(), &export); status(err) != http.StatusForbidden {
		t.Error("a developer exports the log:", err)
	}
	if _, err := w.as(edith).ProveAudit(t.Context(), 0); err != nil {
		t.Error(err)
	}
	if _, err := w.as(edith).ProveAuditConsistency(t.Context(), 1, 2); err != nil {
		t.Error(err)
	}
	if k, err := w.as(edith).AuditPublicKey(t.Context()); err != nil || k.Key != "a key" {
		t.Error(k, err)
	}
	if _, err := w.as(ada).ProveAudit(t.Context(), 0); status(err) != http.StatusForbidden {
		t.Error("a developer has the log proven:", err)
	}
	// Whoever may read the log may not make it forget.
	if _, err := w.as(edith).ForgetInAudit(t.Context(), "ada"); status(err) != http.StatusForbidden {
		t.Error("an auditor makes the log forget:", err)
	}
	if done, err := w.as(operator).ForgetInAudit(t.Context(), ada.Object); err != nil || done.Events != 3 {
		t.Error(done, err)
	}
	for _, q := range []api.AuditQuery{{Cursor: "%"}, {Limit: 501}} {
		if _, err := w.as(edith).Audit(t.Context(), q); q.Limit > 0 && status(err) != http.StatusBadRequest {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
