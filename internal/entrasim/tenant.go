package entrasim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what a tenant is made of.
type Config struct {
	// URL is the base without a trailing slash, such as http://tenant.localhost:8080. Requests
	// for another host are refused.
	URL          string
	Organisation Organisation
	Clock        func() time.Time // nil: time.Now
	Log          *slog.Logger     // nil: nothing is logged
	// Dial connects to the notification URLs of subscriptions. nil: a plain dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// State is the folder that keeps directory, keys, grants and subscriptions over a restart.
	// Empty: they are kept in memory only.
	State string
	// Faults go wrong from the start; [Tenant.SetFaults] changes them.
	Faults Faults
	// Limits bounds what each app may ask of Graph, as [GraphLimits] does; zero: nothing does.
	Limits Limits
}

// Tenant is a running tenant. It is an [http.Handler] and safe for concurrent use.
type Tenant struct {
	url      string
	host     string
	org      Organisation
	now      func() time.Time
	log      *slog.Logger
	store    *stateFolder
	routes   http.Handler
	deliver  *http.Client
	offline  atomic.Bool
	ahead    atomic.Int64 // nanoseconds that the clock was moved on
	limits   Limits
	faults   faults
	stop     context.CancelFunc // ends the delivery of notifications
	running  context.Context
	throttle throttle
	workers  sync.WaitGroup

	mu      sync.Mutex
	apps    map[string]App // by client ID
	dir     *directory
	keys    *keyring
	grants  *grants
	subs    map[string]*subscription
	silent  bool // revocations are
	signIns signInLog
	moments []moment        // of the changes that deltas may not tell of yet
	added   map[string]Page // pages of the portal that other parts brought, by name
}

// New makes a tenant, from Config.State when that folder holds one.
func New(c Config) (*Tenant, error) {
	base, err := url.Parse(c.URL)
	if err != nil || base.Host == "" || base.Path != "" {
		return nil, fmt.Errorf("the tenant's URL %q is not a scheme and a host", c.URL)
	}
	t := &Tenant{
		url: c.URL, host: base.Host, org: c.Organisation, log: c.Log, limits: c.Limits,
		store: &stateFolder{path: c.State}, apps: map[string]App{}, subs: map[string]*subscription{}, added: map[string]Page{},
	}
	clock := c.Clock
	if clock == nil {
		clock = time.Now
	}
	t.now = func() time.Time { return clock().Add(time.Duration(t.ahead.Load())) }
	if t.log == nil {
		t.log = slog.New(slog.DiscardHandler)
	}
	if err := t.SetFaults(c.Faults); err != nil {
		return nil, fmt.Errorf("start the tenant: %w", err)
	}
	t.deliver = deliveryClient(c.Dial)
	t.running, t.stop = context.WithCancel(context.Background())
	if err := t.load(); err != nil {
		t.stop()
		return nil, fmt.Errorf("start the tenant: %w", err)
	}
	t.ownPages()
	t.routes = t.handler()
	return t, nil
}

// Close ends deliveries, waits for them and writes the state a last time.
func (t *Tenant) Close() error {
	t.stop()
	t.workers.Wait()
	t.deliver.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	return errors.Join(t.writeDirectory(), t.writeGrants(), t.writeSubscriptions())
}

// Offline switches the tenant off (true) or on again: it answers 503 to everything and sends no
// notifications. Changes made meanwhile are notified when it is on again.
func (t *Tenant) Offline(off bool) { t.offline.Store(off) }

// ServeHTTP answers for the tenant's own host, and refuses every other: a page elsewhere whose
// name was pointed at this listener has another one.
func (t *Tenant) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if t.offline.Load() {
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	}
	if !strings.EqualFold(r.Host, t.host) {
		http.Error(w, "This is "+t.url+" and answers to no other name.", http.StatusMisdirectedRequest)
		return
	}
	t.faulty(w, r)
}

func (t *Tenant) handler() http.Handler {
	mux := http.NewServeMux()
	t.oidcRoutes(mux)
	t.portalRoutes(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Graph's paths hold keys in parentheses, which a ServeMux cannot match.
		if strings.HasPrefix(r.URL.Path, graphPrefix) {
			t.serveGraph(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// change runs f on the directory; what f changed is saved and notified before change returns,
// also when f failed half-way. f's error is returned.
func (t *Tenant) change(f func(*directory) error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.dir.Seq
	err := f(t.dir)
	events := t.dir.take()
	if t.dir.Seq != before {
		t.noteMoment(before)
		if failed := t.writeDirectory(); failed != nil {
			t.log.Error("the tenant's directory was not saved", "error", failed)
		}
	}
	t.enqueue(events)
	return err
}

// app finds a registration by client ID, as far as everybody knows it by now. t.mu is held.
func (t *Tenant) app(clientID string) (App, bool) {
	a, ok := t.apps[strings.ToLower(clientID)]
	if !ok || !t.replicated(a.registered.Made) || !t.replicated(a.registered.PrincipalMade) {
		return App{}, false
	}
	return a, true
}

// resource finds the app that a scope or resource URI names. t.mu is held.
func (t *Tenant) resource(name string) (App, bool) {
	for _, a := range t.apps {
		if a.is(name) {
			return a, true
		}
	}
	return App{}, false
}
