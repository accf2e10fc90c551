package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// gatewayRole is a whole Lanyard server over a sample tenant, as `lanyard dev` has it, except that its runtime starts
// nothing: whoever dials a workspace's socket is its workspace.
type gatewayRole struct {
	tenant  *entrasim.Tenant
	learned chan time.Time
	stop    context.CancelFunc
	ended   chan error
}

type gatewayOrder struct {
	Folder string
	People int
	App    string // address; empty: none
	Git    string // address; empty: none
	// Redirects are where the tenant may send people back to besides, for peers that are its clients too.
	Redirects []string
}

// tenantAnswer is what a client of the sample tenant is configured with.
type tenantAnswer struct{ Issuer, ClientID, Secret string }

type gatewayAnswer struct {
	URL     string
	Sockets string // folder of the workspaces' socket folders
	Tenant  tenantAnswer
}

// The hosts in the benchmark's project, which exist in this program only.
const (
	appHost = "app.example.test"
	gitHost = "git.example.test"
)

// team is the group, itself in payments-engineers, that the benchmark's people are in.
const (
	team   = "bench-team"
	teamID = "9d0f6f5e-0000-4000-8000-ffffffffffff"
)

func personName(i int) string { return "bench-" + strconv.Itoa(i) }

func (g *gatewayRole) methods() map[string]method {
	return map[string]method{
		"start": takes(g.start),
		"rss":   takes(rss), "contend": takes(watchLocks), "contention": takes(lockWaits),
		// Both answer when Lanyard learned of the change.
		"remove": takes(func(ctx context.Context, m membership) (time.Time, error) {
			return g.change(ctx, func() error { return g.tenant.RemoveMember(m.Group, m.Member) })
		}),
		"add": takes(func(ctx context.Context, m membership) (time.Time, error) {
			return g.change(ctx, func() error { return g.tenant.AddMember(m.Group, m.Member) })
		}),
	}
}

type membership struct{ Group, Member string }

// change changes the tenant and waits until Lanyard has learned of it.
func (g *gatewayRole) change(ctx context.Context, do func() error) (time.Time, error) {
	for len(g.learned) > 0 {
		<-g.learned
	}
	if err := do(); err != nil {
		return time.Time{}, err
	}
	select {
	case at := <-g.learned:
		return at, nil
	case <-time.After(30 * time.Second):
		return time.Time{}, errors.New("the change was not learned")
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
}

func (g *gatewayRole) start(ctx context.Context, o gatewayOrder) (a gatewayAnswer, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return a, err
	}
	on := func(host string) string {
		return fmt.Sprintf("http://%s.localhost:%d", host, l.Addr().(*net.TCPAddr).Port)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	url := on("lanyard")
	const secret = "only-the-benchmark-knows-this-too"
	if g.tenant, err = entrasim.New(entrasim.Config{
		URL: on("tenant"), Dial: server.Dial, Log: log, Organisation: organisation(o.People, entrasim.Sample{
			RedirectURIs: append(o.Redirects, url+signin.RedirectPath, url+signin.LogoutPath), Secret: secret,
		}),
	}); err != nil {
		return a, err
	}
	if err := writeProject(o.Folder); err != nil {
		return a, err
	}
	data := filepath.Join(o.Folder, "server")
	g.learned = make(chan time.Time, 64)
	s, err := server.New(ctx, server.Options{
		URL: url, Listener: l, Socket: filepath.Join(o.Folder, "lanyard.sock"), Data: data,
		EncryptionKeys: [][]byte{token.NewSealingKey()}, WorkspaceDomain: "localhost",
		Tenant: signin.Tenant{
			ID: identity.TenantID(g.tenant.TenantID()), Issuer: g.tenant.Issuer(), ClientID: entrasim.LanyardAppID, ClientSecret: secret,
		},
		TokenURL: on("tenant") + "/" + g.tenant.TenantID() + "/oauth2/v2.0/token", Graph: g.tenant.GraphURL(),
		Notifications: url + server.NotificationPath, Pace: entra.Pace{Burst: 100, Every: 10 * time.Millisecond}, Projects: filepath.Join(o.Folder, "projects"),
		Idle: 4 * time.Hour, Lifetime: 12 * time.Hour, Sweep: 10 * time.Second, Stale: 5 * time.Minute, Close: 15 * time.Minute,
		Runtime: func(*slog.Logger, server.Registries) (workspace.Runtime, error) { return &emptyRuntime{}, nil },
		Clients: []issuer.Client{{ID: frontClient, Name: frontClient, Secret: sha256.Sum256([]byte(frontSecret)), Audiences: []string{"front"}, Exchange: []string{"back"}}},
		Version: "bench", Log: log, Learned: func(at time.Time) {
			select {
			case g.learned <- at:
			default: // nobody waits for so many
			}
		},
		Names: map[string]upstream.Address{appHost: upstream.Address(o.App), gitHost: upstream.Address(o.Git)},
		Hosts: map[string]http.Handler{"tenant.localhost": g.tenant},
	})
	if err != nil {
		return a, err
	}
	running, stop := context.WithCancel(context.Background())
	g.stop, g.ended = stop, make(chan error, 1)
	ready := make(chan struct{})
	go func() { g.ended <- s.Run(running, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-g.ended:
		return a, err
	}
	return gatewayAnswer{URL: url, Sockets: filepath.Join(data, "s"), Tenant: tenantAnswer{
		Issuer: g.tenant.Issuer(), ClientID: entrasim.LanyardAppID, Secret: secret,
	}}, nil
}

func (g *gatewayRole) close() {
	if g.stop != nil {
		g.stop()
		<-g.ended
	}
	if g.tenant != nil {
		g.tenant.Close()
	}
}

// organisation is the sample organisation with so many more people, all of them in one group of developers.
func organisation(people int, s entrasim.Sample) entrasim.Organisation {
	org := entrasim.Contoso(s)
	group := entrasim.Group{ID: teamID, DisplayName: team}
	for i := range people {
		name := personName(i)
		u := entrasim.User{
			ID: fmt.Sprintf("9d0f6f5e-0000-4000-8000-%012d", i), UserPrincipalName: name + "@" + org.Domain, Mail: name + "@" + org.Domain,
			DisplayName: "Person " + strconv.Itoa(i), AccountEnabled: true, Password: "lanyard-" + name,
		}
		org.Users = append(org.Users, u)
		group.Members = append(group.Members, u.ID)
	}
	org.Groups = append(org.Groups, group)
	for i := range org.Groups {
		if org.Groups[i].ID == entrasim.PaymentsEngineersID {
			org.Groups[i].Members = append(org.Groups[i].Members, group.ID)
		}
	}
	return org
}

func writeProject(folder string) error {
	password := filepath.Join(folder, "git-password")
	text := `project: bench
roles:
  developer: ["` + entrasim.PaymentsEngineersID + `"]
repositories:
  - url: https://` + gitHost + `/` + repository + `
    credential: {basic_file: ` + password + `}
resources:
  - app: plain
    url: http://` + appHost + `
  - app: signed
    url: http://` + appHost + `
    assertion: {audience: signed}
  - audience: front
    aud: ` + frontAudience + `
  - audience: back
    aud: ` + backAudience + `
`
	if err := os.MkdirAll(filepath.Join(folder, "projects"), 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(password, []byte(gitUser+":"+gitPassword), 0o600),
		os.WriteFile(filepath.Join(folder, "projects", "bench.yaml"), []byte(text), 0o644),
	)
}

// emptyRuntime opens a workspace's socket for this process's own user and starts nothing.
type emptyRuntime struct {
	mu   sync.Mutex
	runs map[identity.WorkspaceID]time.Time
}

func (*emptyRuntime) Name() string                { return "empty" }
func (*emptyRuntime) Check(context.Context) error { return nil }

func (r *emptyRuntime) Start(ctx context.Context, spec workspace.Spec, _ func(string)) error {
	r.mu.Lock()
	if r.runs == nil {
		r.runs = map[identity.WorkspaceID]time.Time{}
	}
	r.runs[spec.ID] = time.Now()
	r.mu.Unlock()
	_, err := spec.Endpoint(ctx, os.Geteuid())
	return err
}

func (r *emptyRuntime) Stop(_ context.Context, id identity.WorkspaceID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.runs, id)
	return nil
}

func (r *emptyRuntime) Delete(ctx context.Context, id identity.WorkspaceID) error {
	return r.Stop(ctx, id)
}

func (r *emptyRuntime) List(context.Context) ([]workspace.Observed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []workspace.Observed
	for id, at := range r.runs {
		all = append(all, workspace.Observed{ID: id, Running: true, Started: at})
	}
	return all, nil
}
