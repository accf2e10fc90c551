package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
)

// readOrder says what to read, and where to store it.
type readOrder struct {
	Tenant             directoryTenant
	SQLite, PostgreSQL string
	// What there is at least when all was read.
	Users, Groups, Memberships int
}

// missing says what of an organisation is not there.
func (o readOrder) missing(s *directory.Snapshot) error {
	users, groups := s.Counts()
	if n := s.Memberships(); users < o.Users || groups < o.Groups || n < o.Memberships {
		return fmt.Errorf("there are %d of %d users, %d of %d groups and %d of %d memberships", users, o.Users, groups, o.Groups, n, o.Memberships)
	}
	return nil
}

type readAnswer struct {
	Took    time.Duration // until it was stored and then published: what gives access is stored first
	Resting uint64        // bytes of the heap that are in use then, garbage collected
	Peak    uint64        // bytes of the process that were in memory at most
}

// readerRole is the part of a server that reads a tenant: the source, the directory and its store.
type readerRole struct {
	rows      *store.Store
	directory *directory.Directory
	server    *http.Server
	client    *http.Client
	stop      context.CancelFunc
	ended     chan error

	mu       sync.Mutex
	learned  time.Time // when the notification arrived that was answered last
	expected directoryChange
	waiting  bool
	took     chan time.Duration
}

func (r *readerRole) methods() map[string]method {
	return map[string]method{"download": takes(r.download), "read": takes(r.read), "restart": takes(r.restart), "expect": takes(r.expect), "effect": takes(r.effect)}
}

// read reads everything for the first time.
func (r *readerRole) read(ctx context.Context, o readOrder) (a readAnswer, err error) {
	if err := r.open(ctx, o); err != nil {
		return a, err
	}
	began := time.Now()
	if err := r.follow(o); err != nil {
		return a, err
	}
	for o.missing(r.directory.Snapshot()) != nil {
		if time.Since(began) > 15*time.Minute {
			return a, o.missing(r.directory.Snapshot())
		}
		time.Sleep(10 * time.Millisecond)
	}
	a.Took, a.Peak = time.Since(began), peakMemory()
	time.Sleep(2 * time.Second) // whoever has read lets go of the pages
	a.Resting = restingMemory()
	return a, nil
}

// restart loads what is stored, and then follows the tenant.
func (r *readerRole) restart(ctx context.Context, o readOrder) (a readAnswer, err error) {
	began := time.Now()
	if err := r.open(ctx, o); err != nil {
		return a, err
	}
	a.Took = time.Since(began)
	a.Resting = restingMemory()
	if err := o.missing(r.directory.Snapshot()); err != nil {
		return a, fmt.Errorf("after a restart %w", err)
	}
	return a, r.follow(o)
}

func (r *readerRole) open(ctx context.Context, o readOrder) (err error) {
	if r.rows, err = store.Open(ctx, store.Config{SQLite: o.SQLite, PostgreSQL: o.PostgreSQL, Origin: "bench"}); err != nil {
		return err
	}
	r.took = make(chan time.Duration, 16)
	r.directory = directory.New(directory.Config{Rows: r.rows, Log: warnings(), Publish: r.published})
	return r.directory.Load(ctx)
}

func warnings() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// follow starts reading and listens to notifications.
func (r *readerRole) follow(o readOrder) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r.client = &http.Client{Transport: &http.Transport{DialContext: server.Dial, MaxIdleConnsPerHost: 16}}
	source, err := entra.New(entra.Config{
		Tenant: entrasim.ContosoTenantID, ClientID: entrasim.LanyardAppID, Secret: o.Tenant.Secret, TokenURL: o.Tenant.TokenURL, Graph: o.Tenant.Graph,
		HTTP: r.client, NotificationURL: fmt.Sprintf("http://lanyard.localhost:%d/hooks/graph", l.Addr().(*net.TCPAddr).Port),
		// One change after the other is measured, so that none waits for the quota that others have used up.
		Pace: entra.Pace{Burst: 100, Every: 10 * time.Millisecond}, Directory: r.directory, Pages: r.rows, Log: warnings(),
		Learned: func(at time.Time) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.learned = at
		},
	})
	if err != nil {
		return err
	}
	r.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: source.Notifications()}
	go func() { _ = r.server.Serve(l) }() // ends with close
	ctx, stop := context.WithCancel(context.Background())
	r.stop, r.ended = stop, make(chan error, 1)
	go func() { r.ended <- source.Run(ctx) }()
	return nil
}

// expect says which change comes next.
func (r *readerRole) expect(_ context.Context, c directoryChange) (nothing, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expected, r.waiting = c, true
	r.see(r.directory.Snapshot(), time.Now())
	return nothing{}, nil
}

// effect is the time from the notification of the expected change to its publication.
func (r *readerRole) effect(ctx context.Context, _ nothing) (time.Duration, error) {
	select {
	case d := <-r.took:
		return d, nil
	case <-time.After(2 * time.Minute):
		return 0, errors.New("a change of the tenant was not published")
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (r *readerRole) published(s *directory.Snapshot, _ directory.Touched, _ feed.Seq) {
	at := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.see(s, at)
}

func (r *readerRole) see(s *directory.Snapshot, at time.Time) {
	if !r.waiting {
		return
	}
	in := false
	for _, g := range s.DirectlyIn(directory.Member{User: identity.UserID{Tenant: entrasim.ContosoTenantID, Object: r.expected.User}}) {
		in = in || g.Object == r.expected.Group
	}
	if in == r.expected.In {
		r.waiting = false
		r.took <- at.Sub(r.learned)
	}
}

func (r *readerRole) close() {
	if r.stop != nil {
		r.stop()
		<-r.ended
	}
	if r.server != nil {
		r.server.Close()
	}
	if r.client != nil {
		r.client.CloseIdleConnections()
	}
	if r.directory != nil {
		r.directory.Close()
	}
	if r.rows != nil {
		r.rows.Close()
	}
}

// restingMemory is what the heap holds when garbage is gone.
func restingMemory() uint64 {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// peakMemory is the most that the process had in memory (VmHWM of proc_pid_status(5)); 0 where that is not known.
func peakMemory() uint64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
