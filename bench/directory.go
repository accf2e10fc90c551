package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
)

const (
	directoryUsers   = 10_000
	directoryGroups  = 1_000
	directoryChanges = 200
)

// benchDirectory measures the time from the arrival of a notification, which says only that something changed, until
// a snapshot with the change is published: the delta is asked of the tenant, applied and, where it gives access,
// stored. Half of the changes take a person out of a group, half put them back.
func benchDirectory(ctx context.Context, b *bench) error {
	folder, err := os.MkdirTemp("", "lyb-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	rows, err := store.Open(ctx, store.Config{SQLite: filepath.Join(folder, "lanyard.db"), Origin: "bench"})
	if err != nil {
		return err
	}
	defer rows.Close()
	w := &watched{learned: make(chan time.Time, 1), published: make(chan publication, 64)}
	defer w.close()
	if err := w.start(ctx, b, rows); err != nil {
		return err
	}

	user, group := identity.UserID{Tenant: entrasim.ContosoTenantID, Object: sampleID('a', 7)}, identity.GroupID{Tenant: entrasim.ContosoTenantID, Object: sampleID('b', 7)}
	var took []float64
	for round := range directoryChanges + 2 {
		for len(w.learned) > 0 { // the first reading
			<-w.learned
		}
		in := w.directory.Snapshot().InGroup(user, group)
		change := w.tenant.AddMember
		if in {
			change = w.tenant.RemoveMember
		}
		if err := change(group.Object, user.Object); err != nil {
			return err
		}
		at, err := w.wait(ctx, func(s *directory.Snapshot) bool { return s.InGroup(user, group) != in })
		if err != nil {
			return err
		}
		if round >= 2 { // by now Graph's subscriptions stand
			took = append(took, ms(at))
		}
	}
	tell("  %d changes: slowest %.1f ms", len(took), percentile(took, 100))
	report("directory.effect.p50", median(took), "ms")
	report("directory.effect.p99", percentile(took, 99), "ms")
	return nil
}

// watched is a directory that follows a tenant of its own.
type watched struct {
	tenant    *entrasim.Tenant
	directory *directory.Directory
	learned   chan time.Time
	published chan publication
	server    *http.Server
	client    *http.Client
	stop      context.CancelFunc
	ended     chan error
}

type publication struct {
	snapshot *directory.Snapshot
	at       time.Time
}

func sampleID(kind byte, i int) string { return fmt.Sprintf("7a1c0000-0000-4000-800%c-%012d", kind, i) }

func (w *watched) start(ctx context.Context, b *bench, rows *store.Store) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	on := func(host string) string {
		return fmt.Sprintf("http://%s.localhost:%d", host, l.Addr().(*net.TCPAddr).Port)
	}
	const secret = "only-the-benchmark-knows"
	org := entrasim.Contoso(entrasim.Sample{Secret: secret})
	for i := range directoryUsers {
		name := fmt.Sprintf("person-%d@contoso.example", i)
		org.Users = append(org.Users, entrasim.User{ID: sampleID('a', i), UserPrincipalName: name, Mail: name, DisplayName: name, AccountEnabled: true, Password: name})
	}
	for i := range directoryGroups {
		g := entrasim.Group{ID: sampleID('b', i), DisplayName: fmt.Sprintf("team-%d", i)}
		for m := range 10 * directoryUsers / directoryGroups { // each person is in ten
			g.Members = append(g.Members, sampleID('a', (i*7+m*13)%directoryUsers))
		}
		org.Groups = append(org.Groups, g)
	}
	if w.tenant, err = entrasim.New(entrasim.Config{URL: on("tenant"), Organisation: org, Dial: server.Dial}); err != nil {
		return err
	}
	w.directory = directory.New(directory.Config{Rows: rows, Log: b.log, Publish: func(s *directory.Snapshot, _ directory.Touched, _ feed.Seq) {
		w.published <- publication{s, time.Now()}
	}})
	if err := w.directory.Load(ctx); err != nil {
		return err
	}
	w.client = &http.Client{Transport: &http.Transport{DialContext: server.Dial, MaxIdleConnsPerHost: 16}}
	source, err := entra.New(entra.Config{
		Tenant: entrasim.ContosoTenantID, ClientID: entrasim.LanyardAppID, Secret: secret,
		TokenURL: on("tenant") + "/" + entrasim.ContosoTenantID + "/oauth2/v2.0/token", Graph: w.tenant.GraphURL(),
		HTTP: w.client, NotificationURL: on("lanyard") + "/hooks/graph", Pace: entra.Pace{Burst: 100, Every: 10 * time.Millisecond}, Directory: w.directory, Log: slog.New(slog.DiscardHandler),
		Learned: func(at time.Time) {
			select {
			case w.learned <- at:
			default:
			}
		},
	})
	if err != nil {
		return err
	}
	hooks := source.Notifications()
	w.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hooks/graph" {
			hooks.ServeHTTP(rw, r)
			return
		}
		w.tenant.ServeHTTP(rw, r)
	})}
	go func() { _ = w.server.Serve(l) }() // ends with close
	running, stop := context.WithCancel(ctx)
	w.stop, w.ended = stop, make(chan error, 1)
	go func() { w.ended <- source.Run(running) }()
	_, err = w.until(ctx, func(s *directory.Snapshot) bool { users, _ := s.Counts(); return users >= directoryUsers })
	return err
}

// until waits for a publication with something in it, and says when that was published.
func (w *watched) until(ctx context.Context, holds func(*directory.Snapshot) bool) (time.Time, error) {
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	for {
		select {
		case p := <-w.published:
			if holds(p.snapshot) {
				return p.at, nil
			}
		case <-limit.C:
			return time.Time{}, errors.New("a change of the tenant was not published")
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
}

// wait is the time from a change's notification to its publication.
func (w *watched) wait(ctx context.Context, holds func(*directory.Snapshot) bool) (time.Duration, error) {
	at, err := w.until(ctx, holds)
	if err != nil {
		return 0, err
	}
	return at.Sub(<-w.learned), nil
}

func (w *watched) close() {
	if w.stop != nil {
		w.stop()
		<-w.ended
	}
	if w.server != nil {
		w.server.Close()
	}
	if w.client != nil {
		w.client.CloseIdleConnections()
	}
	if w.directory != nil {
		w.directory.Close()
	}
	if w.tenant != nil {
		w.tenant.Close()
	}
}
