package audit_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func seqs(events []audit.Event) string {
	var list []int64
	for _, e := range events {
		list = append(list, e.Seq)
	}
	return fmt.Sprint(list)
}

// TestSearch finds by each field, and pages to the end and back in both orders.
func TestSearch(t *testing.T) {
	onEach(t, func(t *testing.T, db storetest.Database) {
		ctx := t.Context()
		l := newLog(db.Open(t, "one"), newKey(t), "one")
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		for n := range 20 {
			e := audit.Event{Time: at.Add(time.Duration(n/2) * time.Hour), Action: "app:call", Outcome: audit.Done,
				User: audit.PersonOf(identity.UserID{Tenant: "contoso", Object: []string{"ada", "bob"}[n%2]}, "N"), Session: "s-1", Workspace: "w-1",
				Project: "payments", Resource: "app ledger"}
			if n%5 == 0 {
				e.Action, e.Outcome, e.Resource, e.Session, e.Workspace, e.Project = "repo:write", audit.Denied, "repo https://git.example.test/a", "s-2", "w-2", "shop"
			}
			if err := l.Durable(ctx, e); err != nil {
				t.Fatal(err)
			}
		}
		if page, err := l.Search(ctx, audit.Filter{}); err != nil || len(page.Events) != 0 || page.Lag != 20 || page.Size != 20 {
			t.Errorf("before the index has anything: %+v, %v", page, err)
		}
		l.Lead(ctx)
		for _, c := range []struct {
			f    audit.Filter
			want string
		}{
			{audit.Filter{Limit: 3}, "[19 18 17]"},
			{audit.Filter{Limit: 3, Oldest: true}, "[0 1 2]"},
			{audit.Filter{Person: "bob", Action: "repo:write"}, "[15 5]"},
			{audit.Filter{Outcome: "denied"}, "[15 10 5 0]"},
			{audit.Filter{Resource: "https://git.example.test/a", Oldest: true}, "[0 5 10 15]"},
			{audit.Filter{Resource: "repo https://git.example.test/a", Person: "ada"}, "[10 0]"},
			{audit.Filter{Session: "s-2", Workspace: "w-2", Project: "shop", Since: at.Add(5 * time.Hour)}, "[15 10]"},
			{audit.Filter{Since: at.Add(2 * time.Hour), Until: at.Add(3 * time.Hour)}, "[5 4]"},
			{audit.Filter{Person: "nobody"}, "[]"}, {audit.Filter{Person: "' OR 1=1 --"}, "[]"},
		} {
			if page, err := l.Search(ctx, c.f); err != nil || seqs(page.Events) != c.want || page.Lag != 0 {
				t.Errorf("%+v: %s, %v", c.f, seqs(page.Events), err)
			}
		}
		for _, f := range []audit.Filter{{Limit: 3}, {Limit: 3, Oldest: true}, {Limit: 3, Person: "ada"}, {Limit: 20}, {Limit: 7, Action: "app:call"}} {
			var pages []string
			for {
				page, err := l.Search(ctx, f)
				if err != nil {
					t.Fatal(err)
				}
				pages = append(pages, seqs(page.Events))
				if page.Next == "" {
					// And back again.
					for i := len(pages) - 2; i >= 0; i-- {
						f.Cursor = page.Previous
						if page, err = l.Search(ctx, f); err != nil || seqs(page.Events) != pages[i] {
							t.Fatalf("%+v: back on page %d: %s, not %s, %v", f, i, seqs(page.Events), pages[i], err)
						}
					}
					if page.Previous != "" {
						t.Errorf("%+v: something before the first page", f)
					}
					break
				}
				f.Cursor = page.Next
			}
		}
		for _, cursor := range []string{"x", "!", "bm8", strings.Repeat("A", 400)} {
			if _, err := l.Search(ctx, audit.Filter{Cursor: cursor}); problem.KindOf(err) != problem.Invalid {
				t.Errorf("%s: %v", cursor, err)
			}
		}
		events, next, err := l.After(ctx, 3, audit.Filter{Outcome: "denied", Limit: 2})
		if err != nil || seqs(events) != "[5 10]" || next != 10 {
			t.Errorf("%s, %d, %v", seqs(events), next, err)
		}
		if events, next, err = l.After(ctx, next, audit.Filter{Outcome: "denied", Limit: 2}); err != nil || seqs(events) != "[15]" || next != 19 {
			t.Errorf("%s, %d, %v", seqs(events), next, err)
		}
	})
}

// place is an address that takes checkpoints.
type place struct {
	mu   sync.Mutex
	held string
	down bool
}

func (p *place) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case r.Header.Get("Authorization") != "Bearer secret":
		w.WriteHeader(http.StatusUnauthorized)
	case p.down:
		w.WriteHeader(http.StatusBadGateway)
	case r.Method == http.MethodPut:
		b, _ := io.ReadAll(r.Body)
		p.held = string(b)
	default:
		_, _ = io.WriteString(w, p.held)
	}
}

func (p *place) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// TestRemoteCopies sends checkpoints to an address, says when it cannot, and when the address holds those of a longer log.
func TestRemoteCopies(t *testing.T) {
	at := &place{}
	server := httptest.NewServer(at)
	defer server.Close()
	k, db := newKey(t), storetest.SQLite(t)
	s := db.Open(t, "one")
	run := func(rows audit.Rows) (*audit.Log, func()) {
		l := audit.New(audit.Config{Rows: rows, Signer: k.signer, Holder: "one", Remotes: []audit.Remote{
			{URL: server.URL, Bearer: func() (string, error) { return "secret", nil }, Client: server.Client()},
		}})
		ctx, cancel := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { _ = l.Run(ctx) })
		stop := sync.OnceFunc(func() { cancel(); running.Wait() })
		t.Cleanup(stop)
		return l, stop
	}
	until := func(what string, is func() bool) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("it is not so: %s", what)
			}
		}
	}
	held := func() (text string) { at.set(func() { text = at.held }); return text }
	l, stop := run(s)
	write := func(l *audit.Log) {
		t.Helper()
		if err := l.Durable(t.Context(), event(1)); err != nil {
			t.Fatal(err)
		}
	}
	write(l)
	until("the checkpoint is there", func() bool { return strings.HasPrefix(held(), origin+"\n1\n") })
	if r := verify(t, s, k, []byte(held())); !r.OK() || r.Complete != 1 {
		t.Errorf("%s", r)
	}
	at.set(func() { at.down = true })
	write(l)
	until("it is said that none arrives", func() bool { return strings.Contains(l.Status().Problem, "502") })
	at.set(func() { at.down = false })
	until("the newest is there", func() bool { return strings.HasPrefix(held(), origin+"\n2\n") })
	until("all is well", func() bool { return l.Status().Problem == "" })
	stop()
	// Another log under the same name, shorter.
	l, _ = run(storetest.SQLite(t).Open(t, "one"))
	write(l)
	until("it is said that the address knows another log", func() bool {
		return strings.Contains(l.Status().Problem, "the copy knows of 2 events")
	})
}
