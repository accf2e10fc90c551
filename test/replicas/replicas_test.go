package replicas

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestTwoReplicas: what happens at one holds at the other.
func TestTwoReplicas(t *testing.T) {
	w := newWorld(t)
	a := w.start("a", options{})
	b := w.start("b", options{})
	if !a.leads() || b.leads() {
		t.Error("the first one should read the directory, and it alone")
	}

	ada := w.signIn(a, "ada")
	if status, body := w.get(b, ada, "/api/v1/me"); status != http.StatusOK || !strings.Contains(body, "payments") {
		t.Fatalf("a session made at a is not known at b: %d %s", status, body)
	}
	open := w.stream(b, ada)
	begun := time.Now()
	done, err := a.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"})
	if err != nil || !done.Recorded {
		t.Fatalf("revoke: %+v, %v", done, err)
	}
	at := w.closes(open)
	t.Logf("MEASURED a revocation at one replica closed a stream at another after %.1f ms", float64(at.Sub(begun))/1e6)
	if !strings.Contains(open.String(), "the operator ended this access") {
		t.Errorf("the stream was not told why: %s", open)
	}
	if status, _ := w.get(b, ada, "/api/v1/me"); status != http.StatusUnauthorized {
		t.Errorf("the ended session answers %d at b", status)
	}

	// What the tenant says reaches the replica that does not read the directory.
	grace := w.signIn(b, "barbara")
	open = w.stream(b, grace)
	begun = time.Now()
	if err := w.tenant.SetEnabled(entrasim.BarbaraID, false); err != nil {
		t.Fatal(err)
	}
	t.Logf("MEASURED a disabled account's stream at the replica that does not read the directory closed after %.1f ms",
		float64(w.closes(open).Sub(begun))/1e6)

	// The folder is read by one; both follow.
	w.write("projects/payments.yaml", strings.Replace(projects, "payments-viewers", "payments-leads", 1))
	for _, r := range w.replicas {
		w.eventually("the revision is in force at "+r.name, func() bool {
			why, err := r.Operator.Why(w.context(), "repo:read", "https://git.example.test/payments/api", "grace")
			return err == nil && why.Decision == "allow"
		})
	}
	w.write("projects/payments.yaml", "project: [")
	a.says("projects and policies stay as they were")
	why, err := b.Operator.Why(w.context(), "repo:read", "https://git.example.test/payments/api", "grace")
	if err != nil || why.Decision != "allow" {
		t.Errorf("a bad file changed something: %+v %v", why, err)
	}
}

// TestStaleReplica: one that does not hear from the database refuses new access after 2 s and closes what is open after
// 5; a revocation takes effect there all the same, and says that it is not recorded.
func TestStaleReplica(t *testing.T) {
	w := newWorld(t)
	a := w.start("a", options{})
	address, line := w.throughProxy()
	b := w.start("b", options{database: address})
	ada, linus := w.signIn(b, "ada"), w.signIn(b, "linus")
	first, second := w.stream(b, ada), w.stream(b, linus)
	w.eventually("b knows a", func() bool { return strings.Contains(b.log.String(), "Lanyard serves") })
	time.Sleep(1500 * time.Millisecond) // b has seen a in the list of replicas

	line.cut()
	cut := time.Now()
	done, err := b.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "linus"})
	if err != nil || done.Recorded || !strings.Contains(done.Message, "not yet recorded") {
		t.Errorf("revoke without the database: %+v, %v", done, err)
	}
	if !strings.Contains(second.String(), "ended this access") {
		w.closes(second)
	}
	w.eventually("b refuses new access", func() bool {
		status, body := w.get(b, ada, "/api/v1/me")
		return status == http.StatusServiceUnavailable && strings.Contains(body, "has not heard from its database")
	})
	refused := time.Since(cut)
	closed := w.closes(first).Sub(cut)
	if !strings.Contains(first.String(), "has not heard from its database") {
		t.Errorf("it was not told why: %s", first)
	}
	t.Logf("MEASURED cut off from the database, a replica refused after %.1f s and closed after %.1f s", refused.Seconds(), closed.Seconds())
	if refused < 1500*time.Millisecond || closed < 4500*time.Millisecond {
		t.Error("too early")
	}
	if status, _ := w.get(a, ada, "/api/v1/me"); status != http.StatusOK {
		t.Errorf("at the other one ada gets %d", status)
	}
	line.mend()
	w.eventually("b allows again", func() bool {
		status, _ := w.get(b, ada, "/api/v1/me")
		return status == http.StatusOK
	})
	w.eventually("the revocation is recorded and reaches a", func() bool {
		status, _ := w.get(a, linus, "/api/v1/me")
		return status == http.StatusUnauthorized
	})
}

// TestAloneWithoutDatabase: a replica that has the database for itself goes on without it.
func TestAloneWithoutDatabase(t *testing.T) {
	w := newWorld(t)
	address, line := w.throughProxy()
	a := w.start("a", options{database: address})
	ada := w.signIn(a, "ada")
	open := w.stream(a, ada)
	line.cut()
	defer line.mend()
	ctx, cancel := context.WithTimeout(t.Context(), 7*time.Second)
	defer cancel()
	<-ctx.Done()
	if !open.open() {
		t.Errorf("it closed: %s", open)
	}
	if status, body := w.get(a, ada, "/api/v1/me"); status != http.StatusOK {
		t.Errorf("it refuses: %d %s", status, body)
	}
}

// TestPausedLeaderCannotWrite stops the leader for so long that another one takes over, and lets it go on.
func TestPausedLeaderCannotWrite(t *testing.T) {
	w := newWorld(t)
	a := w.start("a", options{})
	b := w.start("b", options{})
	ada := w.signIn(b, "ada")
	a.signal(stop)
	begun := time.Now()
	w.eventually("b takes over", b.leads)
	t.Logf("MEASURED another replica took over from a paused leader after %.1f s", time.Since(begun).Seconds())
	open := w.stream(b, ada)
	begun = time.Now()
	if err := w.tenant.SetEnabled(entrasim.AdaID, false); err != nil {
		t.Fatal(err)
	}
	t.Logf("MEASURED under the new leader a disabled account's stream closed after %.1f ms", float64(w.closes(open).Sub(begun))/1e6)
	// The old leader finds a new file and a changed directory when it goes on; what it would write is refused.
	w.write("projects/payments.yaml", strings.Replace(projects, "payments-viewers", "shop-engineers", 1))
	a.signal(cont)
	w.eventually("a steps back", func() bool { return !a.leads() })
	for _, r := range w.replicas {
		w.eventually("the revision of the new leader is in force at "+r.name, func() bool {
			why, err := r.Operator.Why(w.context(), "repo:read", "https://git.example.test/payments/api", "alan")
			return err == nil && why.Decision == "allow"
		})
	}
	if status, _ := w.get(a, ada, "/api/v1/me"); status != http.StatusUnauthorized && status != http.StatusForbidden {
		t.Errorf("the old leader lets ada in: %d", status)
	}
	v, err := b.Operator.VerifyAudit(w.context())
	if err != nil || !v.OK {
		t.Errorf("the audit log: %+v %v", v, err)
	}
	if n, last := w.rows(`SELECT COUNT(*) FROM project_revisions`), w.rows(`SELECT MAX(number) FROM project_revisions`); n != last {
		t.Errorf("%d revisions, the last has number %d", n, last)
	}
}
