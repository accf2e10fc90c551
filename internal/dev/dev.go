// Package dev is the sample world of `lanyard dev`: a tenant, Git servers, an internal API, projects, and a Lanyard
// over them, on this machine, with nothing to configure. It is for trying and for tests.
package dev

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/dev/gitserver"
	"github.com/lanyardhq/lanyard/internal/dev/ledger"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Options are the flags of `lanyard dev`.
type Options struct {
	Data    string // folder; empty: DefaultData
	Listen  string // address; empty: 127.0.0.1:8080; port 0 picks a free one
	Runtime string // docker or sandbox; empty: what this folder began with, else Docker where there is an engine
	// DockerHost is DOCKER_HOST, the engine's address; empty: the machine's own. Image is for workspaces that name none.
	DockerHost, Image string
	Metrics           string // address of the operations listener; empty: none
	JSON              bool   // say what is there as one line of JSON
	// DatabaseFile names a file with the URL of a PostgreSQL database; empty: SQLite in the data folder.
	DatabaseFile string
	Members      config.Members // who says who is in which group; empty: Graph
	Keep         time.Duration  // the workspaces of a closed project that is made of groups
	// Hosts leads hosts' names, with or without a port, to loopback addresses of others' servers.
	Hosts   map[string]string
	Running int // workspaces at a time; more wait; 0: no bound
	Version string
	Out     io.Writer
	Log     *slog.Logger
	// Learned, if set, is told when the bytes that carry a change of the directory arrived; benchmarks use it.
	Learned func(time.Time)
	// Ready, if set, is called once everything answers.
	Ready func(*World)
}

// DefaultData is where the data is when nothing else is said: a folder whose parents every user of the machine may
// walk, since workspaces run as users of their own when the server is root.
func DefaultData() (string, error) {
	if os.Getuid() == 0 {
		return "/var/lib/lanyard", nil
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "lanyard"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "share", "lanyard"), nil
}

// World is the sample world while it runs.
type World struct {
	Info   Info
	Tenant *entrasim.Tenant

	options  Options
	data     string
	secrets  secrets
	lock     *os.File // of the data folder
	listener net.Listener
	port     int
	client   *http.Client
	git      *gitserver.Server // takes people's own tokens
	legacy   *gitserver.Server // takes a password
	inside   []*http.Server    // the upstreams
	parts    sync.WaitGroup

	stopProvisioning context.CancelFunc

	runtime, why string // what runs workspaces, and why that
}

// Run runs the sample world until ctx ends.
func Run(ctx context.Context, o Options) error {
	w, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer w.close()
	options, err := w.serverOptions()
	if err != nil {
		return err
	}
	s, err := server.New(ctx, options)
	if err != nil {
		return err
	}
	return s.Run(ctx, func() {
		w.announce()
		if o.Ready != nil {
			o.Ready(w)
		}
	})
}

func open(ctx context.Context, o Options) (_ *World, err error) {
	if o.Data == "" {
		if o.Data, err = DefaultData(); err != nil {
			return nil, fmt.Errorf("find a data folder: %w", err)
		}
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:8080"
	}
	w := &World{options: o, client: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DialContext: server.Dial}}}
	defer func() {
		if err != nil {
			w.close()
		}
	}()
	if w.data, err = filepath.Abs(o.Data); err != nil {
		return nil, err
	}
	if w.lock, err = server.Lock(w.data); err != nil { // the tenant and the repositories are here too
		return nil, err
	}
	for _, folder := range []string{"server", "projects", "policies"} {
		if err := os.MkdirAll(filepath.Join(w.data, folder), 0o755); err != nil {
			return nil, fmt.Errorf("make the data folder: %w", err)
		}
	}
	if w.secrets, err = openSecrets(filepath.Join(w.data, "secrets")); err != nil {
		return nil, err
	}
	if err := w.listen(ctx, o.Listen); err != nil {
		return nil, err
	}
	if err := w.openTenant(); err != nil {
		return nil, err
	}
	if err := w.openProvisioning(ctx); err != nil {
		return nil, err
	}
	if err := w.openGit(ctx); err != nil {
		return nil, err
	}
	if err := w.writeProjects(); err != nil {
		return nil, err
	}
	if err := w.chooseRuntime(ctx); err != nil {
		return nil, err
	}
	w.describe()
	return w, nil
}

func (w *World) listen(ctx context.Context, address string) (err error) {
	var c net.ListenConfig
	if w.listener, err = c.Listen(ctx, "tcp", address); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return problem.Wrap(err, problem.Conflict, "Something listens on %s already. Choose another address with --listen, such as --listen 127.0.0.1:0.", address)
		}
		return fmt.Errorf("listen on %s: %w", address, err)
	}
	tcp, ok := w.listener.Addr().(*net.TCPAddr)
	if !ok || !tcp.IP.IsLoopback() {
		return problem.New(problem.Invalid, "The sample world protects nothing, so it listens on loopback addresses only; %s is not one.", address)
	}
	w.port = tcp.Port
	return nil
}

func (w *World) listenOperations() (net.Listener, error) {
	l, err := net.Listen("tcp", w.options.Metrics)
	if err != nil {
		return nil, problem.Wrap(err, problem.Invalid, "The metrics cannot be served on %s: %v.", w.options.Metrics, err)
	}
	if tcp, ok := l.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		l.Close()
		return nil, problem.New(problem.Invalid, "The sample world protects nothing, so its metrics are on loopback addresses only; %s is not one.", w.options.Metrics)
	}
	return l, nil
}

// on is the URL of a site of this world.
func (w *World) on(host string) string {
	return "http://" + host + ".localhost:" + strconv.Itoa(w.port)
}

func (w *World) openTenant() (err error) {
	url := w.on("lanyard")
	w.Tenant, err = entrasim.New(entrasim.Config{
		URL: w.on("tenant"), Dial: server.Dial, Log: w.options.Log, State: filepath.Join(w.data, "tenant"),
		Organisation: entrasim.Contoso(entrasim.Sample{
			RedirectURIs: []string{url + signin.RedirectPath, url + signin.LogoutPath},
			LogoutURL:    url + signin.FrontChannelPath,
			Secret:       w.secrets.Client,
		}),
	})
	if err != nil {
		return fmt.Errorf("start the sample tenant: %w", err)
	}
	return nil
}

// The names of the sample upstreams. They exist in this program only: `dev` hands them to the gateway in code.
const (
	gitHost    = "git.example.test"
	legacyHost = "legacy.example.test"
	ledgerHost = "ledger.example.test"
)

func (w *World) openGit(ctx context.Context) (err error) {
	root, legacy := filepath.Join(w.data, "git"), filepath.Join(w.data, "legacy")
	samples := gitserver.Samples()
	var modern, old []gitserver.Repository
	for _, r := range samples {
		if r.Name == "payments/legacy" {
			old = append(old, r)
		} else {
			modern = append(modern, r)
		}
	}
	if err := gitserver.Seed(ctx, root, modern...); err != nil {
		return err
	}
	if err := gitserver.Seed(ctx, legacy, old...); err != nil {
		return err
	}
	if err := gitserver.SeedLarge(ctx, root, "payments/assets", 24); err != nil {
		return err
	}
	hooks := filepath.Join(w.data, "hooks")
	if w.git, err = gitserver.New(gitserver.Config{
		Root: root, Hooks: hooks, LogFile: w.gitLog(), Log: w.options.Log,
		Accept: &gitserver.Entra{
			Issuer: w.Tenant.Issuer(), Tenant: w.Tenant.TenantID(), Audience: entrasim.ContosoGitAppID, Client: w.client,
		},
	}); err != nil {
		return err
	}
	w.legacy, err = gitserver.New(gitserver.Config{
		Root: legacy, Hooks: hooks, LogFile: filepath.Join(w.data, "legacy.log"), Log: w.options.Log,
		Accept: gitserver.Password{User: legacyUser, Secret: w.secrets.Legacy},
	})
	return err
}

func (w *World) gitLog() string { return filepath.Join(w.data, "git.log") }

// serveInside serves an upstream on a loopback port that only this program knows.
func (w *World) serveInside(h http.Handler) (upstream.Address, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("listen for a sample upstream: %w", err)
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ErrorLog: slog.NewLogLogger(w.options.Log.Handler(), slog.LevelDebug)}
	w.inside = append(w.inside, s)
	w.parts.Go(func() { _ = s.Serve(l) }) // ends with Close
	return upstream.Address(l.Addr().String()), nil
}

func (w *World) names() (map[string]upstream.Address, error) {
	books := ledger.New(ledger.Config{
		Issuer: w.on("lanyard"), JWKS: w.on("lanyard") + issuer.JWKSPath, Audience: "ledger", Client: w.client,
	})
	names := map[string]upstream.Address{}
	for host, h := range map[string]http.Handler{gitHost: w.git, legacyHost: w.legacy, ledgerHost: books} {
		address, err := w.serveInside(h)
		if err != nil {
			return nil, err
		}
		names[host] = address
	}
	for host, at := range w.options.Hosts {
		if address, err := netip.ParseAddrPort(at); err != nil || !address.Addr().IsLoopback() {
			return nil, problem.New(problem.Invalid, "The host %s is led to %q, which is no loopback address with a port, such as 127.0.0.1:4873.", host, at)
		}
		names[strings.ToLower(host)] = upstream.Address(at)
	}
	return names, nil
}

func (w *World) serverOptions() (server.Options, error) {
	names, err := w.names()
	if err != nil {
		return server.Options{}, err
	}
	agent, err := server.AgentPath()
	if err != nil {
		return server.Options{}, err
	}
	url := w.on("lanyard")
	database := ""
	var replicas net.Listener // others may join on the same database
	replicaAddress := ""
	if w.options.DatabaseFile != "" {
		if database, err = config.ReadSecret(w.options.DatabaseFile); err != nil {
			return server.Options{}, err
		}
		if replicas, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return server.Options{}, fmt.Errorf("listen for other replicas: %w", err)
		}
		replicaAddress = replicas.Addr().String()
	}
	var operations net.Listener
	if w.options.Metrics != "" {
		if operations, err = w.listenOperations(); err != nil {
			return server.Options{}, err
		}
	}
	return server.Options{
		PostgreSQL: database, Replicas: replicas, ReplicaAddress: replicaAddress,
		URL: url, Listener: w.listener, Socket: filepath.Join(w.data, "lanyard.sock"), Data: filepath.Join(w.data, "server"),
		EncryptionKeys: [][]byte{w.secrets.Encryption}, WorkspaceDomain: "localhost", AppDomain: "localhost",
		Tenant: signin.Tenant{
			ID: identity.TenantID(w.Tenant.TenantID()), Issuer: w.Tenant.Issuer(), ClientID: entrasim.LanyardAppID, ClientSecret: w.secrets.Client,
		},
		TokenURL: w.tokenURL(), Graph: w.Tenant.GraphURL(), Notifications: url + server.NotificationPath,
		SignInLog: true, Review: review.Pace{Look: 2500 * time.Millisecond, Unseen: 15 * time.Second, Unlogged: 20 * time.Second},
		Pace:     entra.Pace{Burst: 100, Every: 10 * time.Millisecond}, // the sample tenant has no quota
		Projects: filepath.Join(w.data, "projects"), Policies: filepath.Join(w.data, "policies"), Global: globalRoles(),
		FromGroups: w.fromGroups(), Members: w.options.Members,
		Idle: 4 * time.Hour, Lifetime: 12 * time.Hour, Sweep: 10 * time.Second, Stale: 5 * time.Minute, Close: 15 * time.Minute, StepUp: 15 * time.Minute,
		CheckpointCopies: []string{filepath.Join(w.data, "checkpoints")},
		LocalRegistries:  true, // where people try, the registry is on this machine as well
		Runtime: func(log *slog.Logger, registries server.Registries) (workspace.Runtime, error) {
			return w.makeRuntime(agent, registries, log)
		},
		Clients: []issuer.Client{{ID: "reports", Name: "Reports", Secret: sha256.Sum256([]byte(w.secrets.Reports)), Audiences: []string{"reports"}}},
		Classes: classes(), Rules: workspace.Rules{Running: w.options.Running},
		Prebuilds: prebuild.Limits{Poll: time.Second, Every: time.Second}, // nothing to spare: the repositories are here
		Version:   w.options.Version, Log: w.options.Log, Learned: w.options.Learned,
		Operations: server.Operations{Listener: operations},
		Names:      names, Hosts: map[string]http.Handler{"tenant.localhost": w.Tenant}, Operator: w.routes(),
	}, nil
}

func (w *World) tokenURL() string {
	return w.on("tenant") + "/" + w.Tenant.TenantID() + "/oauth2/v2.0/token"
}

func (w *World) close() {
	for _, s := range w.inside {
		s.Close()
	}
	if w.stopProvisioning != nil {
		w.stopProvisioning()
	}
	w.parts.Wait()
	if w.listener != nil {
		w.listener.Close()
	}
	w.client.CloseIdleConnections()
	if w.Tenant != nil {
		if err := w.Tenant.Close(); err != nil {
			w.options.Log.Error("the sample tenant could not be closed", "error", err)
		}
	}
	if w.lock != nil {
		w.lock.Close()
	}
}

func (w *World) announce() {
	if w.options.JSON {
		line, err := json.Marshal(w.Info)
		if err == nil {
			fmt.Fprintf(w.options.Out, "%s\n", line)
		}
		return
	}
	w.Info.print(w.options.Out)
}
