// Package server builds Lanyard's parts, connects them, and takes them down again. It has no handlers of its own
// beyond leading a request to the site that its host names.
package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/config"
	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/dashboard"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/tlscert"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// Options are all that a server is made of. Those of a file are read by FromFile; Names, Hosts and Operator are given
// in code only, by the sample world and by tests.
type Options struct {
	URL             string // of the pages, without trailing slash
	Listener        net.Listener
	Socket          string                   // of the operator
	Data            string                   // folder
	PostgreSQL      string                   // URL; empty: SQLite in Data
	EncryptionKeys  [][]byte                 // of token.SealingKeySize bytes each; the first one seals
	ReadKeys        func() ([][]byte, error) // reads them again; nil: they do not change
	WorkspaceDomain string                   // below which terminals have their hosts
	AppDomain       string                   // below which apps have their sites; empty: they have none
	TrustedProxies  []netip.Prefix           // whose X-Forwarded-For is believed
	Certificates    []tlscert.Files          // of TLS; empty, and no ACME: a proxy in front speaks it
	ACME            *tlscert.ACME            // whom further certificates are obtained from; nil: nobody
	Plain           net.Listener             // where plain HTTP is led to https; nil: nowhere

	Tenant        signin.Tenant
	TokenURL      string      // the tenant's v2.0 token endpoint
	Graph         string      // Microsoft Graph, with /v1.0
	Notifications string      // where Graph reaches this server; empty: the sweep finds changes
	SignInLog     bool        // the tenant's log of sign-ins is read, as far as it lets Lanyard
	Review        review.Pace // of comparing it with what happened here; zero: review.DefaultPace
	Pace          entra.Pace  // of reads that notifications cause; zero: what spares Graph's quota
	HTTP          *http.Client

	Projects, Policies string              // folders; empty: none
	FromGroups         *project.FromGroups // nil: no project is made of groups
	Global             map[project.Role][]source.Located

	Idle, Lifetime   time.Duration
	Guests           config.Guests // zero: they sign in like everybody
	FormPost         bool          // the tenant's page posts its answer to a sign-in
	Sweep            time.Duration
	Members          config.Members // who says who is in which group; empty: Graph
	Users            config.Members // who says who there is; empty: Graph
	SCIM             config.SCIM    // which assertions the tenant's provisioning service shows
	Stale, Close     time.Duration
	StepUp           time.Duration // how long what somebody stepped up for is allowed
	CheckpointCopies []string
	Audit            config.Audit // what else becomes of the audit log
	AgentPath        string
	Runtime          func(*slog.Logger, Registries) (workspace.Runtime, error)
	Registries       []config.Registry // of images, that are reached wherever they stand
	LocalRegistries  bool              // all registries on this machine are
	KeepWorkspaces   bool              // on shutdown
	Classes          workspace.Classes // of workspaces; empty: workspace.StandardClass
	Rules            workspace.Rules   // that hold for all workspaces
	Snapshots        snapshot.Limits   // of checkouts; zero: the defaults
	Prebuilds        prebuild.Limits   // zero: the defaults
	Version          string
	Log              *slog.Logger
	Learned          func(time.Time) // see entra.Config
	Operations       Operations
	Alarms           string // the address that alarms are told to; may hold a token, may be empty
	// Connections and SignIns bound what one address that is not this machine's has open, and begins in a minute; 0: no
	// bound.
	Connections, SignIns int

	GitHub  []connection.App // by which people and projects reach repositories there
	Clients []issuer.Client  // programs of others that get tokens of the issuer

	// Replicas is where other replicas pass on what is for workspaces of this one, and ReplicaAddress how they reach it.
	Replicas       net.Listener
	ReplicaAddress string

	Names    map[string]upstream.Address
	Hosts    map[string]http.Handler
	Operator []web.Route
}

// Server is Lanyard, running or about to.
type Server struct {
	options Options
	origin  string // this process
	log     *slog.Logger

	store      *store.Store
	audit      *audit.Log
	keys       *token.Keys
	sealer     *token.Sealer
	engine     *access.Engine
	directory  *directory.Directory
	pages      *dashboard.Dashboard
	graph      atomic.Pointer[entra.Source]
	signedIn   *signedin.Source // nil: the directory is read
	provision  *provision.Service
	led        atomic.Bool // this process has led before
	activity   activity
	replica    replica
	peers      peers
	sessions   *session.Manager
	grants     *grant.Manager
	alarms     *alarms // nil: nobody outside is told
	identifier session.Identifier
	signin     *signin.Service
	issuer     *issuer.Issuer
	projects   *configuration
	binding    sync.Mutex // held while projects and the directory that their groups are looked up in are published
	runtime    workspace.Runtime
	hub        *tunnel.Hub
	workspaces *workspace.Manager
	upstream   *upstream.Upstream
	connects   *connection.Service
	settings   *setting.Settings
	folders    buildRoom           // of builds
	logins     *setting.Registries // people's own, for images
	snapshots  *snapshot.Keeper
	prebuilds  *prebuilds
	terminals  terminalHosts
	apps       appHosts
	left       *departures

	sites        []web.Site
	front        *hosts
	watch        watch
	listener     *perAddress
	certificates *tlscert.Set // nil: TLS is spoken in front
	follower     atomic.Pointer[feed.Follower]
	stopping     atomic.Bool
	lock         *os.File // of the data folder
	socket       net.Listener
	operator     http.Handler
}

// New opens the store, loads what is in it, and makes all parts. Nothing is served before Run.
func New(ctx context.Context, o Options) (_ *Server, err error) {
	if o.HTTP == nil {
		o.HTTP = tenantClient()
	}
	if o.Tenant.Credential == nil {
		o.Tenant.Credential = credential.Known(o.Tenant.ClientID, o.Tenant.ClientSecret)
	}
	s := &Server{options: o, log: o.Log, origin: random(), listener: newPerAddress(o.Listener, o.Connections, o.TrustedProxies)}
	defer func() {
		if err != nil {
			s.shut()
		}
	}()
	if s.terminals, err = newTerminalHosts(o.URL, o.WorkspaceDomain); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if s.apps, err = newAppHosts(o.URL, o.AppDomain); err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if s.lock, err = Lock(o.Data); err != nil { // first, so that two never share the data
		return nil, err
	}
	if s.socket, err = listenSocket(o.Socket); err != nil {
		return nil, err
	}
	if err := s.openStore(ctx); err != nil {
		return nil, err
	}
	if err := s.makeCertificates(); err != nil {
		return nil, err
	}
	if err := s.makeFacts(ctx); err != nil {
		return nil, err
	}
	s.makeSettings()
	s.makeRegistries()
	s.makePrebuilds()
	if err := s.makeWorkspaces(ctx); err != nil {
		return nil, err
	}
	s.endDelegations(ctx)
	if err := s.makeWatch(ctx); err != nil {
		return nil, err
	}
	if err := s.makeSites(); err != nil {
		return nil, err
	}
	if err := s.issuer.Revoked(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) openStore(ctx context.Context) (err error) {
	o := s.options
	c := store.Config{Origin: s.origin, Log: s.log, PostgreSQL: o.PostgreSQL}
	if o.PostgreSQL == "" {
		c.SQLite = DatabaseFile(o.Data)
	}
	if s.store, err = store.Open(ctx, c); err != nil {
		return err
	}
	if s.sealer, err = token.NewSealer(o.EncryptionKeys...); err != nil {
		return fmt.Errorf("encryption key: %w", err)
	}
	s.makePeers()
	if err := s.join(ctx); err != nil {
		return err
	}
	if err := s.firstKeys(ctx); err != nil {
		return err
	}
	if s.keys, err = token.Open(ctx, token.Config{Rows: s.store, Sealer: s.sealer, Kinds: signingKinds()}); err != nil {
		return err
	}
	return s.openAudit(ctx)
}

// DatabaseFile is where the SQLite database of a data folder is.
func DatabaseFile(data string) string { return filepath.Join(data, "lanyard.db") }

// gcPercent lets the heap grow threefold between two collections: some tens of megabytes for a third less work in them.
const gcPercent = 200

// Run serves until ctx ends, and returns when all is down: leases closed with a word, workspaces stopped or left as
// the options say, the audit log flushed.
func (s *Server) Run(ctx context.Context, ready func()) error {
	defer s.shut()
	if os.Getenv("GOGC") == "" { // requests leave much behind that is garbage at once, and little that stays
		defer debug.SetGCPercent(debug.SetGCPercent(gcPercent))
	}
	// Parts that others still need while they go down end after them, so each layer has a context of its own.
	base, endBase := context.WithCancel(context.WithoutCancel(ctx))
	defer endBase()
	var parts sync.WaitGroup
	run := func(ctx context.Context, f func(context.Context)) { parts.Go(func() { f(ctx) }) }

	logCtx, endLog := context.WithCancel(base)
	var logging sync.WaitGroup
	logging.Go(func() { _ = s.audit.Run(logCtx) })
	run(base, s.engine.Run)
	run(base, s.sessions.Run)
	run(base, s.grants.Run)
	if s.alarms != nil {
		run(base, s.alarms.run)
	}
	run(base, s.left.run)
	run(ctx, s.snapshots.Run)
	run(base, s.keepUp)
	run(base, s.live)
	run(ctx, func(ctx context.Context) { s.replica.lead.Run(ctx, s.leadAll) })
	run(ctx, s.projects.await)
	run(ctx, s.keepClosed)
	workCtx, endWork := context.WithCancel(base)
	run(workCtx, func(ctx context.Context) { s.replica.home.Run(ctx, s.runWorkspaces) })
	run(ctx, s.housekeeping)

	pages := newHTTPServer(s.front, s.log)
	operator := newHTTPServer(s.operator, s.log)
	failed := make(chan error, 5)
	serve := func(h *http.Server, l net.Listener) {
		parts.Go(func() {
			if err := h.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	if s.certificates != nil {
		run(base, s.certificates.Run)
	}
	serve(pages, s.secured())
	plain := &http.Server{} // serves nothing
	if s.options.Plain != nil {
		plain = newHTTPServer(s.plain(), s.log)
		serve(plain, newPerAddress(s.options.Plain, s.options.Connections, s.options.TrustedProxies))
	}
	serve(operator, s.socket)
	if s.watch.records != nil {
		run(base, s.watch.records.Run)
	}
	between := &http.Server{} // serves nothing
	if s.peers.listener != nil {
		between = newHTTPServer(s.fromReplicas(), s.log)
		serve(between, tls.NewListener(s.peers.listener, betweenReplicas(s.sealer)))
	}
	operations := &http.Server{} // serves nothing
	if s.watch.site != nil {
		operations = newHTTPServer(s.watch.site, s.log)
		serve(operations, s.options.Operations.Listener)
	}
	var err error
	settled := s.projects.settled
	for err == nil && ctx.Err() == nil {
		select {
		case <-settled:
			settled = nil // once
			if ready != nil {
				ready()
			}
			s.tell("READY=1")
		case err = <-failed:
			err = fmt.Errorf("serve: %w", err)
		case <-ctx.Done():
		}
	}
	s.stopping.Store(true)
	s.tell("STOPPING=1")
	down, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if !s.options.KeepWorkspaces {
		s.workspaces.StopAll(down)
	}
	s.engine.CloseAll(access.Reason{Code: access.Shutdown, Text: "the server is being stopped"})
	endWork()
	brief, stop := context.WithTimeout(down, 2*time.Second)
	if pages.Shutdown(brief) != nil {
		pages.Close()
	}
	operator.Close()
	plain.Close()
	between.Close()
	stop()
	if err := s.hub.Shutdown(down); err != nil {
		s.log.Warn("the tunnels were not all closed in time", "error", err)
	}
	endBase()
	operations.Close() // after the others: it says how they go down
	parts.Wait()
	endLog() // last: what the others wrote while going down belongs in it
	logging.Wait()
	return err
}

// shut closes what New opened.
func (s *Server) shut() {
	s.endWatch()
	if s.upstream != nil {
		s.upstream.Close()
	}
	if s.directory != nil {
		s.directory.Close()
	}
	if s.peers.listener != nil {
		s.peers.listener.Close()
	}
	if s.peers.client != nil {
		s.peers.client.CloseIdleConnections()
	}
	if s.options.HTTP != nil {
		s.options.HTTP.CloseIdleConnections()
	}
	if s.socket != nil {
		s.socket.Close()
	}
	for _, l := range []*feed.Lead{s.replica.lead, s.replica.home} {
		if l != nil {
			l.Resign(context.Background()) // for what did not come to Run
		}
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("the store could not be closed", "error", err)
		}
	}
	if s.lock != nil {
		s.lock.Close()
	}
}

// housekeeping drops what is not needed any more.
func (s *Server) housekeeping(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.signin.Forget()
			s.connects.Forget()
		}
	}
}

func newHTTPServer(h http.Handler, log *slog.Logger) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true) // from a proxy in front that ends TLS
	return &http.Server{
		Handler: h, ConnContext: web.WithConn, Protocols: protocols,
		ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

func random() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
