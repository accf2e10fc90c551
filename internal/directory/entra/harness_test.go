package entra_test

import (
	"bytes"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows is a store in memory that can be made to fail.
type rows struct {
	mu      sync.Mutex
	all     *directory.Snapshot
	cursors map[string]string
	seq     feed.Seq
	fail    error
}

func newRows() *rows { return &rows{all: directory.Empty(), cursors: map[string]string{}} }

func (r *rows) LoadDirectory(context.Context) (directory.Change, map[string]string, time.Time, feed.Seq, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := directory.Change{Reset: directory.Everything}
	for u := range r.all.Users() {
		c.Users = append(c.Users, *u)
	}
	for g := range r.all.AllGroups() {
		c.Groups = append(c.Groups, *g)
		for m := range r.all.Members(g.ID) {
			c.Members = append(c.Members, directory.Membership{Group: g.ID, Member: m})
		}
	}
	return c, maps.Clone(r.cursors), r.all.AsOf(), r.seq, nil
}

func (r *rows) SaveDirectory(_ context.Context, c directory.Change, e feed.Entry, _ ...audit.Event) (feed.Seq, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return 0, r.fail
	}
	r.all, _ = r.all.With(c)
	maps.Copy(r.cursors, c.Cursors)
	if e.Topic != "" {
		r.seq++
	}
	return r.seq, nil
}

func (r *rows) failWith(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = err
}

// house is a directory with a source, and an address at which notifications arrive.
type house struct {
	*directory.Directory
	source *entra.Source
	hooks  *httptest.Server
	log    *syncBuffer
	stop   func() // ends the source and waits for it

	mu      sync.Mutex
	smaller bool // a publication with fewer enabled users than the one before was seen
	learned []time.Time
	watch   func(*directory.Snapshot) // called at each publication, when set
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// open starts a source over rows; configure may change its configuration, whose notification URL leads to it unless
// it is emptied.
func open(t testing.TB, r *rows, c entra.Config) *house {
	t.Helper()
	h := &house{log: &syncBuffer{}}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	last := 0
	h.Directory = directory.New(directory.Config{Rows: r, Log: log, Publish: func(s *directory.Snapshot, _ directory.Touched, _ feed.Seq) {
		n := 0
		for u := range s.Users() {
			if u.Enabled {
				n++
			}
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.smaller = h.smaller || n < last
		last = n
		if h.watch != nil {
			h.watch(s)
		}
	}})
	if err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.hooks = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { h.source.Notifications().ServeHTTP(w, req) }))
	if c.NotificationURL == "here" {
		c.NotificationURL = h.hooks.URL + "/hooks/graph"
	}
	if c.HTTP == nil {
		c.HTTP = &http.Client{Transport: &http.Transport{}}
	}
	c.Directory, c.Log = h.Directory, log
	c.Learned = func(at time.Time) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.learned = append(h.learned, at)
	}
	var err error
	if h.source, err = entra.New(c); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.source.Run(ctx) }()
	h.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		h.Close()
		h.hooks.Close()
		c.HTTP.CloseIdleConnections()
	})
	t.Cleanup(h.stop)
	return h
}

func (h *house) ready(t testing.TB) {
	t.Helper()
	select {
	case <-h.source.Ready():
	case <-time.After(20 * time.Second):
		t.Fatalf("the directory was not read; log:\n%s", h.log)
	}
}

// eventually waits, generously, for what is about to happen.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: did not come true", what)
		}
	}
}

const tenant = identity.TenantID("8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01")

func user(id string) identity.UserID   { return identity.UserID{Tenant: tenant, Object: id} }
func group(id string) identity.GroupID { return identity.GroupID{Tenant: tenant, Object: id} }

func (h *house) in(u, g string) bool { return h.Snapshot().InGroup(user(u), group(g)) }

func (h *house) enabled(u string) bool {
	found, ok := h.Snapshot().User(user(u))
	return ok && found.Enabled
}

// membersOf lists the object IDs of what a group contains directly.
func membersOf(s *directory.Snapshot, g identity.GroupID) []string {
	var ids []string
	for m := range s.Members(g) {
		ids = append(ids, m.User.Object+m.Group.Object)
	}
	slices.Sort(ids)
	return ids
}
